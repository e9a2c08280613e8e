"""Curves of a log of any length in bounded memory: thinned while they are read, so that a spike of one step in a million is seen.

Steps fall into at most `MOST_PARTS` parts of equal width; when they are full, two become one and the width doubles. Of each
part and name the mean, lowest and highest value and the number of values are kept, and how many were not finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.track.jsonl import iter_jsonl

MOST_PARTS = 1024
# Rows that are taken together: enough that numpy does the work, few enough to be small.
_TOGETHER = 4096
# Of how many broken values each curve remembers the step.
_BROKEN = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A thinned curve: of each part that has a value its middle step, mean, lowest and highest value (float64 [n]) and the number
    of values (int64 [n]); a part of values that are all not finite has NaN. broken: how many values were not finite, and the
    first steps of these."""

    steps: Floats
    mean: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]
    broken: int
    broken_at: tuple[int, ...]

    @property
    def exact(self) -> bool:
        """Whether every part is one value."""
        return bool((self.count <= 1).all())

    def end_means(self, share: float = 0.1) -> tuple[float, float]:
        """Means of the first and the last `share` of all values (at least one), to the parts that they fall into."""
        finite = np.isfinite(self.mean)
        mean, count = self.mean[finite], self.count[finite]
        if not len(mean):
            return float("nan"), float("nan")
        wanted = max(1, int(count.sum() * share))
        ends = []
        for at in (slice(None), slice(None, None, -1)):
            until = int(np.searchsorted(np.cumsum(count[at]), wanted)) + 1
            ends.append(float(np.average(mean[at][:until], weights=count[at][:until])))
        return ends[0], ends[1]


@dataclass
class _Sums:
    """What is kept of a name: an array [MOST_PARTS] of each."""

    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(MOST_PARTS, np.int64))
    broken: NDArray[np.int64] = field(default_factory=lambda: np.zeros(MOST_PARTS, np.int64))
    sum: Floats = field(default_factory=lambda: np.zeros(MOST_PARTS))
    steps: Floats = field(default_factory=lambda: np.zeros(MOST_PARTS))
    low: Floats = field(default_factory=lambda: np.full(MOST_PARTS, np.inf))
    high: Floats = field(default_factory=lambda: np.full(MOST_PARTS, -np.inf))
    broken_at: list[int] = field(default_factory=list)

    def add(self, used: Any, starts: Any, values: Floats, steps: NDArray[np.int64]) -> None:
        """Values in the order of their steps; those from starts[i] to the next start fall into the part used[i]."""
        finite = np.isfinite(values)
        lows = highs = sums = values
        if not finite.all():
            self.broken[used] += np.add.reduceat(~finite, starts, dtype=np.int64)
            self.broken_at += [int(step) for step in steps[~finite][: _BROKEN - len(self.broken_at)]]
            lows, highs, sums = (np.where(finite, values, empty) for empty in (np.inf, -np.inf, 0.0))
        self.count[used] += np.add.reduceat(finite, starts, dtype=np.int64)
        self.sum[used] += np.add.reduceat(sums, starts)
        self.steps[used] += np.add.reduceat(np.where(finite, steps, 0), starts, dtype=np.float64)
        self.low[used] = np.minimum(self.low[used], np.minimum.reduceat(lows, starts))
        self.high[used] = np.maximum(self.high[used], np.maximum.reduceat(highs, starts))


def _is_number(value: Any) -> bool:
    """Whether it is one that a float64 holds."""
    return isinstance(value, float) or (type(value) is int and value.bit_length() < 1000)


class Curves:
    """The curves of every number in the rows that it is given, over `step`. What is no number is passed over.

    rows: how many it was given. first, last: of each name its first and last value.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.first_step = self.last_step = 0
        self._width = 1
        self._last_of: dict[str, int] = {}
        self._kept: dict[str, _Sums] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rows as `iter_jsonl` has them, in the order of their steps."""
        rows = iter(rows)
        while together := list(islice(rows, _TOGETHER)):
            self._add(together)

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def names(self, prefix: str = "") -> list[str]:
        """The names that begin with `prefix`, in order."""
        return sorted(name for name in self._kept if name.startswith(prefix))

    def curve(self, name: str) -> Curve:
        """The curve of a name; an empty one of a name that no row had."""
        kept = self._kept.get(name) or _Sums()
        used = np.flatnonzero(kept.count + kept.broken)
        count = kept.count[used]
        some = np.where(count, count, np.nan)
        # No step and no value of a part whose values were all broken; its middle stands for it.
        middle = np.where(count, kept.steps[used] / some, self.first_step + used * self._width + (self._width - 1) / 2)
        low, high = (np.where(count, edge[used], np.nan) for edge in (kept.low, kept.high))
        broken, broken_at = int(kept.broken.sum()), tuple(kept.broken_at[:_BROKEN])
        return Curve(middle, kept.sum[used] / some, low, high, count, broken, broken_at)

    def _add(self, rows: list[Mapping[str, Any]]) -> None:
        if not self.rows:
            self.first_step = int(rows[0].get("step", 0))
        self.rows += len(rows)
        alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
        for row in rows:  # most rows have the same names in the same order, and are a table as they stand
            alike.setdefault(tuple(row), []).append(row)
        for names, some in alike.items():
            steps = np.array([row.get("step", self.last_step) for row in some], np.int64)
            self.last_step = max(self.last_step, int(steps.max()))
            while self.last_step - self.first_step >= MOST_PARTS * self._width:
                self._halve()
            self._add_table(names, some, steps)

    def _add_table(self, names: tuple[str, ...], rows: list[Mapping[str, Any]], steps: NDArray[np.int64]) -> None:
        """Rows with the same names, all numbers as a rule; else each column by itself, without what is no number."""
        if all(_is_number(value) for value in rows[0].values()):
            with suppress(ValueError, TypeError, OverflowError):
                table = np.array([list(row.values()) for row in rows], np.float64).T
                self._add_columns(dict(zip(names, table, strict=True)), steps)
                return
        for name in names:
            there = np.array([_is_number(row[name]) for row in rows])
            if there.any():
                column = np.array([row[name] for row in rows if _is_number(row[name])], np.float64)
                self._add_columns({name: column}, steps[there])

    def _add_columns(self, columns: Mapping[str, Floats], steps: NDArray[np.int64]) -> None:
        order = np.argsort(steps, kind="stable")
        parts = np.maximum(steps[order] - self.first_step, 0) // self._width
        used, starts = np.unique(parts, return_index=True)
        for name, column in columns.items():
            if name != "step":
                self._note_ends(name, column, steps)
                self._kept.setdefault(name, _Sums()).add(used, starts, column[order], steps[order])

    def _note_ends(self, name: str, column: Floats, steps: NDArray[np.int64]) -> None:
        self.first.setdefault(name, float(column[0]))
        if int(steps[-1]) >= self._last_of.get(name, 0):
            self._last_of[name], self.last[name] = int(steps[-1]), float(column[-1])

    def _halve(self) -> None:
        """Two parts become one."""
        self._width *= 2
        half = MOST_PARTS // 2
        for kept in self._kept.values():
            for name, merge, empty in _MERGED:
                array = getattr(kept, name)
                array[:half] = merge(array[0::2], array[1::2])
                array[half:] = empty


_MERGED = (("count", np.add, 0), ("broken", np.add, 0), ("sum", np.add, 0.0), ("steps", np.add, 0.0),
           ("low", np.minimum, np.inf), ("high", np.maximum, -np.inf))  # fmt: skip


def read_curves(path: str | Path) -> Curves:
    """The curves of a metrics.jsonl, read once. Raises `BadInput` as `iter_jsonl` does."""
    curves = Curves()
    curves.add(iter_jsonl(path))
    return curves
