"""RedPajama-Data-V2: `documents/<snapshot>/<shard>/<language>_<head|middle|tail>.json.gz`, pages of Common Crawl after CCNet.

A row has url, date_download, digest, length, nlines, source_domain, title, raw_content, cc_segment, original_nlines,
original_length, line_ids, language, language_score, perplexity and bucket. The data set's own id of a document, which its
quality signals and duplicates name, is `<snapshot>/<shard>/<file>/<row>`. Its list of duplicates is not used: of each group it
spares the one document in the newest snapshot, which may be outside the files at hand, and all would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of, known_language
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, json_rows
from vaak.text.sources import Source

_PLACE = re.compile(r"(?:^|/)(\d{4}-\d{2}/\d{4}/([a-z]{2,3})_(?:head|middle|tail)\.json)(?:\.\w+)?$")


def columns(source: Source) -> tuple[str, ...]:
    return ("raw_content", "language")


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(json_rows(file), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    place = _PLACE.search(where.path)
    if place is None:
        return documents_of(rows, where, "raw_content", language_field="language")
    # The id holds the name that the file was published under, also where it was unpacked or packed anew.
    prefix = f"{place[1]}.gz/"
    return documents_of(
        rows, where, "raw_content", language_field="language", language=known_language(place[2]), prefix=prefix
    )
