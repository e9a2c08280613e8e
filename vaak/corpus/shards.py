"""Shards while they are written: tokens and offsets grow in place, rows in a spool that becomes parquet at the end.

Everything that grows is on disk, so memory does not depend on the corpus, and a writer that was killed can go back to
any state that it noted down: files are cut to the length that they had then. What a shard holds depends on its samples
alone, never on the blocks or the interruptions in which they came.
"""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vaak.corpus.arrays import GrowingArray, cut_open
from vaak.corpus.parquet_rows import ParquetRows
from vaak.corpus.samples import QUALITY, SCHEMA, TABLE_SCHEMA, Sample, to_row
from vaak.storage.files import sha256_file

# 2^27 tokens: shards of 256 MiB for codes and 512 MiB for text ids.
SHARD_TOKENS = 1 << 27

# Samples that are added one by one wait in memory until there are so many.
_ROWS_IN_MEMORY = 4096

_PARTS = ("tokens.npy", "offsets.npy", "samples.parquet")

# Runs the conversion of a closed shard's rows, at once or on another thread.
Later = Callable[[Callable[[], None]], Any]


class GroupWriter:
    """The shards of one stream/language/tier, one of them open at a time.

    `state()` is JSON from which another writer of the same folder continues, given as `state`. Spools of closed shards
    are removed at once, or with `keep_spools` when `drop_spools` says that no earlier state is wanted any more.
    """

    def __init__(
        self,
        folder: Path,
        dtype: np.dtype,
        shard_tokens: int = SHARD_TOKENS,
        state: Mapping[str, Any] | None = None,
        later: Later | None = None,
        keep_spools: bool = False,
    ) -> None:
        self.folder, self.dtype, self.shard_tokens = folder, dtype, shard_tokens
        self._later: Later = later or (lambda work: work())
        self._keep_spools = keep_spools
        self._spools: list[Path] = []
        state = state or {"shards": [], "open": None, "samples": {}, "tokens": {}, "unknown": [], "quality": {}}
        self.shards: list[dict[str, Any]] = list(state["shards"])
        self.source_samples: Counter[str] = Counter(state["samples"])
        self.source_tokens: Counter[str] = Counter(state["tokens"])
        self.unknown: Counter[tuple[str, str]] = Counter({(name, reason): n for name, reason, n in state["unknown"]})
        self.quality: Counter[str] = Counter(state["quality"])
        # Sizes and SHA-256 of the closed files, by name.
        self.hashed: dict[str, dict[str, Any]] = dict(state.get("hashed", {}))
        self._open = _ShardWriter(folder, self.dtype, state["open"]) if state["open"] else None

    def add(self, sample: Sample, values: NDArray) -> None:
        """Append one sample."""
        self._with_room(len(values)).add(sample, values)
        self.source_samples[sample.source] += 1
        self.source_tokens[sample.source] += len(values)
        self.unknown.update(sample.unknown.items())
        self.quality.update(name for name in QUALITY if getattr(sample, name) is not None)

    def add_block(self, rows: pa.Table, lengths: NDArray[np.int64], tokens: NDArray) -> None:
        """Append many: `rows` has the columns of `TABLE_SCHEMA`, `tokens` those of all samples, `lengths` of each."""
        self._count(rows, lengths)
        ends = np.cumsum(lengths)
        start, base = 0, 0
        while start < len(lengths):
            shard = self._with_room(int(lengths[start]))
            room = self.shard_tokens - shard.n_tokens
            stop = max(int(np.searchsorted(ends, base + room, side="right")), start + 1)
            shard.add_block(
                rows.slice(start, stop - start), np.diff(ends[start:stop], prepend=base), tokens[base : ends[stop - 1]]
            )
            start, base = stop, int(ends[stop - 1])

    def close(self) -> None:
        """End the open shard, if there is one."""
        if self._open is not None:
            shard, self._open = self._open, None
            self.shards.append(shard.close())
            self._later(lambda: self._convert(shard))

    def state(self) -> dict[str, Any]:
        """Everything up to here, on disk and as JSON."""
        return {
            "shards": self.shards,
            "open": self._open.state() if self._open is not None else None,
            "samples": dict(self.source_samples),
            "tokens": dict(self.source_tokens),
            "unknown": [[name, reason, n] for (name, reason), n in self.unknown.items()],
            "quality": dict(self.quality),
            "hashed": self.hashed,
        }

    def files(self) -> set[str]:
        """Names, in the group's folder, of the files that `state` counts on."""
        stems = [one["stem"] for one in self.shards]
        names = {f"{stem}.{part}" for stem in stems for part in _PARTS}
        return names | (self._open.files() if self._open is not None else set())

    def drop_spools(self) -> None:
        """Remove the spools of closed shards."""
        for spool in self._spools:
            spool.unlink(missing_ok=True)
        self._spools = []

    def abandon(self) -> None:
        """Close the files without ending the shard: the state that was noted last stays what it was."""
        if self._open is not None:
            self._open.abandon()

    def _with_room(self, n: int) -> _ShardWriter:
        if self._open is not None and self._open.n_tokens + n > self.shard_tokens:
            self.close()
        if self._open is None:
            self._open = _ShardWriter(self.folder, self.dtype, {"stem": f"{len(self.shards):05d}"})
        return self._open

    def _convert(self, shard: _ShardWriter) -> None:
        self._spools.append(shard.spool)
        # Now, while its bytes are still in memory, and not when the corpus is frozen.
        self.hashed.update(shard.sync())
        if not self._keep_spools:
            self.drop_spools()

    def _count(self, rows: pa.Table, lengths: NDArray[np.int64]) -> None:
        for name, n in _counted(rows["source"]):
            self.source_samples[name] += n
        for name, n in _counted(rows["source"], lengths):
            self.source_tokens[name] += n
        # Few different texts stand in this column: one per set of fields that are missing together.
        for text, n in _counted(rows["unknown"]):
            for item in json.loads(text).items():
                self.unknown[item] += n
        self.quality.update({name: known for name in QUALITY if (known := len(rows) - rows[name].null_count)})


def hashed_files(groups: Mapping[tuple[str, str, str], GroupWriter]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every closed file of the groups, by its path in the corpus."""
    return {"/".join((*key, name)): one for key, group in groups.items() for name, one in group.hashed.items()}


def _counted(column: pa.ChunkedArray, weights: NDArray[np.int64] | None = None) -> list[tuple[str, int]]:
    """The different texts of a coded column that has no null, and how many rows, or how much weight, each has."""
    coded = column.combine_chunks()
    counts = np.bincount(coded.indices.to_numpy(), weights, len(coded.dictionary)).tolist()
    return [(text, int(n)) for text, n in zip(coded.dictionary.to_pylist(), counts, strict=True) if n]


class _ShardWriter:
    """Three files that grow together: tokens, offsets and the spool of the rows."""

    def __init__(self, folder: Path, dtype: np.dtype, state: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.stem: str = state["stem"]
        self.n_samples: int = state.get("samples", 0)
        self.n_tokens: int = state.get("tokens", 0)
        self._quality: set[str] = set(state.get("quality", ()))
        self._folder, self._dtype = folder, dtype
        self.spool = folder / f"{self.stem}.rows.arrow"
        self._tokens = GrowingArray(folder / f"{self.stem}.tokens.npy", dtype, self.n_tokens)
        n_offsets = self.n_samples + 1 if self.n_samples else 0
        self._offsets = GrowingArray(folder / f"{self.stem}.offsets.npy", np.dtype(np.int64), n_offsets)
        self._rows_file = cut_open(self.spool, state.get("spooled", 0))
        self._stream: pa.ipc.RecordBatchStreamWriter | None = None
        self._rows: list[dict[str, Any]] = []
        self._ends = array("q")
        # Rows become parquet while they come, so that little is left to do at the end. A shard that is continued becomes
        # so from its spool when it is closed.
        self._parquet = None if state.get("spooled") else ParquetRows(folder / f"{self.stem}.samples.parquet")
        if n_offsets == 0:
            self._offsets.append(np.zeros(1, np.int64))

    def add(self, sample: Sample, values: NDArray) -> None:
        self._tokens.append(values)
        self.n_tokens += len(values)
        self.n_samples += 1
        self._ends.append(self.n_tokens)
        self._rows.append(to_row(sample))
        if len(self._rows) == _ROWS_IN_MEMORY:
            self._settle()

    def add_block(self, rows: pa.Table, lengths: NDArray[np.int64], tokens: NDArray) -> None:
        self._settle()
        self._tokens.append(tokens)
        self._offsets.append(self.n_tokens + np.cumsum(lengths))
        self.n_tokens += len(tokens)
        self.n_samples += len(lengths)
        self._spool(rows)

    def state(self) -> dict[str, Any]:
        self._settle()
        self._end_stream()
        self._tokens.sync()
        self._offsets.sync()
        self._rows_file.flush()
        os.fsync(self._rows_file.fileno())
        return {
            "stem": self.stem,
            "samples": self.n_samples,
            "tokens": self.n_tokens,
            "spooled": self._rows_file.tell(),
            "quality": sorted(self._quality),
        }

    def files(self) -> set[str]:
        return {f"{self.stem}.tokens.npy", f"{self.stem}.offsets.npy", self.spool.name}

    def close(self) -> dict[str, Any]:
        self._settle()
        self._end_stream()
        for file in (self._tokens, self._offsets, self._rows_file):
            file.close()
        return {"stem": self.stem, "samples": self.n_samples, "tokens": self.n_tokens}

    def abandon(self) -> None:
        self._tokens.abandon()
        self._offsets.abandon()
        # On a full disk what is still in a buffer cannot be written; the noted state does not count on it.
        with suppress(OSError):
            self._rows_file.close()
        with suppress(OSError):
            if self._parquet is not None:
                self._parquet.abandon()

    def _write_parquet(self) -> None:
        """Bring the rows into parquet, in row groups of a fixed size however they came."""
        names = self._columns()
        if self._parquet is not None and self._parquet.finish(names):
            return
        parquet = ParquetRows(self._folder / f"{self.stem}.samples.parquet")
        for batch in _spooled_batches(self.spool):
            parquet.add(batch, names)
        parquet.finish(names)

    def sync(self) -> dict[str, dict[str, Any]]:
        """Bring the closed files to the disk, so that a noted state survives a power cut too; their sizes and hashes."""
        hashed = {}
        # The disk writes while the processor hashes.
        with ThreadPoolExecutor(1) as pool:
            synced = []
            for part in _PARTS:
                path = self._folder / f"{self.stem}.{part}"
                if part == _PARTS[-1]:
                    self._write_parquet()
                synced.append(pool.submit(_sync, path))
                hashed[path.name] = {"size": path.stat().st_size, "sha256": sha256_file(path)}
            for one in synced:
                one.result()
        return hashed

    def _settle(self) -> None:
        if self._rows:
            self._spool(pa.Table.from_pylist(self._rows, schema=TABLE_SCHEMA))
            self._offsets.append(np.frombuffer(self._ends, np.int64))
            self._rows, self._ends = [], array("q")

    def _spool(self, rows: pa.Table) -> None:
        for name in QUALITY:
            if name not in self._quality and rows[name].null_count < len(rows):
                self._quality.add(name)
        if self._stream is None:
            self._stream = pa.ipc.new_stream(self._rows_file, TABLE_SCHEMA)
        for batch in rows.combine_chunks().to_batches():
            self._stream.write_batch(batch)
            if self._parquet is not None:
                self._parquet.add(batch, self._columns())

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _columns(self) -> list[str]:
        """Of the parquet file, as far as is known: those of quality only if a sample has a value for them."""
        return [one.name for one in SCHEMA if one.name not in QUALITY or one.name in self._quality]


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _spooled_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """What a spool holds: one stream of batches after the other, as a stream ends where a state was noted."""
    with pa.OSFile(str(path)) as file:
        while file.tell() < file.size():
            yield from pa.ipc.open_stream(file)
