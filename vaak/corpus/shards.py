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
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vaak.corpus.arrays import GrowingArray, cut_open
from vaak.corpus.samples import QUALITY, SCHEMA, Sample, to_row
from vaak.storage.files import sha256_file

# 2^27 tokens: shards of 256 MiB for codes and 512 MiB for text ids.
SHARD_TOKENS = 1 << 27

_ROWS_PER_GROUP = 4096

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
        """Append many: `rows` has the columns of `SCHEMA`, `tokens` those of all samples, `lengths` of each."""
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
        shard.write_parquet()
        self._spools.append(shard.spool)
        # Now, while its bytes are still in memory, and not when the corpus is frozen.
        self.hashed.update(shard.sync())
        if not self._keep_spools:
            self.drop_spools()

    def _count(self, rows: pa.Table, lengths: NDArray[np.int64]) -> None:
        counted = pa.table({"source": rows["source"], "n": lengths}).group_by("source").aggregate(
            [("n", "count"), ("n", "sum")]
        )  # fmt: skip
        for one in counted.to_pylist():
            self.source_samples[one["source"]] += one["n_count"]
            self.source_tokens[one["source"]] += one["n_sum"]
        # Few different texts stand in this column: one per set of fields that are missing together.
        for one in rows["unknown"].value_counts().to_pylist():
            for item in json.loads(one["values"]).items():
                self.unknown[item] += one["counts"]
        self.quality.update({name: known for name in QUALITY if (known := len(rows) - rows[name].null_count)})


def hashed_files(groups: Mapping[tuple[str, str, str], GroupWriter]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every closed file of the groups, by its path in the corpus."""
    return {"/".join((*key, name)): one for key, group in groups.items() for name, one in group.hashed.items()}


class _ShardWriter:
    """Three files that grow together: tokens, offsets and the spool of the rows."""

    def __init__(self, folder: Path, dtype: np.dtype, state: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.stem: str = state["stem"]
        self.n_samples: int = state.get("samples", 0)
        self.n_tokens: int = state.get("tokens", 0)
        self._quality: set[str] = set(state.get("quality", ()))
        self._spooled: int = state.get("spooled", 0)
        self._folder, self._dtype = folder, dtype
        self.spool = folder / f"{self.stem}.rows.arrow"
        self._tokens = GrowingArray(folder / f"{self.stem}.tokens.npy", dtype, self.n_tokens)
        n_offsets = self.n_samples + 1 if self.n_samples else 0
        self._offsets = GrowingArray(folder / f"{self.stem}.offsets.npy", np.dtype(np.int64), n_offsets)
        self._rows_file = cut_open(self.spool, self._spooled)
        self._rows: list[dict[str, Any]] = []
        self._ends = array("q")
        if n_offsets == 0:
            self._offsets.append(np.zeros(1, np.int64))

    def add(self, sample: Sample, values: NDArray) -> None:
        self._tokens.append(values)
        self.n_tokens += len(values)
        self.n_samples += 1
        self._ends.append(self.n_tokens)
        self._rows.append(to_row(sample))
        if len(self._rows) == _ROWS_PER_GROUP:
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
        self._tokens.sync()
        self._offsets.sync()
        self._rows_file.flush()
        os.fsync(self._rows_file.fileno())
        return {
            "stem": self.stem,
            "samples": self.n_samples,
            "tokens": self.n_tokens,
            "spooled": self._spooled,
            "quality": sorted(self._quality),
        }

    def files(self) -> set[str]:
        return {f"{self.stem}.tokens.npy", f"{self.stem}.offsets.npy", self.spool.name}

    def close(self) -> dict[str, Any]:
        self._settle()
        for file in (self._tokens, self._offsets, self._rows_file):
            file.close()
        return {"stem": self.stem, "samples": self.n_samples, "tokens": self.n_tokens}

    def abandon(self) -> None:
        self._tokens.abandon()
        self._offsets.abandon()
        # On a full disk what is still in a buffer cannot be written; the noted state does not count on it.
        with suppress(OSError):
            self._rows_file.close()

    def write_parquet(self) -> None:
        """Turn the spool into parquet in row groups of a fixed size, however it was filled."""
        schema = pa.schema([one for one in SCHEMA if one.name not in QUALITY or one.name in self._quality])
        target = self._folder / f"{self.stem}.samples.parquet"
        with pq.ParquetWriter(target, schema, compression="zstd") as parquet:
            for table in _regrouped(_spooled_batches(self.spool), _ROWS_PER_GROUP):
                parquet.write_table(table.select(schema.names), row_group_size=_ROWS_PER_GROUP)

    def sync(self) -> dict[str, dict[str, Any]]:
        """Bring the closed files to the disk, so that a noted state survives a power cut too; their sizes and hashes."""
        hashed = {}
        for part in _PARTS:
            path = self._folder / f"{self.stem}.{part}"
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                hashed[path.name] = {"size": os.fstat(file.fileno()).st_size, "sha256": sha256_file(path)}
        return hashed

    def _settle(self) -> None:
        if self._rows:
            self._spool(pa.Table.from_pylist(self._rows, schema=SCHEMA))
            self._offsets.append(np.frombuffer(self._ends, np.int64))
            self._rows, self._ends = [], array("q")

    def _spool(self, rows: pa.Table) -> None:
        for name in QUALITY:
            if name not in self._quality and rows[name].null_count < len(rows):
                self._quality.add(name)
        for batch in rows.combine_chunks().to_batches():
            message = batch.serialize()
            self._rows_file.write(message)
            self._spooled += message.size


def _spooled_batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.MessageReader.open_stream(file)
        while True:
            try:
                message = reader.read_next_message()
            except StopIteration:
                return
            yield pa.ipc.read_record_batch(message, SCHEMA)


def _regrouped(batches: Iterator[pa.RecordBatch], n: int) -> Iterator[pa.Table]:
    """Tables of n rows each in one chunk, the last one shorter: the same bytes of parquet for the same rows."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        while held + len(batch) >= n:
            waiting.append(batch.slice(0, n - held))
            batch = batch.slice(n - held)
            yield pa.Table.from_batches(waiting, SCHEMA).combine_chunks()
            waiting, held = [], 0
        if len(batch):
            waiting.append(batch)
            held += len(batch)
    if waiting:
        yield pa.Table.from_batches(waiting, SCHEMA).combine_chunks()
