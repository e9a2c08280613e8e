"""LAION's Open Instruction Generalist: `unified_<part>.jsonl`, packed or not; English, for a small slice of instructions.

A row has text, `<human>: … <bot>: …` in turns, and in some parts metadata. The marks of who speaks are taken out and each turn
begins a line of its own. There are no ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vaak.text.document import Raw
from vaak.text.readers.fields import documents_of
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.rows import Row, json_rows
from vaak.text.sources import Source

_SPEAKER = re.compile(r"<(?:human|bot)>:")


def columns(source: Source) -> tuple[str, ...]:
    return ("text",)


def read(file: InputFile, source: Source) -> Iterator[Raw]:
    return documents(json_rows(file), file.where, source)


def documents(rows: Iterable[Row], where: Where, source: Source) -> Iterator[Raw]:
    for raw in documents_of(rows, where, language=source.language or "en"):
        yield raw if raw.problem is not None else Raw(plain_dialogue(raw.text), raw.document_id, raw.language)


def plain_dialogue(text: str) -> str:
    """The turns of a dialogue, one below the other, without the marks of who speaks; empty turns go with their marks."""
    return "\n".join(turn for part in _SPEAKER.split(text) if (turn := part.strip()))
