"""A folder of whole shards named by their hash, bounded in bytes, shared by the processes of a node.

    LOCK                          held for the moment in which room is made
    shards/<sha256>               a whole shard; who uses it holds a shared lock on it
    partial/<sha256>-<token>-<n>  a shard of n bytes that is being fetched; who fetches it holds its lock

Everything that must be known is in these names, sizes and locks, and locks die with their process: a process that is
killed leaves nothing behind but bytes that the next one goes on with or evicts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vaak.storage.locks import lock_file, unlock
from vaak.storage.transfer import FileEntry


@dataclass(frozen=True)
class Cache:
    """`folder` holds at most `limit` bytes of shards, whole and growing ones together."""

    folder: Path
    limit: int


@dataclass(frozen=True)
class Room:
    """What `make_room` found. `handle` is the locked partial file, or None: `busy` if somebody else fetches the shard,
    else there was no room. `evicted` shards went for it."""

    partial: Path
    handle: int | None
    busy: bool = False
    evicted: int = 0


def open_cache(folder: Path, limit: int) -> Cache:
    """The cache in a folder, made if it is not there."""
    for name in ("shards", "partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Cache(folder, limit)


def shard_path(cache: Cache, sha256: str) -> Path:
    """Where a shard is if it is in the cache."""
    return cache.folder / "shards" / sha256


def hold(cache: Cache, sha256: str) -> int | None:
    """Keep a shard from being evicted by anybody; None if it is not in the cache. `release` gives it back."""
    return lock_file(shard_path(cache, sha256), exclusive=False, wait=True)


def release(handle: int) -> None:
    """End a `hold`; the shard is the one used last now."""
    os.utime(handle)
    unlock(handle)


def make_room(cache: Cache, entry: FileEntry, etag: str | None, wanted: Sequence[str], ahead: bool) -> Room:
    """Room for one shard, reserved in the form of its partial file, which is continued if it is there already.

    `wanted` are the hashes that this process will need, soonest first. What nobody here wants is evicted first, the one
    longest unused before all; then what is wanted last. Work `ahead` of need evicts nothing that is wanted sooner. A
    shard that any process uses stays.
    """
    token = hashlib.sha256(str(etag).encode()).hexdigest()[:16]
    partial = cache.folder / "partial" / f"{entry.sha256}-{token}-{entry.size}"
    with _locked(cache):
        if shard_path(cache, entry.sha256).exists():
            return Room(partial, None, busy=True)  # done at this moment: there is nothing to wait for
        if partial.exists():
            handle = lock_file(partial, exclusive=True, wait=False)
            return Room(partial, handle, busy=handle is None)
        evicted = _evict(cache, entry, wanted, ahead)
        if evicted is None:
            return Room(partial, None)
        return Room(partial, lock_file(partial, exclusive=True, wait=False, create=True), evicted=evicted)


def wait_for(room: Room) -> None:
    """Wait until whoever fetches a shard is done with it, or dead."""
    handle = lock_file(room.partial, exclusive=True, wait=True)
    if handle is not None:
        unlock(handle)


def complete(cache: Cache, entry: FileEntry, partial: Path) -> None:
    """A partial file whose bytes were checked becomes a shard; its lock goes with it.

    Nothing is synced: every process hashes a shard that it did not fetch itself, so one that a power cut tore is found.
    """
    with _locked(cache):
        os.replace(partial, shard_path(cache, entry.sha256))


def drop(cache: Cache, sha256: str, inode: int) -> None:
    """Remove a shard that is damaged, unless another process has put a new one in its place. Who has it open keeps it."""
    with _locked(cache), suppress(FileNotFoundError):
        if shard_path(cache, sha256).stat().st_ino == inode:
            shard_path(cache, sha256).unlink()


def bytes_held(cache: Cache) -> int:
    """Bytes of whole shards and bytes reserved for growing ones."""
    with _locked(cache):
        return _held(cache)


@contextmanager
def _locked(cache: Cache) -> Iterator[None]:
    handle = lock_file(cache.folder / "LOCK", exclusive=True, wait=True, create=True)
    assert handle is not None
    try:
        yield
    finally:
        unlock(handle)


def _held(cache: Cache) -> int:
    partial = sum(int(one.name.rsplit("-", 1)[1]) for one in os.scandir(cache.folder / "partial"))
    return partial + sum(one.stat().st_size for one in os.scandir(cache.folder / "shards"))


def _evict(cache: Cache, entry: FileEntry, wanted: Sequence[str], ahead: bool) -> int | None:
    """Evict until the entry fits; the number of files that went, or None (and none of them) if it cannot fit."""
    lacking = _held(cache) + entry.size - cache.limit
    chosen: list[tuple[Path, int]] = []
    try:
        for path, size in _candidates(cache, entry.sha256, wanted, ahead):
            if lacking <= 0:
                break
            handle = lock_file(path, exclusive=True, wait=False)
            if handle is not None:
                chosen.append((path, handle))
                lacking -= size
        if lacking > 0:
            return None
        for path, _ in chosen:
            path.unlink()
        return sum(path.parent.name == "shards" for path, _ in chosen)
    finally:
        for _, handle in chosen:
            unlock(handle)


def _candidates(cache: Cache, sha256: str, wanted: Sequence[str], ahead: bool) -> Iterator[tuple[Path, int]]:
    place = {one: number for number, one in reversed(list(enumerate(wanted)))}
    files = [(Path(one.path), one.name[:64], one.stat(), one.name) for one in os.scandir(cache.folder / "shards")]
    files += [(Path(one.path), one.name[:64], one.stat(), one.name) for one in os.scandir(cache.folder / "partial")]
    sooner = place.get(sha256, len(place)) if ahead else -1
    # Of the shard itself only what was begun of an older object can be here.
    files = [one for one in files if one[1] == sha256 or place.get(one[1], len(wanted)) > sooner]
    # Not wanted: the oldest first. Wanted: the last first.
    files.sort(key=lambda one: (one[1] in place, -place.get(one[1], 0), one[2].st_mtime_ns))
    for path, _, stat, name in files:
        yield path, int(name.rsplit("-", 1)[1]) if "-" in name else stat.st_size
