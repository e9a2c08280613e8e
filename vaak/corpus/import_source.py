"""The arrays that a corpus is imported from: what each file is, read in pieces, and whether it stayed the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.errors import BadInput

# The first bytes of a .npy file. Read as int32 they are 1,297,436,307, which is no code of any codebook, so that a raw
# array of codes is never taken for one with a header.
_MAGIC = b"\x93NUMPY"

# How much of a file its fingerprint reads: so many pieces of so many bytes, evenly spread, the ends among them.
_PIECES, _PIECE_BYTES = 64, 4096

# Splits that training never sees, whatever else is held out.
HELD_OUT = ("dev", "test", "val")


@dataclass(frozen=True)
class ArrayFile:
    """A one- or two-dimensional array of integers in a file, read by `read_values` and never mapped.

    `n` counts rows, `width` values per row (1 for a flat array), `offset` bytes stand before the first. `form` says in
    words what was found. `left_over` bytes at the end are no whole row: the file was cut.
    """

    path: Path
    dtype: np.dtype
    n: int
    width: int
    offset: int
    form: str
    left_over: int = 0


def open_array(path: Path, raw_dtype: str | None, widths: Iterable[int] = (1,)) -> ArrayFile:
    """What array a file holds: one with a .npy header if it begins with that header's mark, else raw `raw_dtype`.

    With `raw_dtype` None only a header will do. Raises `BadInput` for a file that is missing, holds no integers, or is
    of another shape.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC:
                file.seek(0)
                return _with_header(path, file, size, tuple(widths))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check that the source is complete") from error
    if raw_dtype is None:
        raise BadInput(f"{path} has no .npy header; write it with numpy.save")
    dtype = np.dtype(raw_dtype)
    return ArrayFile(path, dtype, size // dtype.itemsize, 1, 0, f"raw {dtype.name}", size % dtype.itemsize)


def open_index(path: Path, samples: int, codes: int) -> ArrayFile:
    """The index of a codes file: where each sample starts, `[n]`, or starts and ends, `[n, 2]`.

    The trainer saves it with a header. Without one, its form is the only one in which its size is that of `samples`
    entries and the first of them stand in the order of `codes` codes. Raises `BadInput` if that does not decide it.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(len(_MAGIC))
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check that the source is complete") from error
    if raw == _MAGIC:
        return open_array(path, None, (1, 2))
    fitting = []
    for name, width in (("int64", 2), ("int64", 1), ("int32", 2), ("int32", 1)):
        dtype = np.dtype(name)
        if size == samples * width * dtype.itemsize:
            array = ArrayFile(path, dtype, samples, width, 0, f"raw {name}")
            with open(path, "rb") as file:
                entries = read_values(array, file, 0, min(samples, 4096)).reshape(-1).astype(np.int64)
            # Neighbours may touch at the end of one and the start of the next, but a sample has at least one code.
            steps = np.diff(entries)
            ordered = (steps[::width] > 0).all() and (steps >= 0).all()
            if samples and entries[0] >= 0 and entries[-1] <= codes and ordered:
                fitting.append(array)
    if len(fitting) != 1:
        raise BadInput(
            f"{path} has no .npy header, and what it is cannot be told from its size; write it with numpy.save"
        )
    return fitting[0]


def _with_header(path: Path, file: Any, size: int, widths: tuple[int, ...]) -> ArrayFile:
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise BadInput(f"{path} has a .npy header that cannot be read ({error}); restore it") from error
    if dtype.kind not in "iu":
        raise BadInput(f"{path} holds {dtype}, not integers; write it as int32")
    width = 1 if len(shape) == 1 else shape[1] if len(shape) == 2 else 0
    if width not in widths or (fortran and width > 1):
        wanted = " or ".join("(n,)" if one == 1 else f"(n, {one})" for one in widths)
        raise BadInput(f"{path} has shape {shape}{' in Fortran order' if fortran else ''}; it must be {wanted}")
    row = dtype.itemsize * width
    held = size - file.tell()
    n = min(shape[0], held // row)
    left_over = held - n * row if n == shape[0] else (held % row or row)
    return ArrayFile(path, dtype, n, width, file.tell(), f"{dtype.name} with a .npy header", left_over)


def read_values(array: ArrayFile, file: Any, start: int, stop: int, into: NDArray | None = None) -> NDArray:
    """Rows start..stop of an array through its open file, in the file's own dtype: `[n]` or `[n, width]`.

    They come to stand at the beginning of `into`, if it is given, else in an array of their own.
    """
    row = array.dtype.itemsize * array.width
    values = (
        np.empty((stop - start) * array.width, array.dtype) if into is None else into[: (stop - start) * array.width]
    )
    try:
        file.seek(array.offset + start * row)
        read = file.readinto(values.data.cast("B") if len(values) else bytearray())
    except OSError as error:
        raise BadInput(f"{array.path} cannot be read ({error.strerror}); restore it and begin again") from error
    if read != (stop - start) * row:
        raise BadInput(f"{array.path} became shorter while it was read; restore it and begin again")
    return values if array.width == 1 else values.reshape(-1, array.width)


def fingerprint(path: Path) -> dict[str, Any]:
    """Size, time of change and the SHA-256 of pieces of a file: enough to see that it is still the same."""
    try:
        found = path.stat()
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            last = max(found.st_size - _PIECE_BYTES, 0)
            for i in range(_PIECES):
                digest.update(os.pread(file.fileno(), _PIECE_BYTES, last * i // (_PIECES - 1)))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check that the source is complete") from error
    return {"name": path.name, "size": found.st_size, "changed_ns": found.st_mtime_ns, "pieces": digest.hexdigest()}


def count_lines(path: Path) -> int:
    """Lines of a text file; the last one counts without its end too."""
    n, last = 0, b"\n"
    try:
        with open(path, "rb") as file:
            while piece := file.read(1 << 22):
                n += piece.count(b"\n")
                last = piece[-1:]
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check that the source is complete") from error
    return n + (last != b"\n")


def held_out_splits(named: Sequence[str], splits: Iterable[str], source: Path) -> set[str]:
    """`HELD_OUT` and the splits that a user names. Raises `BadInput` for a name that no file of the source has."""
    there = set(splits)
    strange = sorted(set(named) - there)
    if strange:
        raise BadInput(f"{source} has no split {strange[0]!r} to hold out; it has {', '.join(sorted(there))}")
    return {*HELD_OUT, *named}
