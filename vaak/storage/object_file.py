"""An object as a file that can be read from any place, for formats that are not read from front to back."""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Any

from vaak.storage.objects import Objects, ObjectState, read_range

# A request asks for one aligned window. As many are kept as columns of a parquet file are read side by side.
WINDOW_BYTES, WINDOWS = 8 << 20, 4


class ObjectFile(io.RawIOBase):
    """A readable, seekable view of an object of known state: at most `WINDOWS` windows of it are in memory.

    Raises what `read_range` raises: `ObjectChanged`, `ObjectMissing`, `StorageFailed`.
    """

    def __init__(self, objects: Objects, path: str, state: ObjectState) -> None:
        super().__init__()
        self._objects, self._path, self._state = objects, path, state
        self._place = 0
        self._windows: OrderedDict[int, memoryview] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._state.size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._state.size - self._place, 0)
        size = left if size is None or size < 0 else min(size, left)
        parts = []
        while size:
            number, offset = divmod(self._place, WINDOW_BYTES)
            part = self._window(number)[offset : offset + size]
            parts.append(part)
            self._place += len(part)
            size -= len(part)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read()

    def _window(self, number: int) -> memoryview:
        window = self._windows.get(number)
        if window is None:
            first = number * WINDOW_BYTES
            window = read_range(
                self._objects, self._path, first, min(first + WINDOW_BYTES, self._state.size), self._state
            )
            self._windows[number] = window
            if len(self._windows) > WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(number)
        return window
