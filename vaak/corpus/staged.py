"""Tokens of a corpus whose shards lie in object storage and come to a bounded local cache before they are read."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vaak.corpus.arrays import mapped
from vaak.storage.staging import Counters, Source, Staging, open_staging


class StagedTokens:
    """The shards of `source` through a cache folder that holds at most `limit` bytes.

    Its workers start with the first read or announcement and end with `close`; what comes after that starts them anew,
    in another process too. May be used by several threads.
    """

    def __init__(self, source: Source, folder: Path, limit: int, ahead: int) -> None:
        self.source, self.folder, self.limit, self.ahead = source, folder, limit, ahead
        self._lock = threading.Lock()
        self._staging: Staging | None = None
        self._process = 0
        self._before = Counters()
        self._known: set[str] = set()  # shards whose header was looked at

    def read(self, path: str, dtype: np.dtype, n: int, start: int, stop: int) -> np.ndarray:
        """Values start..stop of a shard that has n of them: a read-only copy. The shard is held while it is read.

        Raises `BadInput` if the shard cannot be had or is no such array.
        """
        with self._open().use(path, again=True) as local:
            if path not in self._known:
                mapped(local, dtype, n)
                self._known.add(path)
            handle = os.open(local, os.O_RDONLY | os.O_CLOEXEC)
            try:
                # The values are the end of the file. No memory map: one would keep an evicted shard on the disk.
                at = os.fstat(handle).st_size - (n - start) * dtype.itemsize
                data = os.pread(handle, max(stop - start, 0) * dtype.itemsize, at)
            finally:
                os.close(handle)
        return np.frombuffer(data, dtype)

    def announce(self, paths: Sequence[str]) -> None:
        """Fetch these ahead, in this order, as many as the cache takes; it takes the place of the last announcement."""
        self._open().announce(paths)

    def close(self) -> None:
        """Stop fetching. What was fetched stays in the cache."""
        with self._lock:
            staging, self._staging = self._staging, None
            if staging is not None and self._process == os.getpid():
                staging.close()
                self._before = _sum(self._before, staging.counters())

    def counters(self) -> Counters:
        """What happened in this process so far."""
        with self._lock:
            running = self._staging is not None and self._process == os.getpid()
            return _sum(self._before, self._staging.counters()) if running and self._staging else self._before

    def _open(self) -> Staging:
        with self._lock:
            if self._staging is None or self._process != os.getpid():  # threads do not survive a fork
                self._staging = open_staging(self.folder, self.limit, self.source, self.ahead)
                self._process = os.getpid()
            return self._staging


def _sum(one: Counters, other: Counters) -> Counters:
    more = asdict(other)
    return Counters(**{name: value + more[name] for name, value in asdict(one).items()})
