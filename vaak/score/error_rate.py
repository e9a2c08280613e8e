"""Error rates from summed counts: substitutions, deletions, insertions over the length of the reference.

A rate over a corpus is the ratio of sums, never the mean of rates, so long items weigh what they are and an empty
generation counts all its words as deletions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vaak.languages import language_of
from vaak.score.graphemes import graphemes
from vaak.score.normalise import english_segments, normalise_for_scoring


@dataclass(frozen=True)
class Counts:
    """Edits that turn a reference into a hypothesis: `sub`, `dele`, `ins`, and `ref`, the length of the reference."""

    sub: int = 0
    dele: int = 0
    ins: int = 0
    ref: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.sub + other.sub, self.dele + other.dele, self.ins + other.ins, self.ref + other.ref)

    @property
    def errors(self) -> int:
        return self.sub + self.dele + self.ins

    @property
    def rate(self) -> float:
        """Errors per reference unit. With an empty reference: 0.0 if there is nothing to insert either, else 1.0."""
        if self.ref == 0:
            return 1.0 if self.ins else 0.0
        return self.errors / self.ref


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> Counts:
    """Counts of a minimum-edit alignment (Levenshtein 1966, all costs 1); substitutions are preferred among equals."""
    # Each cell is (edits, substitutions, deletions, insertions) for the prefixes; rows run over the reference.
    above = [(j, 0, 0, j) for j in range(len(hypothesis) + 1)]
    for i, wanted in enumerate(reference, 1):
        row = [(i, 0, i, 0)]
        for j, given in enumerate(hypothesis, 1):
            diagonal, up, left = above[j - 1], above[j], row[j - 1]
            if wanted == given:
                row.append(diagonal)
            elif diagonal[0] <= up[0] and diagonal[0] <= left[0]:
                row.append((diagonal[0] + 1, diagonal[1] + 1, diagonal[2], diagonal[3]))
            elif up[0] <= left[0]:
                row.append((up[0] + 1, up[1], up[2] + 1, up[3]))
            else:
                row.append((left[0] + 1, left[1], left[2], left[3] + 1))
        above = row
    _, sub, dele, ins = above[-1]
    return Counts(sub, dele, ins, len(reference))


def word_counts(reference: str, hypothesis: str, language: str) -> Counts:
    """Word edits between two texts of `language`, after `normalise_for_scoring`.

    English figures in the hypothesis are read in the way that is nearest the reference ("555" as "five five five"):
    the recogniser chose how to write them, the speaker did not.
    """
    wanted = normalise_for_scoring(reference, language).split()
    if language_of(language) != "en":
        return align(wanted, normalise_for_scoring(hypothesis, language).split())
    segments = english_segments(hypothesis)
    chosen = [forms[0] for forms in segments]
    best = align(wanted, [word for form in chosen for word in form])
    for i, forms in enumerate(segments):
        for form in forms[1:]:
            counts = align(wanted, [word for k, other in enumerate(chosen) for word in (form if k == i else other)])
            if counts.errors < best.errors:
                best, chosen[i] = counts, form
    return best


def grapheme_counts(reference: str, hypothesis: str, language: str) -> Counts:
    """Edits between the written units (`vaak.score.graphemes`) of two texts after `normalise_for_scoring`, spaces left out.

    The first figure for Indic languages: words are long there and often divided in two ways, and one wrong vowel sign is
    one wrong unit of those that a reader sees.
    """
    wanted, given = (written_units(text, language) for text in (reference, hypothesis))
    return align(wanted, given)


def written_units(text: str, language: str) -> list[str]:
    """The written units of `text` in `language` after `normalise_for_scoring`, spaces left out: what `grapheme_counts` counts."""
    return [unit for unit in graphemes(normalise_for_scoring(text, language)) if unit != " "]


def char_counts(reference: str, hypothesis: str, language: str) -> Counts:
    """Edits between the code points of two texts of `language` after `normalise_for_scoring`, spaces left out."""
    wanted = normalise_for_scoring(reference, language).replace(" ", "")
    return align(wanted, normalise_for_scoring(hypothesis, language).replace(" ", ""))


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of many counts; its `rate` is the rate of the corpus."""
    return sum(counts, Counts())


def bootstrap_interval(
    counts: Sequence[Counts], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap over items (Bisani and Ney 2004) of the corpus rate: (low, high); (nan, nan) without items."""
    if not counts:
        return float("nan"), float("nan")
    errors = np.array([item.errors for item in counts], dtype=np.float64)
    lengths = np.array([item.ref for item in counts], dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(counts), size=(draws, len(counts)))
    rates = errors[picks].sum(1) / np.maximum(lengths[picks].sum(1), 1)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
