"""How long documents are: histograms of characters and tokens for each language, counted batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Two bins an octave, so that the limits of 128 characters and 4,096 tokens are edges. What is below the first edge is
# counted in the first bin, what is beyond the last in the last.
CHARACTER_EDGES = tuple(round(8 * 2 ** (half / 2)) for half in range(29))  # 8 to 131,072
TOKEN_EDGES = tuple(round(8 * 2 ** (half / 2)) for half in range(23))  # 8 to 16,384

_MEASURES = ("kept characters", "dropped characters", "kept tokens")


class Lengths:
    """Counts of documents by length. They come to the same in any order."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, list[int]]] = {}

    def add(self, language: str, characters: NDArray[np.int64], tokens: NDArray[np.int64] | None) -> None:
        """Count documents: kept with `tokens` ids each ([n]), or dropped (None). `characters` [n] are code points."""
        counts = self._of(language)
        _count(counts["dropped characters" if tokens is None else "kept characters"], CHARACTER_EDGES, characters)
        if tokens is not None:
            _count(counts["kept tokens"], TOKEN_EDGES, tokens)

    def rows(self) -> dict[str, Any]:
        """language -> characters and tokens, each with its `edges` [n+1] and counts [n]: what a report shows."""
        return {
            language: {
                "characters": {
                    "edges": list(CHARACTER_EDGES),
                    "kept": list(counts["kept characters"]),
                    "dropped": list(counts["dropped characters"]),
                },
                "tokens": {"edges": list(TOKEN_EDGES), "kept": list(counts["kept tokens"])},
            }
            for language, counts in sorted(self._counts.items())
        }

    def _of(self, language: str) -> dict[str, list[int]]:
        if language not in self._counts:
            sizes = (len(CHARACTER_EDGES) - 1, len(CHARACTER_EDGES) - 1, len(TOKEN_EDGES) - 1)
            self._counts[language] = {name: [0] * size for name, size in zip(_MEASURES, sizes, strict=True)}
        return self._counts[language]


def _count(counts: list[int], edges: tuple[int, ...], values: NDArray[np.int64]) -> None:
    """Add to each bin how many of the values are in it."""
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(counts) - 1)
    for at, n in enumerate(np.bincount(bins, minlength=len(counts)).tolist()):
        counts[at] += n
