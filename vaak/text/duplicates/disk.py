"""Arrays in files for what does not fit into memory: columns that grow, and records sorted into files by a number."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class Column:
    """A file of rows of `width` numbers of one dtype, appended to and mapped for reading."""

    path: Path
    dtype: np.dtype
    width: int = 1

    def append(self, rows: NDArray[Any]) -> None:
        with open(self.path, "ab") as file:
            np.ascontiguousarray(rows, self.dtype).tofile(file)

    def __len__(self) -> int:
        return self.path.stat().st_size // (self.dtype.itemsize * self.width) if self.path.exists() else 0

    def open(self) -> NDArray[Any]:
        """All rows, mapped read-only: [n], or [n, width]."""
        shape = (len(self),) if self.width == 1 else (len(self), self.width)
        return np.memmap(self.path, self.dtype, "r", shape=shape) if len(self) else np.empty(shape, self.dtype)


@dataclass(frozen=True)
class Partitions:
    """Records of one dtype in `count` files, each small enough to be sorted in memory."""

    folder: Path
    dtype: np.dtype
    count: int

    def add(self, records: NDArray[Any], part: NDArray[np.integer[Any]]) -> None:
        """Append each record to the file that `part` (below `count`, one for each record) says."""
        order = np.argsort(part, kind="stable")
        records = records[order]
        bounds = np.searchsorted(part[order], np.arange(self.count + 1))
        self.folder.mkdir(parents=True, exist_ok=True)
        for one in np.flatnonzero(np.diff(bounds)).tolist():
            # Opened each time: there may be more of them than a process may hold open.
            with open(self._path(one), "ab") as file:
                records[bounds[one] : bounds[one + 1]].tofile(file)

    def take(self) -> Iterator[NDArray[Any]]:
        """The records of each file in turn, which is removed then."""
        for one in range(self.count):
            if self._path(one).exists():
                yield np.fromfile(self._path(one), self.dtype)
                self._path(one).unlink()

    def _path(self, one: int) -> Path:
        return self.folder / f"{one:05}.bin"


def partition_bits(records: int, most: int) -> int:
    """The number of bits such that 2^bits files hold at most about `most` of `records` each."""
    return max(0, -(-records // most) - 1).bit_length()


def array_file(path: Path, dtype: DTypeLike, n: int) -> NDArray[Any]:
    """A new `.npy` file of n zeros, mapped for reading and writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if n == 0:  # an empty file cannot be mapped
        np.save(path, np.empty(0, dtype))
        return np.empty(0, dtype)
    return open_memmap(path, "w+", dtype, (n,))


def release(*arrays: NDArray[Any]) -> None:
    """Let go of the pages of mapped arrays that were read or written: the system keeps them as cache or not, as it likes.

    Without it the memory of the process would seem to grow to the size of the files.
    """
    for array in arrays:
        if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            array.base.madvise(mmap.MADV_DONTNEED)


def blocks(n: int, size: int) -> Iterator[slice]:
    """0..n-1 in runs of `size`."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
