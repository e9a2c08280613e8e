"""Documents for `text_dedupe.py`: real ones from JSONL files or joined from the example's sentences, and planted edits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from vaak.demo.texts.rich.store import store_of
from vaak.languages import LANGUAGES, language_of

# Characters, from and up to: the shortest document that is kept, a paragraph, a page, a long article.
CLASSES = ((128, 256), (256, 1000), (1000, 4000), (4000, 10_000))

_SENTENCE_END = re.compile(r"(?<=[.!?।॥\n])\s+")


def documents(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Texts by language of JSONL files with the fields `text` and, unless the file is named after it, `language`.

    A row that says it is not expected to be kept (`expect`) is left out: it does not get as far as this.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            if row.get("expect", "keep") != "keep":
                continue
            found.setdefault(language_of(row.get("language") or path.stem), []).append(row["text"])
    return found


def sentences(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Distinct sentences by language: of the documents found, and of the example's collection of sentences."""
    pools = {}
    for language in LANGUAGES:
        own = [one.strip() for text in found.get(language, []) for one in _SENTENCE_END.split(text)]
        pools[language] = list(dict.fromkeys(one for one in [*own, *store_of(language).sentences] if one))
    return pools


def joined(pool: Sequence[str], low: int, high: int, n: int, random: Random) -> list[str]:
    """`n` documents of `low` to `high` characters of sentences in random order; one document repeats none if the pool suffices."""
    made = []
    for _ in range(n):
        length = random.randrange(low, high)
        order = iter(random.sample(pool, len(pool)))
        text = ""
        while len(text) < low:
            text = f"{text} {next(order, None) or random.choice(pool)}".strip()
            if len(text) > length:
                text = text[:length]
        made.append(text)
    return made


def disjoint(pool: Sequence[str], low: int, high: int, most: int, random: Random) -> list[str]:
    """Up to `most` documents of at least `low` characters that share no sentence: each sentence of the pool is used once."""
    order, made, text = random.sample(pool, len(pool)), [], ""
    target = random.randrange(low, high)
    for sentence in order:
        text = f"{text} {sentence}".strip()
        if len(text) >= target:
            made.append(text)
            text, target = "", random.randrange(low, high)
            if len(made) == most:
                break
    return made


def edited(text: str, share: float, words: Sequence[str], random: Random) -> str:
    """`share` of the words changed, one at least: another word for it, left out, one put in, or two exchanged, at random."""
    result = text.split()
    for _ in range(max(1, round(share * len(result)))):
        at = random.randrange(len(result))
        kind = random.randrange(4)
        if kind == 0:
            result[at] = random.choice(words)
        elif kind == 1 and len(result) > 1:
            del result[at]
        elif kind == 2:
            result.insert(at, random.choice(words))
        elif at + 1 < len(result):
            result[at], result[at + 1] = result[at + 1], result[at]
    return " ".join(result)
