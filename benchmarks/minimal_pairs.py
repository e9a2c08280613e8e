"""The table of minimal pairs (tests/score/minimal_pairs.py) by three normalisers, language by language.

Ours; Whisper's for languages other than English; and indic-nlp-library's, where it is installed (`pip install
indic-nlp-library`), which is made for text and not for scoring: it leaves punctuation and digits as they are. "Apart": of
the pairs that are two words, the share that stays two; "same": of the pairs that are one word, the share that becomes one.
Prints one line per figure: `python benchmarks/minimal_pairs.py [--json PATH]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from codec import Figure, at_least

from vaak.score.normalise import normalise_for_scoring

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.score.minimal_pairs import INVENTORIES, Pair, pairs

Normaliser = Callable[[str, str], str]


def whisper() -> Normaliser:
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer

    basic = BasicTextNormalizer()
    return lambda text, language: basic(text)


def indic_nlp() -> Normaliser | None:
    """None where the library is not installed. Assamese has that of Bengali."""
    try:
        from indicnlp.normalize.indic_normalize import IndicNormalizerFactory  # pyright: ignore[reportMissingImports]  (not among our dependencies)
    except ImportError:
        return None
    of = {language: IndicNormalizerFactory().get_normalizer(language) for language in INVENTORIES}
    return lambda text, language: of[language].normalize(text)


def right(normalise: Normaliser, pair: Pair) -> bool:
    """Whether the two spellings are one word, or two, as the table says; words are what stands between spaces."""
    one, other = (normalise(text, pair.language).split() for text in (pair.one, pair.other))
    return (one == other) == pair.same


def shares(normalise: Normaliser, table: list[Pair]) -> tuple[float, float]:
    """Of the pairs that are two words and of those that are one: how many are right."""
    apart, same = ([right(normalise, pair) for pair in table if pair.same == kind] for kind in (False, True))
    return sum(apart) / len(apart), sum(same) / len(same)


def measured(name: str, normalise: Normaliser, table: list[Pair], want: float) -> list[Figure]:
    figures = []
    for language in INVENTORIES:
        of = [pair for pair in table if pair.language == language]
        both = Counter(pair.same for pair in of)
        for kind, value, n in zip(("apart", "same"), shares(normalise, of), (both[False], both[True]), strict=True):
            figures.append(at_least(f"{name}, {language}, {kind}", value, want, f"{n} pairs"))
    for kind, value in zip(("apart", "same"), shares(normalise, table), strict=True):
        figures.append(at_least(f"{name}, all, {kind}", value, want, f"{len(table)} pairs of both kinds"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    table = pairs()
    # A peer is measured and wants nothing: its figures are what ours stand beside.
    figures = measured("ours", normalise_for_scoring, table, 1.0) + measured("whisper", whisper(), table, 0.0)
    peer = indic_nlp()
    if peer is None:
        print("indic-nlp-library is not installed, so it is not measured: pip install indic-nlp-library")
    else:
        figures += measured("indic-nlp", peer, table, 0.0)
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
