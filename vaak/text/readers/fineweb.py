"""FineWeb, and FineWeb-Edu and FineWeb-2 which name their fields alike: `data/CC-MAIN-<year>-<week>/<part>.parquet`.

A row has text, id, dump, url, date, file_path, language, language_score and token_count. The id is that of the page in Common
Crawl, `<urn:uuid:…>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, parquet_rows
from vaak.text.sources import Source


def columns(source: Source) -> tuple[str, ...]:
    return ("text", "id", "language")


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(parquet_rows(file, columns(source), columns(source)), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    return documents_of(rows, where, id_field="id", language_field="language")
