"""Rows of files: JSON lines, parquet, lines and paragraphs of text. A row that is none is said to be so, and the next is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from vaak.errors import BadInput
from vaak.text.readers.input_file import InputFile

# The number of a row, from 0, and what it says; a string is what is wrong with it, to be read after "row 7 of x".
Row = tuple[int, Mapping[str, Any] | str]

# A longer row is passed over without being held in memory. The longest document that is kept has some 16 KB.
LONGEST_ROW = 32 << 20
_TOO_LONG = f"is longer than {LONGEST_ROW >> 20} MiB"
_NO_UTF8 = "is not UTF-8"
_NO_OBJECT = "is no JSON object"
_EMPTY_LINE: Row = (0, {"text": ""})

_BATCH_ROWS = 256
_BUFFER_BYTES = 1 << 20


def json_rows(file: InputFile) -> Iterator[Row]:
    """Objects of a file of JSON lines, numbered by their lines; empty lines are no rows.

    Raises `BadInput` naming the file and the row reached where it is damaged.
    """
    for number, line in _lines(file):
        if line is None:
            yield number, _TOO_LONG
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                yield number, _lenient(line, str(error))
            continue
        yield number, row if type(row) is dict else _NO_OBJECT


def _lenient(line: bytes, why: str) -> dict[str, Any] | str:
    """The object of a line that Python's own writer made: with NaN and Infinity in it, which are no JSON."""
    try:
        row = json.loads(line)
        json.dumps(row, ensure_ascii=False).encode()  # half a surrogate is no text
    except UnicodeDecodeError:
        return _NO_UTF8
    except UnicodeEncodeError:
        return "holds half a surrogate"
    except RecursionError:
        return "is nested too deeply"
    except ValueError:
        return f"is no JSON ({why.split(':')[0]})"
    return row if isinstance(row, dict) else _NO_OBJECT


def line_rows(file: InputFile) -> Iterator[Row]:
    """Lines of a text file as `{"text": line}`, those that are empty too."""
    for number, line in _lines(file):
        if line is None:
            yield number, _TOO_LONG
            continue
        try:
            yield number, {"text": line.removesuffix(b"\r").decode()}
        except UnicodeDecodeError:
            yield number, _NO_UTF8


def paragraph_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Runs of lines between empty ones, joined again, each numbered by its first line; what is wrong with one line is
    wrong with its paragraph."""
    first, held, length, wrong = None, [], 0, ""
    for number, row in chain(rows, [_EMPTY_LINE]):
        line = "" if isinstance(row, str) else row["text"]
        if line.isspace() or not (line or isinstance(row, str)):
            if first is not None:
                yield first, wrong or {"text": "\n".join(held)}
            first, held, length, wrong = None, [], 0, ""
            continue
        first = number if first is None else first
        held.append(line)
        length += len(line)
        if isinstance(row, str) or length > LONGEST_ROW:
            wrong = wrong or (row if isinstance(row, str) else _TOO_LONG)
            held.clear()


def file_rows(file: InputFile) -> Iterator[Row]:
    """A whole text file as one row, if there is anything in it."""
    held, length = [], 0
    for _, line in _lines(file):
        length += LONGEST_ROW + 1 if line is None else len(line) + 1
        if length > LONGEST_ROW:
            yield 0, _TOO_LONG
            return
        held.append(line.removesuffix(b"\r") if line else b"")
    whole = b"\n".join(held)
    if not whole.strip():
        return
    try:
        yield 0, {"text": whole.decode()}
    except UnicodeDecodeError:
        yield 0, _NO_UTF8


def _lines(file: InputFile) -> Iterator[tuple[int, bytes | None]]:
    """Lines without their ends; None for one that is too long. A byte order mark at the beginning is left out."""
    number, held, length = 0, [], 0
    try:
        for index, block in enumerate(file.blocks()):
            if index == 0:
                if block.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise BadInput(f"{file.where.path} is UTF-16; convert it to UTF-8")
                block = block.removeprefix(b"\xef\xbb\xbf")
            first, *others = block.split(b"\n")
            length += len(first)
            if length <= LONGEST_ROW:
                held.append(first)
            else:
                held.clear()
            if not others:
                continue
            yield number, b"".join(held) if length <= LONGEST_ROW else None
            last = others.pop()
            for line in others:
                number += 1
                yield number, line
            number, held, length = number + 1, [last], len(last)
    except OSError as error:
        raise BadInput(
            f"{file.where.path} cannot be read further than row {number} ({_reason(error)}); fetch the file again"
        ) from error
    if length:
        yield number, b"".join(held) if length <= LONGEST_ROW else None


def parquet_rows(file: InputFile, columns: Sequence[str], needed: Sequence[str]) -> Iterator[Row]:
    """Rows of a parquet file with those of `columns` that it has, in its order; only these are read.

    Raises `BadInput` for a file that is no parquet or has not all `needed` columns, and where it is damaged, naming the row.
    """
    number, path = 0, file.where.path
    try:
        with file.seekable() as opened:
            parquet = pq.ParquetFile(opened, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            there = parquet.schema_arrow.names
            missing = next((one for one in needed if one not in there), None)
            if missing is not None:
                raise BadInput(f"{path} has no column {missing!r} but {', '.join(map(repr, there))}; name another")
            total = parquet.metadata.num_rows
            chosen = [one for one in columns if one in there]
            for batch in parquet.iter_batches(_BATCH_ROWS, columns=chosen, use_threads=False):
                for row in _batch_rows(batch, chosen):
                    yield number, row
                    number += 1
                file.consumed = file.size * number // total
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"{path} cannot be read as parquet further than row {number} ({_reason(error)}); fetch the file again"
        ) from error


def _batch_rows(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[Mapping[str, Any] | str]:
    try:
        values = [batch.column(name).to_pylist() for name in columns]
    except UnicodeDecodeError:
        for i in range(len(batch)):
            try:
                yield {name: batch.column(name)[i].as_py() for name in columns}
            except UnicodeDecodeError:
                yield _NO_UTF8
        return
    for row in zip(*values, strict=True):
        yield dict(zip(columns, row, strict=True))


def _reason(error: BaseException) -> str:
    """The first words of an error, without the path that the operating system puts behind them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:120].rstrip(".")
