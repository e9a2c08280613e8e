"""Hugging Face audio data sets at rest: parquet files whose rows hold the audio itself, or its path.

An `Audio` column is a struct of `bytes` (the file as it was) and `path`; see the `datasets` documentation, "Audio
feature". Class labels are numbers whose names stand in the schema's metadata under `huggingface`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaak.errors import BadInput

# Rows of metadata, and of audio, that are in memory at once.
_META_ROWS, _AUDIO_ROWS = 4096, 16


def parquet_files(path: Path) -> list[Path]:
    """The file itself, or all `.parquet` below a folder, in order."""
    return [path] if path.is_file() else sorted(path.rglob("*.parquet"))


def parquet_rows(path: Path, audio: str) -> Iterator[dict[str, Any]]:
    """Every row without its audio's bytes; under `audio` stands its path, or None. Class labels become their names.

    Raises `BadInput` for a file that cannot be read or has no column `audio`.
    """
    file = _opened(path)
    try:
        schema = file.schema_arrow
        if audio not in schema.names:
            raise BadInput(f"{path} has no column {audio!r} but {', '.join(schema.names)}; name its audio with --field")
        names = _class_labels(schema)
        columns = [name for name in schema.names if name != audio and not _is_nested(schema.field(name).type)]
        kind = schema.field(audio).type
        if pa.types.is_struct(kind):
            columns += [f"{audio}.path"] if kind.get_field_index("path") >= 0 else []
        elif not _is_bytes(kind):
            columns.append(audio)
        for batch in file.iter_batches(batch_size=_META_ROWS, columns=columns):
            for row in batch.to_pylist():
                found = row.pop(audio, None)
                for name, labels in names.items():
                    if isinstance(row.get(name), int) and 0 <= row[name] < len(labels):
                        row[name] = labels[row[name]]
                yield {**row, audio: found.get("path") if isinstance(found, dict) else found}
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read as parquet ({_first_line(error)}); download it again") from error
    finally:
        file.close()


def is_embedded(path: Path, audio: str) -> bool:
    """Whether the column `audio` of the file can hold the recordings themselves, not only their paths."""
    file = _opened(path)
    try:
        schema = file.schema_arrow
        return audio in schema.names and (
            _is_bytes(schema.field(audio).type) or pa.types.is_struct(schema.field(audio).type)
        )
    finally:
        file.close()


class EmbeddedAudio:
    """Reads recordings out of parquet files, quickly where rows are asked for in order: a row group is walked once."""

    def __init__(self) -> None:
        self._at: tuple[Path, str] | None = None
        self._file: pq.ParquetFile | None = None
        self._rows: Iterator[tuple[int, bytes | None, str | None]] = iter(())
        self._next = 0

    def read(self, path: Path, audio: str, row: int) -> tuple[bytes | None, str | None]:
        """The bytes of the recording and its path, either of which may be None. Raises `BadInput` if it is not there."""
        try:
            if self._at != (path, audio) or row < self._next or row > self._next + _META_ROWS:
                self._open(path, audio, row)
            for number, data, name in self._rows:
                self._next = number + 1
                if number == row:
                    return data, name
        except (pa.ArrowException, OSError) as error:
            self._at = None
            raise BadInput(f"{path}, row {row} cannot be read ({_first_line(error)}); download it again") from error
        self._at = None
        raise BadInput(f"{path} ends before row {row}; it changed since the list was read, restore it")

    def _open(self, path: Path, audio: str, row: int) -> None:
        if self._file is not None:
            self._file.close()
        self._at, self._file, self._next = (path, audio), _opened(path), row
        self._rows = _walk(self._file, audio, row)


def _walk(file: pq.ParquetFile, audio: str, row: int) -> Iterator[tuple[int, bytes | None, str | None]]:
    """(row number, bytes, path) from the row group that holds `row` on."""
    first = 0
    for group in range(file.num_row_groups):
        n = file.metadata.row_group(group).num_rows
        if first + n > row:
            number = first
            for batch in file.iter_batches(batch_size=_AUDIO_ROWS, row_groups=[group], columns=[audio]):
                for value in batch.column(0):
                    if number >= row:
                        yield (number, *_bytes_and_path(value.as_py()))
                    number += 1
        first += n


def _bytes_and_path(value: Any) -> tuple[bytes | None, str | None]:
    if isinstance(value, Mapping):
        return value.get("bytes"), value.get("path")
    return (value, None) if isinstance(value, bytes) else (None, value)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path} cannot be read as parquet ({_first_line(error)}); download it again") from error


def _class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of each class label column, by column, from what `datasets` writes into the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(one) for one in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_nested(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) or _is_bytes(kind)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
