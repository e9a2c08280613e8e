"""Is what was checked still what it was? Told from the files' stamps, so that asking before every step costs no reading."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.files import read_json, write_json


class Stamps:
    """Sizes and times of folders as they were when they last proved whole, kept at `path`.

    A file cannot be written, replaced or given another time without the system setting its change time to now, so equal stamps
    mean that nobody touched it. What they cannot see is a disk that loses bits by itself: for that there are hashes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, list[int]]] = {}
        if path.exists():
            with suppress(BadInput):  # it only saves work: without it everything is hashed again
                known = read_json(path)
                self._known = known if isinstance(known, dict) else {}

    def problems(self, folder: Path, verify: Callable[[], list[str]]) -> list[str]:
        """What `verify` finds wrong with a folder, called only if a file in it is not as it was when it last found nothing."""
        name, now = str(folder.resolve()), stamps_of(folder)
        if now and self._known.get(name) == now:
            return []
        found = verify()
        if found:
            self._known.pop(name, None)
        else:
            self._known[name] = now
        write_json(self.path, self._known)
        return found

    def proved(self, folder: Path) -> None:
        """Note that a folder has just proved whole."""
        self.problems(folder, lambda: [])


def stamps_of(folder: Path) -> dict[str, list[int]]:
    """`[size, modified, changed, inode]` of every file below a folder, times in nanoseconds since 1970.

    Folders that are links are followed, each place once: shards may lie on another disk.
    """
    found: dict[str, list[int]] = {}
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        if (place := os.path.realpath(root)) in seen:
            folders.clear()
            continue
        seen.add(place)
        for name in names:
            path = Path(root, name)
            try:
                status = path.stat()
            except OSError:
                found[str(path.relative_to(folder))] = []
                continue
            found[str(path.relative_to(folder))] = [
                status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino,
            ]  # fmt: skip
    return found
