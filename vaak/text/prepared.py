"""What preparing one input leaves on disk until the corpus is frozen: a folder that is whole or is not used.

`kept.arrow` has a row for each document that stays unless it is a duplicate, `ids.u32` their ids in a line,
`dropped.arrow` a row for every other one, and `DONE.json`, written last, the counts and what it was made of.
The `.arrow` files are Arrow streams, one behind the other, a stream for each batch: the process that prepares a batch
packs it, and the one that writes only appends bytes.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vaak.errors import BadInput
from vaak.storage.files import read_json, sync_folder, write_json
from vaak.storage.locks import lock_file, unlock
from vaak.text.duplicates.signatures import HASH_BYTES, SLOTS
from vaak.text.examples import Examples
from vaak.text.prepare import Prepared

DONE = "DONE.json"

# Of these files: a folder of another format is prepared again.
_FORMAT = 2
_FILES = ("kept.arrow", "ids.u32", "dropped.arrow")

_SIGNATURE_BYTES = 4 * SLOTS
_KEPT = pa.schema(
    [
        ("document_id", pa.string()),
        ("language", pa.string()),
        ("characters", pa.int64()),
        ("digest", pa.binary(32)),
        ("hash", pa.binary(HASH_BYTES)),
        ("n_ids", pa.int64()),
        ("signature", pa.binary(_SIGNATURE_BYTES)),
    ]
)
DROPPED = pa.schema(
    [
        ("document_id", pa.string()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("characters", pa.int64()),
        ("text", pa.string()),
    ]
)

# Rows that are read at once; a batch more at most.
_ROWS = 8192


@dataclass(frozen=True)
class Packed:
    """A prepared batch as it is written: what to append to each of the files, and what to add to the counts.

    `read` counts documents by language, `reasons` those dropped by language and reason.
    """

    kept: bytes
    ids: bytes
    dropped: bytes
    n_kept: int
    read: Counter[str]
    reasons: Counter[tuple[str, str]]
    examples: Examples

    @property
    def n_read(self) -> int:
        return self.read.total()


@dataclass(frozen=True)
class KeptRows:
    """Some kept rows of one input. `ids` are those of all in a line, `n_ids` how many each has."""

    document_ids: pa.StringArray
    languages: NDArray[np.object_]
    characters: NDArray[np.int64]
    digests: NDArray[np.uint8]  # [n, 32]
    hashes: NDArray[np.uint64]  # [n, 2]
    signatures: NDArray[np.uint32]  # [n, 128]
    n_ids: NDArray[np.int64]
    ids: NDArray[np.uint32]


def packed(batch: Prepared, source: str) -> Packed:
    """A batch of documents of `source`, ready to be written."""
    kept, dropped = batch.kept, batch.dropped
    digests = b"".join(one.digest for one in kept)
    columns = [
        pa.array([one.document_id for one in kept], pa.string()),
        pa.array([one.language for one in kept], pa.string()),
        pa.array([one.characters for one in kept], pa.int64()),
        _binary(digests, 32),
        _binary(batch.hashes.tobytes(), HASH_BYTES),
        pa.array([one.n_ids for one in kept], pa.int64()),
        _binary(batch.signatures.tobytes(), _SIGNATURE_BYTES),
    ]
    rows = [{**vars(one), "source": source} for one in dropped]
    read = Counter([one.language for one in kept])
    read.update([one.language or "unknown" for one in dropped])
    return Packed(
        _stream(pa.RecordBatch.from_arrays(columns, schema=_KEPT), None),
        batch.ids.tobytes(),
        _stream(pa.RecordBatch.from_pylist(rows, schema=DROPPED), "zstd"),
        len(kept),
        read,
        Counter([(one.language or "unknown", one.reason) for one in dropped]),
        batch.examples,
    )


class PreparedWriter:
    """Writes the folder of one input, batch by batch. A leftover of an unfinished one is replaced.

    Raises `BadInput` if another process writes it now, which its lock beside the folder says.
    """

    def __init__(self, folder: Path, source: str, seed: int) -> None:
        self.folder, self.source = folder, source
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file(folder.with_name(folder.name + ".lock"), exclusive=True, wait=False, create=True)
        if lock is None:
            raise BadInput(f"another process prepares the same input of source {source!r} in {folder}; wait for it")
        self._lock: int | None = lock
        self._started = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._open = [open(folder / name, "wb") for name in _FILES]  # noqa: SIM115 - closed in finish and abandon
        self._read: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._examples = Examples(seed)

    def add(self, batch: Packed) -> None:
        """One batch, after those before it."""
        for file, data in zip(self._open, (batch.kept, batch.ids, batch.dropped), strict=True):
            file.write(data)
        self._read.update(batch.read)
        self._reasons.update(batch.reasons)
        self._examples.merge(batch.examples)

    def finish(self, made_of: Mapping[str, Any]) -> None:
        """Close the files and write `DONE.json` with the counts and `made_of`, by which a later run knows the input."""
        self._close()
        counts = [
            {
                "language": language,
                "read": self._read[language],
                "dropped": {reason: n for (one, reason), n in sorted(self._reasons.items()) if one == language},
            }
            for language in sorted(self._read)
        ]
        sizes = {name: _synced(self.folder / name) for name in _FILES}
        sync_folder(self.folder)
        done = {
            "format": _FORMAT,
            "made_of": dict(made_of),
            "source": self.source,
            "files": sizes,
            "seconds": time.monotonic() - self._started,
            "counts": counts,
            "examples": self._examples.to_json(),
        }
        write_json(self.folder / DONE, done)
        self.abandon()

    def abandon(self) -> None:
        """Close the files and give the lock back; without `DONE.json` the folder counts for nothing."""
        self._close()
        if self._lock is not None:
            unlock(self._lock)
            self._lock = None

    def _close(self) -> None:
        for file in self._open:
            file.close()


def done_with(folder: Path, made_of: Mapping[str, Any]) -> bool:
    """Whether the folder is whole and was made of the same input by the same steps."""
    try:
        done = read_json(folder / DONE)
    except BadInput:  # missing or damaged
        return False
    if done.get("format") != _FORMAT or done["made_of"] != dict(made_of):
        return False
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == size for name, size in done["files"].items()
    )


def seconds_of(folder: Path) -> float:
    """Of a whole folder, how long it took from its first documents to its last."""
    return float(read_json(folder / DONE)["seconds"])


def _synced(path: Path) -> int:
    """The size of a file once it is on the disk: `DONE.json` must not survive a power cut that its files do not."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def counts_of(folder: Path) -> list[dict[str, Any]]:
    """Of a whole folder, per language: documents read and, per reason, dropped."""
    return read_json(folder / DONE)["counts"]


def examples_of(folder: Path) -> Examples:
    """Of a whole folder, the dropped documents that were chosen to be shown."""
    return Examples.from_json(read_json(folder / DONE)["examples"])


def kept_rows(folder: Path) -> Iterator[KeptRows]:
    """The kept rows of a whole folder, some thousand at a time, in order."""
    ids = (
        np.memmap(folder / "ids.u32", np.uint32, "r") if (folder / "ids.u32").stat().st_size else np.zeros(0, np.uint32)
    )
    at = 0
    for batch in _joined(_batches(folder / "kept.arrow", _KEPT)):
        n_ids = batch["n_ids"].to_numpy()
        end = at + int(n_ids.sum())
        yield KeptRows(
            batch["document_id"],
            np.array(batch["language"].to_pylist(), object),
            batch["characters"].to_numpy(),
            _bytes(batch["digest"], 32),
            _bytes(batch["hash"], HASH_BYTES).view(np.uint64),
            _bytes(batch["signature"], _SIGNATURE_BYTES).view(np.uint32),
            n_ids,
            np.asarray(ids[at:end]),
        )
        at = end


def dropped_rows(folder: Path) -> Iterator[pa.RecordBatch]:
    """The dropped rows of a whole folder, in batches of the schema `DROPPED`, in order."""
    return _joined(_batches(folder / "dropped.arrow", DROPPED))


def _binary(data: bytes, width: int) -> pa.Array:
    """Rows of `width` bytes."""
    return pa.Array.from_buffers(pa.binary(width), len(data) // width, [None, pa.py_buffer(data)])


def _stream(batch: pa.RecordBatch, compression: str | None) -> bytes:
    """A stream of one batch; nothing at all for one without rows."""
    if not batch.num_rows:
        return b""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    if not path.stat().st_size:  # an empty file cannot be mapped
        return
    with pa.memory_map(str(path)) as file:
        while file.tell() < file.size():
            with pa.ipc.open_stream(file) as stream:
                assert stream.schema == schema
                yield from stream


def _joined(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `_ROWS` and more, the last one of what is left."""
    waiting: list[pa.RecordBatch] = []
    n = 0
    for batch in batches:
        waiting.append(batch)
        n += batch.num_rows
        if n >= _ROWS:
            yield pa.concat_batches(waiting)
            waiting, n = [], 0
    if waiting:
        yield pa.concat_batches(waiting)


def _bytes(column: pa.Array, width: int) -> NDArray[np.uint8]:
    data = np.frombuffer(column.buffers()[1], np.uint8)
    return data[column.offset * width : (column.offset + len(column)) * width].reshape(len(column), width)
