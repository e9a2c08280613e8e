"""Shards from object storage on a local disk before they are needed: fetched ahead in the announced order, checked
before their first use, and evicted when nobody uses them.

    with open_staging("cache", 200 << 30, source) as stage:
        stage.announce(next_paths)
        with stage.use(path) as local:
            tokens = np.load(local, mmap_mode="r", allow_pickle=False)

All processes of a node may share one cache folder: a shard is fetched once, and a shard in use by any of them stays.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.cache import (
    Cache,
    Room,
    complete,
    drop,
    hold,
    make_room,
    open_cache,
    release,
    shard_path,
    wait_for,
)
from vaak.storage.files import sha256_of
from vaak.storage.locks import share, unlock
from vaak.storage.objects import ATTEMPTS, ObjectChanged, Objects, ObjectState, state_of, with_attempts
from vaak.storage.transfer import FileEntry, Stopped, fetch_into, unwritable

# Shards fetched ahead at once; each holds up to five parts of 8 MiB in memory.
JOBS = 2

# How long a use waits for other processes to give back shards before it says that the cache is too small.
ROOM_SECONDS = 600.0

# A shard that could not be fetched ahead is tried again after this long; who needs it before then tries at once.
_RETRY_SECONDS = 5.0

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Source:
    """Where shards come from, and which there are: path to entry."""

    objects: Objects
    files: Mapping[str, FileEntry]


@dataclass(frozen=True)
class Counters:
    """What one `Staging` did so far.

    `hits` uses found their shard in the cache, `misses` did not; `seconds_waited` is how long consumers stood still in
    `use`, for whatever reason. `bytes_fetched` and `fetched` count what this process brought here, `evicted` the shards
    it removed, `damaged` those that came or lay damaged and were fetched anew.
    """

    hits: int = 0
    misses: int = 0
    seconds_waited: float = 0.0
    fetched: int = 0
    bytes_fetched: int = 0
    evicted: int = 0
    damaged: int = 0


def open_staging(
    cache_dir: str | Path,
    limit_bytes: int,
    source: Source,
    ahead_bytes: int | None = None,
    jobs: int = JOBS,
) -> Staging:
    """Stage the shards of `source` in `cache_dir`, which holds at most `limit_bytes`, with `jobs` shards on the way.

    `ahead_bytes` bounds what is fetched ahead (default: the limit). Processes that share a cache but need different
    shards at one time should share the limit among them, or they evict each other's next ones. Open it in the process
    that uses it: threads do not survive a fork.
    """
    try:
        cache = open_cache(Path(cache_dir), limit_bytes)
    except OSError as error:
        raise unwritable(error, Path(cache_dir)) from error
    return Staging(cache, source, limit_bytes if ahead_bytes is None else ahead_bytes, jobs)


class Staging:
    """Made by `open_staging`; `close` it or use it in a `with`. Its methods may be called from several threads."""

    def __init__(self, cache: Cache, source: Source, ahead_bytes: int, jobs: int) -> None:
        self._cache, self._source, self._ahead_bytes = cache, source, ahead_bytes
        self._process = os.getpid()
        self._changed = threading.Condition()
        # All below is guarded by the condition's lock.
        self._counters = Counters()
        self._announced: list[FileEntry] = []
        self._in_use: dict[int, int] = {}  # handle to bytes
        self._on_the_way: set[str] = set()  # hashes that a worker has in hand
        self._not_before: dict[str, float] = {}  # hash to the time when a worker looks at it again
        self._no_room_before = 0.0  # the time when workers look for room again
        self._checked: dict[str, int] = {}  # hash to the inode whose bytes this process knows to be right
        self._states: dict[str, ObjectState] = {}
        self._closed = False
        self._workers = [threading.Thread(target=self._work, name=f"staging-{i}", daemon=True) for i in range(jobs)]
        for worker in self._workers:
            worker.start()

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop fetching. What was fetched stays in the cache; a half shard is continued by the next who wants it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def announce(self, paths: Iterable[str]) -> None:
        """Say what will be used next, in order; it takes the place of what was announced before.

        Each `use` takes its path off the front. Raises `BadInput` for a path that the source does not have.
        """
        entries = [self._entry(path) for path in paths]
        with self._changed:
            self._announced = entries
            self._not_before.clear()
            self._no_room_before = 0.0
            self._changed.notify_all()

    @contextmanager
    def use(self, path: str, again: bool = False) -> Iterator[Path]:
        """The local copy of a shard, whole and checked, which nobody evicts inside the `with`.

        With `again` it stays announced: it will be used more often before the next announcement.

        A memory map of it stays readable after the `with`, but may then be of a file that is evicted, whose room on the
        disk is not free until the map is closed. Raises `BadInput` if the shard cannot be had: not in the source, gone,
        changed, damaged every time, storage out of reach, disk full, or no room in the cache.
        """
        if os.getpid() != self._process:
            raise RuntimeError("a Staging belongs to the process that opened it; open another in this one")
        entry = self._entry(path)
        began = time.monotonic()
        handle = self._checked_hold(entry)
        hit = handle is not None
        try:
            if handle is None:
                handle = self._demand(entry)
        finally:
            self._count(hits=hit, misses=not hit, seconds_waited=time.monotonic() - began)
        with self._changed:
            self._in_use[handle] = entry.size
        try:
            yield shard_path(self._cache, entry.sha256)
        finally:
            with self._changed:
                del self._in_use[handle]
                if not again:
                    self._announced = _without_first(self._announced, entry)
                self._no_room_before = 0.0
                release(handle)
                self._changed.notify_all()

    def counters(self) -> Counters:
        """What happened so far; see `Counters`."""
        with self._changed:
            return self._counters

    def _entry(self, path: str) -> FileEntry:
        entry = self._source.files.get(path)
        if entry is None:
            raise BadInput(f"{self._source.objects.url} has no file {path!r}; its manifest names those that it has")
        if entry.size > self._cache.limit:
            raise BadInput(
                f"{path} has {entry.size} bytes, more than the {self._cache.limit} of {self._cache.folder}; give the "
                "cache more"
            )
        return entry

    def _count(self, **more: float) -> None:
        with self._changed:
            now = {name: getattr(self._counters, name) + value for name, value in more.items()}
            self._counters = replace(self._counters, **now)

    def _checked_hold(self, entry: FileEntry) -> int | None:
        """Hold a shard that is in the cache and whose bytes are right; one with wrong bytes is removed."""
        handle = hold(self._cache, entry.sha256)
        if handle is None:
            return None
        try:
            inode = os.fstat(handle).st_ino
            with self._changed:
                if self._checked.get(entry.sha256) == inode:
                    return handle
            # Through the descriptor: the name may be another process's new shard by now.
            if sha256_of(handle) == entry.sha256:
                with self._changed:
                    self._checked[entry.sha256] = inode
                return handle
        except BaseException:
            unlock(handle)
            raise
        drop(self._cache, entry.sha256, inode)
        self._count(damaged=1)
        unlock(handle)
        return None

    def _demand(self, entry: FileEntry) -> int:
        """Get a shard for somebody who stands and waits for it; returns its hold."""
        until = time.monotonic() + ROOM_SECONDS
        while True:
            room, handle = self._try_to_fetch(entry, ahead=False)
            if handle is None:
                handle = self._checked_hold(entry)
            if handle is not None:
                return handle
            if room.busy:
                wait_for(room)
            elif room.handle is None:
                with self._changed:
                    own = sum(self._in_use.values())
                if own + entry.size > self._cache.limit or time.monotonic() > until:
                    raise BadInput(
                        f"{self._cache.folder} has no room for {entry.path} ({entry.size} bytes of {self._cache.limit}): "
                        "the rest is in use; give the cache more"
                    )
                time.sleep(_POLL_SECONDS / 2)

    def _try_to_fetch(self, entry: FileEntry, ahead: bool) -> tuple[Room, int | None]:
        """Fetch a shard into the cache if there is room and nobody else fetches it; and its hold, unless it is ahead.

        Raises `BadInput` if it cannot be had.
        """
        state = self._state(entry)
        with self._changed:
            wanted = [one.sha256 for one in self._announced]
        handle = None
        try:
            room = make_room(self._cache, entry, state.etag, wanted, ahead)
            self._count(evicted=room.evicted)
            if room.handle is not None:
                try:
                    self._fetch(room.handle, entry, state, room, ahead)
                    if not ahead:
                        share(room.handle)  # so that nobody evicts it before we hold it by its name
                        handle = self._checked_hold(entry)
                finally:
                    unlock(room.handle)
        except OSError as error:
            raise unwritable(error, self._cache.folder) from error
        except ObjectChanged:
            with self._changed:
                self._states.pop(entry.path, None)  # the next attempt asks anew
            raise
        return room, handle

    def _fetch(self, handle: int, entry: FileEntry, state: ObjectState, room: Room, ahead: bool) -> None:
        def on_bytes(n: int) -> None:
            if ahead and self._closed:
                raise Stopped
            self._count(bytes_fetched=max(n, 0))

        with open(handle, "r+b", closefd=False) as file:
            for _ in range(ATTEMPTS):
                # What lies there from before is counted neither as fetched nor as damaged.
                here = os.fstat(handle).st_size
                self._count(bytes_fetched=-here)
                if fetch_into(file, self._source.objects, entry, state, on_bytes):
                    break
                self._count(damaged=1)
            else:
                room.partial.unlink(missing_ok=True)
                raise BadInput(
                    f"{self._source.objects.at(entry.path)} came damaged {ATTEMPTS} times; verify its source, push it "
                    "again"
                )
        complete(self._cache, entry, room.partial)
        with self._changed:
            self._checked[entry.sha256] = os.fstat(handle).st_ino
        self._count(fetched=1)

    def _state(self, entry: FileEntry) -> ObjectState:
        with self._changed:
            known = self._states.get(entry.path)
        if known is None:
            known = with_attempts(lambda: state_of(self._source.objects, entry.path))[0]
            if known.size != entry.size:
                raise BadInput(
                    f"{self._source.objects.at(entry.path)} has {known.size} bytes instead of {entry.size}; push it again"
                )
            with self._changed:
                self._states[entry.path] = known
        return known

    def _work(self) -> None:
        """Fetch ahead, the first announced shard that is not here, until the staging is closed."""
        while True:
            with self._changed:
                while (entry := self._next()) is None and not self._closed:
                    self._changed.wait(_POLL_SECONDS if self._announced else None)
                if self._closed or entry is None:
                    return
                self._on_the_way.add(entry.sha256)
            room, pause = None, 0.0
            try:
                handle = self._checked_hold(entry)
                if handle is not None:
                    unlock(handle)
                else:
                    room, _ = self._try_to_fetch(entry, ahead=True)
                    pause = _POLL_SECONDS if room.handle is None else 0.0
            except Stopped:
                return
            except (BadInput, OSError):
                pause = _RETRY_SECONDS  # whoever needs it will hear why
            finally:
                self._leave(entry, pause, no_room=room is not None and room.handle is None and not room.busy)

    def _leave(self, entry: FileEntry, pause: float, no_room: bool) -> None:
        with self._changed:
            self._on_the_way.discard(entry.sha256)
            self._not_before.pop(entry.sha256, None)
            if no_room:
                self._no_room_before = time.monotonic() + pause
            elif pause:
                self._not_before[entry.sha256] = time.monotonic() + pause
            self._changed.notify_all()

    def _next(self) -> FileEntry | None:
        """What to fetch ahead now; the lock is held."""
        seen: set[str] = set()
        left, now = self._ahead_bytes, time.monotonic()
        if now < self._no_room_before:
            return None  # also for the later and smaller ones: they would take the room that the next one waits for
        for entry in self._announced:
            if entry.sha256 in seen:
                continue
            left -= entry.size
            if left < 0 and seen:
                return None
            seen.add(entry.sha256)
            if entry.sha256 in self._on_the_way or self._not_before.get(entry.sha256, 0.0) > now:
                continue
            if not self._is_here(entry.sha256):
                return entry
        return None

    def _is_here(self, sha256: str) -> bool:
        try:
            return shard_path(self._cache, sha256).stat().st_ino == self._checked.get(sha256)
        except FileNotFoundError:
            return False


def _without_first(entries: list[FileEntry], entry: FileEntry) -> list[FileEntry]:
    at = next((i for i, one in enumerate(entries) if one.path == entry.path), None)
    return entries if at is None else entries[:at] + entries[at + 1 :]
