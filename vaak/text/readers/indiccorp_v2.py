"""IndicCorp v2: `data/<language>.txt`, Hindi in three parts `hi-1.txt`, …; on the Hub one config with a split per language.

Plain text, up to 27 GB a file. A document is what stands between empty lines, be it one line or several. There are no ids; a
document is named by the number of its first line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of, known_language
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, line_rows, paragraph_rows
from vaak.text.sources import Source

_FILE = re.compile(r"(?:^|/)([a-z]{2,3}(?:_[A-Z][a-z]{3})?)(?:-\d+)?\.txt(?:\.\w+)?$")


def columns(source: Source) -> tuple[str, ...]:
    return ("text",)


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(line_rows(file), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    file = _FILE.search(where.path)
    tag = file[1] if file else where.split or ""
    return documents_of(paragraph_rows(rows), where, language=known_language(tag))
