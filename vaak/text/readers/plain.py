"""Plain text: a document per file, per line, or per run of lines between empty ones. A document is named by its first line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, file_rows, line_rows, paragraph_rows
from vaak.text.sources import Source


def columns(source: Source) -> tuple[str, ...]:
    return ("text",)


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    rows = file_rows(file) if source.documents == "file" else line_rows(file)
    return documents(rows, file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    if source.documents == "paragraph":
        rows = paragraph_rows(rows)
    elif source.documents == "line":
        rows = (row for row in rows if isinstance(row[1], str) or row[1]["text"].strip())
    return documents_of(rows, where, language=source.language)
