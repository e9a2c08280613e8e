"""Codes and their index, read a block of samples at a time: entries checked against their neighbours, codes against the
codebook, before anything is narrowed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.corpus.import_rows import Fault
from vaak.corpus.import_source import ArrayFile, read_values

# Entries that are looked at while the next usable one is searched.
_AHEAD = 4096


@dataclass
class Block:
    """n rows: which of them have usable codes, counted from the first, how many each, and these codes end to end.

    `faults` says what is wrong with the others.
    """

    n: int
    kept: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    lengths: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    codes: NDArray[np.uint16] = field(default_factory=lambda: np.empty(0, np.uint16))
    faults: dict[int, Fault] = field(default_factory=dict)

    def drop(self, rows: Collection[int]) -> None:
        """Take away rows that something else is wrong with."""
        if rows and len(self.kept):
            stays = ~np.isin(self.kept, np.fromiter(rows, np.int64))
            self.codes = self.codes[np.repeat(stays, self.lengths)]
            self.kept, self.lengths = self.kept[stays], self.lengths[stays]


class CodesReader:
    """The samples of one codes file. Use it as a context, `begin` at a row, then `load` block after block.

    An entry is usable if 0 <= start < end <= codes. Of two neighbours that overlap nobody can say which is wrong: both
    are set aside, and so is whatever starts before the end of what was kept. `limit` is the size of the codebook,
    `longest` the most codes that a sample may have.
    """

    def __init__(self, codes: ArrayFile, index: ArrayFile, limit: int, longest: int) -> None:
        self._codes, self._index, self._limit, self._longest = codes, index, limit, longest
        self._codes_file: Any = open(codes.path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        self._index_file: Any = open(index.path, "rb")  # noqa: SIM115 - closed by __exit__
        # Codes of a block as they are in the file: memory that is new for every block costs more than reading it.
        self._room: NDArray = np.empty(0, codes.dtype)
        # Ends of the last usable entry and of everything kept so far.
        self._last_end = self._kept_end = 0

    def __enter__(self) -> CodesReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._codes_file.close()
        self._index_file.close()

    def begin(self, row: int) -> None:
        """Be where a reader is that has read the rows before this one."""
        for first in range(0, row, 1 << 20):
            self._usable(first, min(first + (1 << 20), row))

    def load(self, first: int, n: int, codes: int) -> Block:
        """The block that begins at row `first`: at most n rows and about so many codes, at least one row."""
        starts, ends = self._entries(first, first + n)
        lengths = np.clip(ends - starts, 0, self._longest)
        if len(lengths):
            n = min(n, max(1, int(np.searchsorted(np.cumsum(lengths), codes, side="right"))))
        block = Block(n)
        starts, ends, usable = self._usable(first, first + n, block.faults)
        for i in range(len(starts), n):
            block.faults[i] = Fault("no index entry", f"{self._index.path.name} ends before entry {first + i}")
        kept = np.flatnonzero(usable)
        lengths = (ends - starts)[kept]
        values = self._runs(starts[kept], ends[kept])
        strange = self._out_of_range(values)
        if strange is not None:
            begins = np.cumsum(lengths) - lengths
            bad = np.add.reduceat(strange.astype(np.int64), begins) > 0
            for i, begin, length in zip(kept[bad].tolist(), begins[bad], lengths[bad], strict=True):
                own = values[begin : begin + length]
                detail = f"its codes are {own.min()}..{own.max()}; the codebook has 0..{self._limit - 1}"
                block.faults[i] = Fault("code out of range", detail)
            values = values[np.repeat(~bad, lengths)]
            kept, lengths = kept[~bad], lengths[~bad]
        block.kept, block.lengths, block.codes = kept, lengths, values.astype(np.uint16)
        return block

    def _out_of_range(self, values: NDArray) -> NDArray[np.bool_] | None:
        """Which codes are outside the codebook; None if none is. The range is checked before the cast, which wraps."""
        if len(values) == 0 or (int(values.min()) >= 0 and int(values.max()) < self._limit):
            return None
        return (values < 0) | (values >= self._limit)

    def _runs(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray:
        """Codes of ascending samples, read as few long runs; they stay until the next block is read."""
        total = int((ends - starts).sum())
        if len(self._room) < total:
            self._room = np.empty(total, self._codes.dtype)
        if total == 0:
            return self._room[:0]
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        firsts = starts[np.concatenate([[0], breaks])].tolist()
        lasts = ends[np.concatenate([breaks - 1, [len(ends) - 1]])].tolist()
        read = 0
        for first, last in zip(firsts, lasts, strict=True):
            read += len(read_values(self._codes, self._codes_file, first, last, self._room[read:]))
        return self._room[:total]

    def _entries(self, first: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts and ends of entries first..stop, fewer where the index ends."""
        stop = min(stop, self._index.n)
        if first >= stop:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if self._index.width == 2:
            pairs = read_values(self._index, self._index_file, first, stop).astype(np.int64)
            return pairs[:, 0], pairs[:, 1]
        starts = read_values(self._index, self._index_file, first, min(stop + 1, self._index.n)).astype(np.int64)
        ends = np.append(starts[1:], self._codes.n)[: stop - first]
        return starts[: stop - first], ends

    def _usable(
        self, first: int, stop: int, faults: dict[int, Fault] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        starts, ends = self._entries(first, stop)
        inside = (starts >= 0) & (starts < ends) & (ends <= self._codes.n)
        usable = inside & ~self._overlapping(starts, ends, inside, stop)
        short = ends - starts <= self._longest
        if faults is not None:
            for i in np.flatnonzero(~(usable & short)).tolist():
                faults.setdefault(i, self._fault(int(starts[i]), int(ends[i]), bool(inside[i]), bool(usable[i])))
        usable &= short
        return starts, ends, usable

    def _fault(self, start: int, end: int, inside: bool, apart: bool) -> Fault:
        where = f"its index entry is {start}..{end}"
        if start == end:
            return Fault("empty", f"{where}: it has no code")
        if not inside:
            return Fault("index out of range", f"{where}, {self._codes.path.name} has {self._codes.n} codes")
        if apart:
            return Fault("too long", f"{where}: more than the {self._longest} codes of a shard")
        return Fault("overlapping index", f"{where}, which overlaps a neighbour's or is out of order")

    def _overlapping(
        self, starts: NDArray[np.int64], ends: NDArray[np.int64], inside: NDArray[np.bool_], stop: int
    ) -> NDArray[np.bool_]:
        overlapping = np.zeros(len(starts), bool)
        which = np.flatnonzero(inside)
        if len(which) == 0:
            return overlapping
        before = np.concatenate([[self._last_end], ends[which][:-1]])
        after = np.append(starts[which][1:], self._next_start(stop))
        clash = (starts[which] < before) | (ends[which] > after)
        apart = np.where(clash, 0, ends[which])
        # One longer than the entries: what stands before each of them, and what the next block begins with.
        kept_end = np.maximum.accumulate(np.concatenate([[self._kept_end], apart]))
        overlapping[which] = clash | (starts[which] < kept_end[:-1])
        self._kept_end, self._last_end = int(kept_end[-1]), int(ends[which][-1])
        return overlapping

    def _next_start(self, row: int) -> int:
        """Where the next usable entry at or after a row starts; the end of the codes if there is none."""
        while row < self._index.n:
            starts, ends = self._entries(row, row + _AHEAD)
            inside = np.flatnonzero((starts >= 0) & (starts < ends) & (ends <= self._codes.n))
            if len(inside):
                return int(starts[inside[0]])
            row += len(starts)
        return self._codes.n
