"""Sangraha: `<verified|unverified>/<language>/data-<n>.parquet` and `synthetic/<language>_<script>/…`; ISO 639-3, `hin`, `hin_Deva`.

A row has doc_id, type and text. `synthetic/*_Latn` is in Latin letters: it would be read, and quarantined as romanised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of, known_language
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, parquet_rows
from vaak.text.sources import Source

_FOLDER = re.compile(r"(?:^|/)(?:verified|unverified|synthetic)/([a-z]{3}(?:_[A-Z][a-z]{3})?)/[^/]+$")


def columns(source: Source) -> tuple[str, ...]:
    return ("text", "doc_id")


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(parquet_rows(file, columns(source), ("text",)), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    folder = _FOLDER.search(where.path)
    tag = folder[1] if folder else where.split or ""
    return documents_of(rows, where, id_field="doc_id", language=known_language(tag))
