"""Rows of samples as the parquet file of a shard, written while they come."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vaak.corpus.samples import SCHEMA, TABLE_SCHEMA

_ROWS_PER_GROUP = 4096

# Batches that wait for a whole row group before they are joined.
_MOST_WAITING = 32

# Row groups that wait to be written.
_AHEAD = 8


class ParquetRows:
    """Rows into one parquet file, in row groups of a fixed size: the same bytes for the same rows, however they come.

    They are encoded and written on a thread of its own, as fast as they come or nearly.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pq.ParquetWriter | None = None
        self._names: list[str] | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0
        self._thread = ThreadPoolExecutor(1)
        self._writing: list[Future[None]] = []

    def add(self, batch: pa.RecordBatch, names: list[str]) -> None:
        """More rows, of the columns `TABLE_SCHEMA`; `names` are those that the file is to have as far as is known."""
        while self._held + len(batch) >= _ROWS_PER_GROUP:
            room = _ROWS_PER_GROUP - self._held
            self._waiting.append(batch.slice(0, room))
            batch = batch.slice(room)
            self._write(names)
        if len(batch):
            self._waiting.append(batch)
            self._held += len(batch)
        if len(self._waiting) > _MOST_WAITING:
            # A batch holds some 24 kB beside its rows, and one of a rare group may hold a single row.
            self._waiting = pa.Table.from_batches(self._waiting, TABLE_SCHEMA).combine_chunks().to_batches()

    def finish(self, names: list[str]) -> bool:
        """Write what is left and close the file; false if it was begun with other columns than it must have."""
        right = self._names in (None, names)
        try:
            if right and self._waiting:
                self._write(names)
            self._wait(0)
        finally:
            self.abandon()
        return right

    def abandon(self) -> None:
        """Close the file as it is."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _write(self, names: list[str]) -> None:
        if self._names is None:
            self._names = names
        batches, self._waiting, self._held = self._waiting, [], 0
        self._wait(_AHEAD)
        self._writing.append(self._thread.submit(self._write_group, batches, self._names))

    def _write_group(self, batches: list[pa.RecordBatch], names: list[str]) -> None:
        if self._file is None:
            schema = pa.schema([SCHEMA.field(name) for name in names])
            self._file = pq.ParquetWriter(self._path, schema, compression="zstd")
        # Columns that came up since are missing here: such a file is written again at the end.
        table = pa.Table.from_batches(batches, TABLE_SCHEMA).select(names).cast(self._file.schema)
        self._file.write_table(table.combine_chunks(), row_group_size=_ROWS_PER_GROUP)

    def _wait(self, ahead: int) -> None:
        while len(self._writing) > ahead:
            self._writing.pop(0).result()
