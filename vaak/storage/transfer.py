"""Files of a frozen folder to objects and back: several at once, continued where they stopped, counted once hashed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from vaak.errors import BadInput
from vaak.storage.files import sha256_file, sync_folder
from vaak.storage.objects import (
    ATTEMPTS,
    ObjectMissing,
    Objects,
    ObjectState,
    hash_of,
    read_ranges,
    upload_file,
)

# Files on the way at once; each holds up to five parts of 8 MiB in memory.
JOBS = 4

# Where files grow until they are whole; no file of a frozen folder may be in it.
PARTS = ".parts"

Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class FileEntry:
    """A file of a frozen folder as its manifest has it: path with forward slashes, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Moved:
    """What a transfer did: files and bytes that travelled, files that were there already, files that came damaged."""

    files: int
    bytes: int
    there: int
    damaged: tuple[str, ...] = ()


class Stopped(Exception):
    """Another worker failed or the user interrupted: the work ends between two parts."""


def file_entries(rows: Any, where: str) -> list[FileEntry]:
    """The entries of a manifest's `files`.

    Raises `BadInput` for what cannot be: a path that is no text or leaves the folder, one named twice, or one that is a
    folder of another; a size or hash that is none.
    """
    entries = []
    listed: list[Any] = rows if isinstance(rows, list) else [None]
    for number, row in enumerate(listed):
        try:
            entry = FileEntry(row["path"], row["size"], row["sha256"])
            right = (
                type(entry.path) is str
                and _stays_inside(entry.path)
                and type(entry.size) is int
                and entry.size >= 0
                and len(bytes.fromhex(entry.sha256)) == 32
                and entry.sha256 == entry.sha256.lower()
            )
        except (TypeError, KeyError, ValueError):
            right, entry = False, None
        if not right or entry is None:
            raise BadInput(f"{where} names file {number} in a way that cannot be; restore it")
        entries.append(entry)
    paths = {entry.path for entry in entries}
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if len(paths) != len(entries) or paths & folders:
        raise BadInput(f"{where} names a file twice; restore it")
    return entries


def _stays_inside(path: str) -> bool:
    path.encode()  # half a character, as JSON may hold, is a `ValueError` here and no name on any disk
    parts = path.split("/")
    return "\0" not in path and parts[0] != PARTS and not {"", ".", ".."} & set(parts)


def upload_files(
    objects: Objects,
    folder: Path,
    entries: Sequence[FileEntry],
    there: dict[str, ObjectState],
    progress: Progress | None = None,
    jobs: int = JOBS,
) -> Moved:
    """Upload the files that are not there yet, each checked against its hash while it leaves.

    `there` is a listing. An object counts as there if its size is right and the hash recorded with it is the file's.
    Raises `BadInput` naming a file that is missing or damaged here, and what `upload_file` raises.
    """
    tally = _Tally(sum(entry.size for entry in entries), progress)

    def one(entry: FileEntry) -> bool:
        same_size = entry.path in there and there[entry.path].size == entry.size
        if same_size and hash_of(objects, entry.path) == entry.sha256:
            tally.add(entry.size)
            return False
        upload_file(objects, entry.path, folder / entry.path, entry.size, entry.sha256, tally.add)
        return True

    return _moved(entries, _each(one, entries, jobs, tally))


def download_files(
    objects: Objects,
    folder: Path,
    entries: Sequence[FileEntry],
    there: dict[str, ObjectState],
    progress: Progress | None = None,
    jobs: int = JOBS,
) -> Moved:
    """Download the files that are not whole yet. A file has its name once its bytes have its hash and are on disk.

    Until then it grows in `.parts`, where an interrupted transfer continues it. What is in place already is hashed
    again. A file that came damaged is fetched anew, three times at most. Raises `BadInput` naming files that are
    missing at the other end, stay damaged, or change underway, and when the disk is full.
    """
    parts = folder / PARTS
    for entry in entries:
        if entry.path not in there:
            raise ObjectMissing(f"{objects.at(entry.path)} does not exist, but the manifest names it; push it again")
        if there[entry.path].size != entry.size:
            raise BadInput(
                f"{objects.at(entry.path)} has {there[entry.path].size} bytes instead of {entry.size}; push it again"
            )
    _check_room(folder, entries)
    tally = _Tally(sum(entry.size for entry in entries), progress)
    damaged: list[str] = []

    def one(entry: FileEntry) -> bool:
        target = folder / entry.path
        if target.is_file() and target.stat().st_size == entry.size and sha256_file(target) == entry.sha256:
            tally.add(entry.size)
            return False
        state = there[entry.path]
        partial = parts / _partial_name(entry, state)
        for _ in range(ATTEMPTS):
            with open(partial, "a+b") as file:
                if fetch_into(file, objects, entry, state, tally.add):
                    os.fsync(file.fileno())
                    break
            damaged.append(entry.path)
        else:
            raise BadInput(f"{objects.at(entry.path)} came damaged {ATTEMPTS} times; verify its source, push it again")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, target)
        sync_folder(target.parent)
        return True

    try:
        parts.mkdir(parents=True, exist_ok=True)
        _drop_old_parts(parts, {_partial_name(entry, there[entry.path]) for entry in entries})
        done = _each(one, entries, jobs, tally)
        shutil.rmtree(parts)
    except OSError as error:
        raise unwritable(error, folder) from error
    return _moved(entries, done, tuple(sorted(set(damaged))))


def fetch_into(
    file: BinaryIO,
    objects: Objects,
    entry: FileEntry,
    state: ObjectState,
    on_bytes: Callable[[int], None] = lambda n: None,
) -> bool:
    """Continue a file that is open for reading and appending to its end; whether its bytes have the entry's hash.

    What is in it already is hashed, not fetched. If the hash is another the file is emptied. `on_bytes(n)` is called
    with what was added to the whole, negative when it is emptied.
    """
    digest = hashlib.sha256()
    file.seek(0)
    have = 0
    while have <= entry.size and (block := file.read(1 << 20)):
        digest.update(block)
        have += len(block)
    on_bytes(have)
    if have <= entry.size:
        for part in read_ranges(objects, entry.path, have, state):
            file.write(part)
            digest.update(part)
            have += len(part)
            on_bytes(len(part))
    if have == entry.size and digest.hexdigest() == entry.sha256:
        file.flush()
        return True
    file.truncate(0)
    file.seek(0)
    on_bytes(-have)
    return False


def unwritable(error: OSError, folder: Path) -> BadInput:
    """What to say when a disk takes no more, or takes nothing at all."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BadInput(f"the disk of {folder} is full; make room, then run it again and it continues")
    return BadInput(f"{error.filename or folder} cannot be written ({error.strerror}); correct it, then run it again")


def _partial_name(entry: FileEntry, state: ObjectState) -> str:
    # The change token is part of the name: what was fetched of another object is never continued.
    return hashlib.sha256(f"{entry.path}\0{entry.sha256}\0{state.etag}".encode()).hexdigest()[:32]


def _drop_old_parts(parts: Path, wanted: set[str]) -> None:
    for partial in parts.iterdir():
        if partial.name not in wanted:
            partial.unlink()


def _check_room(folder: Path, entries: Iterable[FileEntry]) -> None:
    need = sum(entry.size for entry in entries if not (folder / entry.path).is_file())
    if (folder / PARTS).is_dir():
        need -= sum(partial.stat().st_size for partial in (folder / PARTS).iterdir())
    free = shutil.disk_usage(folder).free
    if need > free:
        raise BadInput(
            f"{folder} needs {need / 1e9:.3f} GB more and its disk has {free / 1e9:.3f} GB free; make room, then run it "
            "again"
        )


class _Tally:
    """Bytes done by all workers, told to the progress bar in megabytes (10^6 bytes); stops them all."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.stop = threading.Event()
        self._total, self._progress, self._done = total, progress, 0
        self._lock = threading.Lock()

    def add(self, n: int) -> None:
        if self.stop.is_set() and n > 0:
            raise Stopped
        with self._lock:
            self._done += n
            if self._progress is not None:
                self._progress(self._done / 1e6, self._total / 1e6, "MB")


def _each(one: Callable[[FileEntry], bool], entries: Sequence[FileEntry], jobs: int, tally: _Tally) -> list[bool]:
    """The result of `one` for each entry, several at a time; the first failure stops the others."""
    with ThreadPoolExecutor(jobs, thread_name_prefix="transfer") as pool:
        futures = [pool.submit(one, entry) for entry in entries]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failures = [error for future in done if (error := future.exception()) is not None]
            if failures:
                raise next((error for error in failures if not isinstance(error, Stopped)), failures[0])
            return [future.result() for future in futures]
        finally:
            tally.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _moved(entries: Sequence[FileEntry], done: list[bool], damaged: tuple[str, ...] = ()) -> Moved:
    travelled = [entry.size for entry, moved in zip(entries, done, strict=True) if moved]
    return Moved(len(travelled), sum(travelled), len(entries) - len(travelled), damaged)
