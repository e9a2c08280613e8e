"""Documents from rows: which field is the text, which the id, which says the language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.text.document import Raw
from vaak.text.readers.input_file import Where
from vaak.text.readers.rows import Row


def documents_of(
    rows: Iterable[Row],
    where: Where,
    text_field: str = "text",
    id_field: str | None = None,
    language_field: str | None = None,
    language: str | None = None,
    prefix: str | None = None,
) -> Iterator[Raw]:
    """A document for each row. Its id is that of `id_field` (a text or whole number), else `prefix` and the row's number.

    `language` is of rows without a tag in `language_field`; a tag that is not in the table of languages gives None.
    """
    name = where.name
    prefix = f"{name}:" if prefix is None else prefix
    for number, row in rows:
        if isinstance(row, str):
            yield Raw("", f"{prefix}{number}", None, f"row {number} of {name} {row}")
            continue
        own = row.get(id_field) if id_field is not None else None
        document_id = own if own and type(own) is str else str(own) if type(own) is int else f"{prefix}{number}"
        tag = row.get(language_field) if language_field is not None else None
        code = known_language(tag) if type(tag) is str and tag else language
        text = row.get(text_field)
        if type(text) is str:
            yield Raw(text, document_id, code)
        else:
            other = "" if text is None else f" but a value of type {type(text).__name__}"
            wrong = f"has no text in {text_field!r}{other}"
            yield Raw("", document_id, code, f"row {number} of {name} {wrong}")


@lru_cache(1024)
def known_language(tag: str) -> str | None:
    """The code of a language's tag, None for one that is not in the table of languages."""
    try:
        return language_of(tag)
    except BadInput:
        return None
