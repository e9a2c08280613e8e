"""A .npy file whose length is not known when it is begun, and one that is mapped and checked."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vaak.errors import BadInput


class GrowingArray:
    """A 1-D .npy file that values are appended to; `close` sets the length in its header.

    It begins after the first `n` values of a file that is there already, and what stood behind them is gone. Raises
    `BadInput` if the file has fewer. The closed file is byte for byte what numpy.save writes.
    """

    def __init__(self, path: Path, dtype: np.dtype, n: int = 0) -> None:
        self.path, self.dtype, self.n = path, np.dtype(dtype), n
        self._file = cut_open(path, len(self._header(0)) + n * self.dtype.itemsize if n else 0)
        if n == 0:
            self._file.write(self._header(0))

    def append(self, values: NDArray) -> None:
        """More values, of the array's own dtype."""
        if values.dtype != self.dtype:
            raise TypeError(f"{self.path} holds {self.dtype}, not {values.dtype}")
        self._file.write(np.ascontiguousarray(values).data)
        self.n += len(values)

    def sync(self) -> None:
        """Bring everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Set the length and close the file."""
        # numpy leaves room in the header for the length to grow, so the final one fits over the first.
        self._file.seek(0)
        self._file.write(self._header(self.n))
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is. On a full disk what is still in a buffer is lost; nothing counts on it."""
        with suppress(OSError):
            self._file.close()

    def _header(self, n: int) -> bytes:
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (n,)}
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()


def cut_open(path: Path, size: int) -> BinaryIO:
    """A file open for writing at `size`, its end; what stood behind that is gone."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if os.fstat(handle).st_size < size:
        os.close(handle)
        raise BadInput(f"{path} has lost its end, perhaps in a power cut; delete what is unfinished and begin again")
    os.ftruncate(handle, size)
    file = os.fdopen(handle, "wb", buffering=1 << 20)
    file.seek(size)
    return file


def mapped(path: Path, dtype: np.dtype, n: int) -> np.ndarray:
    """A memory map of an array file of n values. Raises `BadInput` for a file that is no such array."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as a numpy array ({error}); restore it") from error
    if values.shape != (n,) or values.dtype != dtype:
        raise BadInput(f"{path} holds {values.dtype}{values.shape}, the manifest says {dtype}({n},); restore it")
    # A plain view of the map slices several times faster than numpy's memmap class.
    return values.view(np.ndarray)
