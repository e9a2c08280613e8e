"""The limits of the gates: a figure that was found against the project's limit, and against the one that ships with Vaak."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Judged:
    """One figure of a gate beside its limit.

    most: the figure may be at most `limit`; without it, at least. found: None where there was nothing to measure, and then
    the limit holds. shipped: the limit that Vaak has where a project says nothing.
    """

    name: str
    found: float | None
    limit: float
    shipped: float
    most: bool = True

    @property
    def holds(self) -> bool:
        return self.found is None or self._within(self.limit)

    @property
    def loosened(self) -> bool:
        """Whether the project's limit lets through what the shipped one stops."""
        return self.limit > self.shipped if self.most else self.limit < self.shipped

    @property
    def only_by_loosening(self) -> bool:
        """Whether the figure passes, and would not pass the shipped limit."""
        return self.found is not None and self.holds and not self._within(self.shipped)

    @property
    def words(self) -> str:
        found = "nothing measured" if self.found is None else f"{self.found:.4g}"
        return f"{self.name} {found}, wanted {'at most' if self.most else 'at least'} {self.limit:g}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; what is not finite as a word, which `float` reads."""
        found = self.found if self.found is None or math.isfinite(self.found) else str(self.found)
        return asdict(self) | {"found": found}

    def _within(self, limit: float) -> bool:
        assert self.found is not None
        # A figure that is not a number is within no limit.
        return self.found <= limit if self.most else self.found >= limit


def judged_of(evidence: dict[str, Any]) -> list[Judged]:
    """The limits in the evidence of a ledger record."""
    rows = evidence.get("limits", [])
    return [Judged(**row | {"found": None if row["found"] is None else float(row["found"])}) for row in rows]


def loosened_words(judged: Sequence[Judged]) -> list[str]:
    """A sentence for every limit that the project made looser, with what was found and whether it passes only so."""
    said = []
    for one in judged:
        if one.loosened:
            value = "nothing was measured" if one.found is None else f"found {one.found:.4g}"
            so = ", which the shipped limit would have stopped" if one.only_by_loosening else ""
            said.append(f"limit of {one.name} loosened from {one.shipped:g} to {one.limit:g}; {value}{so}")
    return said


def failures(judged: Sequence[Judged]) -> str:
    """The limits that do not hold in one line, or nothing."""
    return "; ".join(one.words for one in judged if not one.holds)
