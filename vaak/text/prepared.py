"""What preparing one input leaves on disk until the corpus is frozen: a folder that is whole or is not used.

`kept.parquet` has a row for each document that stays unless it is a duplicate, `ids.u32` their ids in a line,
`dropped.parquet` a row for every other one, and `DONE.json`, written last, the counts and what it was made of.
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
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vaak.errors import BadInput
from vaak.storage.files import read_json, sync_folder, write_json
from vaak.text.examples import Examples
from vaak.text.prepare import Prepared

DONE = "DONE.json"
_FILES = ("kept.parquet", "ids.u32", "dropped.parquet")

_SIGNATURE_BYTES = 512
_KEPT = pa.schema(
    [
        ("document_id", pa.string()),
        ("language", pa.dictionary(pa.int32(), pa.string())),
        ("characters", pa.int64()),
        ("digest", pa.binary(32)),
        ("hash", pa.binary(16)),
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


@dataclass(frozen=True)
class KeptRows:
    """Some kept rows of one input. `ids` are those of all in a line, `n_ids` how many each has."""

    document_ids: list[str]
    languages: NDArray[np.object_]
    characters: NDArray[np.int64]
    digests: NDArray[np.uint8]  # [n, 32]
    hashes: NDArray[np.uint64]  # [n, 2]
    signatures: NDArray[np.uint32]  # [n, 128]
    n_ids: NDArray[np.int64]
    ids: NDArray[np.uint32]


class PreparedWriter:
    """Writes the folder of one input, batch by batch. A leftover of an unfinished one is replaced."""

    def __init__(self, folder: Path, source: str, seed: int) -> None:
        self.folder, self.source = folder, source
        self._started = time.monotonic()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._kept = pq.ParquetWriter(folder / "kept.parquet", _KEPT, compression="none")
        self._dropped = pq.ParquetWriter(folder / "dropped.parquet", DROPPED, compression="zstd")
        self._ids = open(folder / "ids.u32", "wb")  # noqa: SIM115 - closed in finish and abandon
        self._read: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._examples = Examples(seed)
        self.read = self.kept = 0

    def add(self, batch: Prepared) -> None:
        """One batch, after those before it."""
        kept, dropped = batch.kept, batch.dropped
        if kept:
            columns = [
                [one.document_id for one in kept],
                [one.language for one in kept],
                [one.characters for one in kept],
                [one.digest for one in kept],
                [row.tobytes() for row in batch.hashes],
                [one.n_ids for one in kept],
                [row.tobytes() for row in batch.signatures],
            ]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, _KEPT, strict=True)]
            self._kept.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_KEPT))
            self._ids.write(batch.ids.tobytes())
        if dropped:
            rows = [{**vars(one), "source": self.source} for one in dropped]
            self._dropped.write_batch(pa.RecordBatch.from_pylist(rows, schema=DROPPED))
        self._read.update(one.language for one in kept)
        self._read.update(one.language or "unknown" for one in dropped)
        self._reasons.update((one.language or "unknown", one.reason) for one in dropped)
        self._examples.merge(batch.examples)
        self.read += len(kept) + len(dropped)
        self.kept += len(kept)

    def finish(self, made_of: Mapping[str, Any]) -> None:
        """Close the files and write `DONE.json` with the counts and `made_of`, by which a later run knows the input."""
        self.abandon()
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
            "made_of": dict(made_of),
            "source": self.source,
            "files": sizes,
            "seconds": time.monotonic() - self._started,
            "counts": counts,
            "examples": self._examples.to_json(),
        }
        write_json(self.folder / DONE, done)

    def abandon(self) -> None:
        """Close the files; without `DONE.json` the folder counts for nothing."""
        self._kept.close()
        self._dropped.close()
        self._ids.close()


def done_with(folder: Path, made_of: Mapping[str, Any]) -> bool:
    """Whether the folder is whole and was made of the same input by the same steps."""
    try:
        done = read_json(folder / DONE)
    except BadInput:  # missing or damaged
        return False
    return done["made_of"] == dict(made_of) and all(
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


def kept_rows(folder: Path) -> Iterator[KeptRows]:
    """The kept rows of a whole folder, some thousand at a time, in order."""
    ids = (
        np.memmap(folder / "ids.u32", np.uint32, "r") if (folder / "ids.u32").stat().st_size else np.zeros(0, np.uint32)
    )
    at = 0
    with pq.ParquetFile(folder / "kept.parquet") as file:
        for batch in file.iter_batches(batch_size=8192):
            n_ids = batch["n_ids"].to_numpy()
            end = at + int(n_ids.sum())
            yield KeptRows(
                batch["document_id"].to_pylist(),
                np.array(batch["language"].to_pylist(), object),
                batch["characters"].to_numpy(),
                _bytes(batch["digest"], 32),
                _bytes(batch["hash"], 16).view(np.uint64),
                _bytes(batch["signature"], _SIGNATURE_BYTES).view(np.uint32),
                n_ids,
                np.asarray(ids[at:end]),
            )
            at = end


def _bytes(column: pa.Array, width: int) -> NDArray[np.uint8]:
    data = np.frombuffer(column.buffers()[1], np.uint8)
    return data[column.offset * width : (column.offset + len(column)) * width].reshape(len(column), width)
