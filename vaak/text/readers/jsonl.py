"""JSON lines with any field names, packed with gzip or zstd or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, json_rows
from vaak.text.sources import Source


def columns(source: Source) -> tuple[str, ...]:
    named = (source.text_field, source.id_field, source.language_field)
    return tuple(dict.fromkeys(one for one in named if one is not None))


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(json_rows(file), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    return documents_of(rows, where, source.text_field, source.id_field, source.language_field, source.language)
