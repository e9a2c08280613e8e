"""Which sample ids a corpus has already: exact in practice for any number of them, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.errors import BadInput
from vaak.storage.files import sync_folder

# Ids that stay in memory, 16 bytes each; above it they go to disk in sorted runs of this many.
IN_MEMORY = 1 << 21

# Ids that were added one by one wait in a set until there are so many.
_RECENT = 1 << 15


class SeenIds:
    """A set of ids, held as 128-bit BLAKE2b hashes: among 10^10 ids the odds that any two share one are 10^-19.

    `folder` takes the runs that leave memory; it is made when the first one does. `saved` is what an earlier `save` gave
    back: the set continues from there. Lookups in a run on disk go through the page cache.
    """

    def __init__(self, folder: Path, saved: Mapping[str, Any] | None = None, in_memory: int = IN_MEMORY) -> None:
        self._folder = folder
        self._limit = in_memory
        self._recent: set[bytes] = set()
        self._held: list[NDArray[np.uint64]] = []
        self._names: list[str] = list(saved["runs"]) if saved else []
        self._stored = [self._open(name) for name in self._names]
        self._saved: str | None = saved["held"] if saved else None
        if self._saved is not None:
            self._hold(np.array(self._open(self._saved)))

    def __contains__(self, sample_id: str) -> bool:
        digest = _digest(sample_id)
        return digest in self._recent or bool(self._known(_keys([digest]))[0])

    def add(self, sample_id: str) -> None:
        """Add one id."""
        self._recent.add(_digest(sample_id))
        if len(self._recent) >= _RECENT:
            self._settle()

    def add_all(self, sample_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Add many; bool[n], true for each that was there before, be it earlier in the same list."""
        self._settle()
        blake2b = hashlib.blake2b
        keys = _keys([blake2b(sample_id.encode(), digest_size=16).digest() for sample_id in sample_ids])
        order = np.argsort(keys[0])
        if (keys[0, order[1:]] == keys[0, order[:-1]]).any():
            # An id that is there twice, most likely: the first one must come first.
            order = np.lexsort((keys[1], keys[0]))
        keys = keys[:, order]
        again = np.zeros(len(order), bool)
        again[1:] = (keys[:, 1:] == keys[:, :-1]).all(axis=0)
        again |= self._known(keys)
        self._hold(keys[:, ~again])
        result = np.empty(len(order), bool)
        result[order] = again
        return result

    def save(self) -> dict[str, Any]:
        """Put everything on disk; returns what another set can continue from. The save before it stays whole."""
        self._settle()
        self._saved = "held-b.npy" if self._saved == "held-a.npy" else "held-a.npy"
        self._write(self._saved, _merged(self._held) if self._held else np.empty((2, 0), np.uint64))
        return {"runs": list(self._names), "held": self._saved}

    def _known(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found = np.zeros(keys.shape[1], bool)
        for run in (*self._held, *self._stored):
            found |= _is_in(keys, run)
        return found

    def _settle(self) -> None:
        if self._recent:
            keys = _keys(sorted(self._recent))
            self._hold(keys[:, np.lexsort((keys[1], keys[0]))])
            self._recent = set()

    def _hold(self, keys: NDArray[np.uint64]) -> None:
        if keys.shape[1] == 0:
            return
        self._held.append(keys)
        # Runs of doubling sizes: each id is merged as often as the logarithm of their number.
        while len(self._held) > 1 and self._held[-2].shape[1] <= 2 * self._held[-1].shape[1]:
            self._held[-2:] = [_merged(self._held[-2:])]
        if sum(run.shape[1] for run in self._held) >= self._limit:
            self._store(_merged(self._held))
            self._held = []

    def _store(self, run: NDArray[np.uint64]) -> None:
        name = f"run-{len(self._names):05d}.npy"
        self._write(name, run)
        self._names.append(name)
        self._stored.append(self._open(name))

    def _write(self, name: str, run: NDArray[np.uint64]) -> None:
        # Straight into the file: a run is tens of megabytes, and a copy of it would be as many again.
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._folder / f"{name}.tmp", "wb") as file:
            # Not numpy.save, which says of a full disk neither that it is full nor its error number.
            header = {"descr": np.lib.format.dtype_to_descr(run.dtype), "fortran_order": False, "shape": run.shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(run).data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._folder / f"{name}.tmp", self._folder / name)
        # Both before anything counts on the run: its name, and the folder that may have been made for it.
        sync_folder(self._folder)
        sync_folder(self._folder.parent)

    def _open(self, name: str) -> NDArray[np.uint64]:
        path = self._folder / name
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read ({error}); delete {self._folder} and begin again") from error


def _digest(sample_id: str) -> bytes:
    return hashlib.blake2b(sample_id.encode(), digest_size=16).digest()


def _keys(digests: list[bytes]) -> NDArray[np.uint64]:
    """uint64[2, n]: first and second half of each hash."""
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2).T.copy()


def _merged(runs: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    keys = np.concatenate(runs, axis=1) if len(runs) > 1 else runs[0]
    return keys[:, np.argsort(keys[0], kind="stable")]


def _is_in(keys: NDArray[np.uint64], run: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which keys stand in a run that is sorted by first half; second halves are looked at where the first agrees."""
    first = np.asarray(run[0])
    left = np.searchsorted(first, keys[0])
    found = np.zeros(len(left), bool)
    same = np.flatnonzero((left < len(first)) & (first[np.minimum(left, len(first) - 1)] == keys[0]))
    for i in same:
        right = np.searchsorted(first, keys[0, i], side="right")
        found[i] = bool((run[1, left[i] : right] == keys[1, i]).any())
    return found
