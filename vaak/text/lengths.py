"""How long documents are: histograms of characters and tokens for each language, which add up over parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

# Two bins an octave, so that the limits of 128 characters and 4,096 tokens are edges. What is below the first edge is
# counted in the first bin, what is beyond the last in the last.
CHARACTER_EDGES = tuple(round(8 * 2 ** (half / 2)) for half in range(29))  # 8 to 131,072
TOKEN_EDGES = tuple(round(8 * 2 ** (half / 2)) for half in range(23))  # 8 to 16,384

_MEASURES = ("kept characters", "dropped characters", "kept tokens")


class Lengths:
    """Counts of documents by length. `add` and `merge` come to the same in any order."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, list[int]]] = {}

    def add(self, language: str, characters: int, tokens: int | None) -> None:
        """Count one document: kept with `tokens` ids, or dropped (None). `characters` are code points."""
        counts = self._counts.get(language) or self._of(language)
        counts["dropped characters" if tokens is None else "kept characters"][_bin(CHARACTER_EDGES, characters)] += 1
        if tokens is not None:
            counts["kept tokens"][_bin(TOKEN_EDGES, tokens)] += 1

    def merge(self, other: Lengths) -> None:
        """Add what another one has counted."""
        for language, measures in other._counts.items():
            mine = self._of(language)
            for measure, counts in measures.items():
                mine[measure] = [a + b for a, b in zip(mine[measure], counts, strict=True)]

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

    def to_json(self) -> dict[str, Any]:
        return self.rows()

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Lengths:
        """Raises `ValueError` for counts that were made over other edges."""
        read = cls()
        for language, measures in written.items():
            characters, tokens = measures["characters"], measures["tokens"]
            if characters["edges"] != list(CHARACTER_EDGES) or tokens["edges"] != list(TOKEN_EDGES):
                raise ValueError(f"the lengths of {language!r} were counted over other edges")
            counts = (characters["kept"], characters["dropped"], tokens["kept"])
            read._counts[language] = {name: list(one) for name, one in zip(_MEASURES, counts, strict=True)}
        return read

    def _of(self, language: str) -> dict[str, list[int]]:
        sizes = (len(CHARACTER_EDGES) - 1, len(CHARACTER_EDGES) - 1, len(TOKEN_EDGES) - 1)
        new = {name: [0] * size for name, size in zip(_MEASURES, sizes, strict=True)}
        return self._counts.setdefault(language, new)


def _bin(edges: tuple[int, ...], value: int) -> int:
    return min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
