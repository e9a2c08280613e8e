"""A file or object that is being read: from front to back in blocks, or from any place."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa

from vaak.errors import BadInput
from vaak.storage.object_file import ObjectFile
from vaak.storage.objects import Objects, ObjectState, read_ranges

_BLOCK_BYTES = 1 << 20

# First bytes of what is compressed; the name does not decide, for downloads are renamed and unpacked on the way.
_CODECS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SKIPPABLE_FRAMES = tuple(bytes((0x50 + i, 0x2A, 0x4D, 0x18)) for i in range(16))  # of zstd, RFC 8878, 3.1.2
_UNKNOWN = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4", b"7z\xbc\xaf": "7z"}


@dataclass(frozen=True)
class Where:
    """What rows are called after: `name` stands in ids and is the same on every machine, `path` is the whole path or
    address, `split` that of a data set of the Hub."""

    name: str
    path: str
    split: str | None = None


@dataclass
class InputFile:
    """One input: a local file, or an object where `objects` is given. `consumed` bytes of `size` have been read."""

    where: Where
    size: int
    objects: Objects | None = None
    object_path: str = ""
    state: ObjectState | None = None
    consumed: int = 0

    def blocks(self) -> Iterator[bytes]:
        """What the file says, unpacked if it is gzip or zstd (by its first bytes, all members and frames of it).

        Raises `OSError` where the packed bytes end early or are damaged, `BadInput` for another compression.
        """
        raw = self._raw_blocks()
        first = next(raw, b"")
        codec = next((name for magic, name in _CODECS.items() if first.startswith(magic)), None)
        if first.startswith(_SKIPPABLE_FRAMES):
            codec = "zstd"
        unknown = next((name for magic, name in _UNKNOWN.items() if first.startswith(magic)), None)
        if unknown is not None:
            raise BadInput(f"{self.where.path} is packed with {unknown}; pack it with gzip or zstd, or unpack it")
        if codec is None:
            yield first
            yield from raw
            return
        packed = pa.PythonFile(cast(BinaryIO, _Joined(first, raw)), mode="r")
        with pa.CompressedInputStream(packed, codec) as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block

    def seekable(self) -> BinaryIO:
        """The file as it lies there, to be read from any place."""
        if self.objects is not None and self.state is not None:
            return cast(BinaryIO, ObjectFile(self.objects, self.object_path, self.state))
        return open(self.where.path, "rb")

    def _raw_blocks(self) -> Iterator[bytes]:
        if self.objects is not None and self.state is not None:
            for part in read_ranges(self.objects, self.object_path, 0, self.state):
                self.consumed += len(part)
                yield bytes(part)
            return
        with open(self.where.path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                self.consumed += len(block)
                yield block


class _Joined(io.RawIOBase):
    """Blocks as a file to read from."""

    def __init__(self, first: bytes, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._block, self._place, self._blocks = first, 0, blocks

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if self._place >= len(self._block):
            self._block, self._place = next(self._blocks, b""), 0
        start, self._place = self._place, len(self._block) if size is None or size < 0 else self._place + size
        return self._block[start : self._place]
