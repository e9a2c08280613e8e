"""Parquet with any field names; only the columns that are named are read."""

from __future__ import annotations

from collections.abc import Iterator

from vaak.text.document import Raw
from vaak.text.readers.input_file import InputFile
from vaak.text.readers.jsonl import columns, documents
from vaak.text.readers.rows import parquet_rows
from vaak.text.sources import Source

__all__ = ["columns", "documents", "read"]


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(parquet_rows(file, columns(source), columns(source)), file.where, source)
