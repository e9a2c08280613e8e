"""`clean` and its faster parts written plainly: every step over the whole text, again and again, until nothing changes."""

from __future__ import annotations

import re

from vaak.text.cleaning.boilerplate import without_boilerplate
from vaak.text.cleaning.clean import _MARKUP, _ROUNDS
from vaak.text.cleaning.code import without_code
from vaak.text.cleaning.controls import (
    _ACCENTED,
    _ASCII_TWINS,
    _INVISIBLE,
    _LINE_ENDS,
    _PAIRS,
    _SPACES,
    _STRAY_JOINERS,
    _composed,
    _joined,
)
from vaak.text.cleaning.entities import unescaped
from vaak.text.cleaning.html import html_to_text
from vaak.text.cleaning.links import _TOP_LEVEL, without_links
from vaak.text.cleaning.mojibake import repaired
from vaak.text.cleaning.tables import without_tables

_TRIGGERS = re.compile(rf"://|@|www\.|WWW\.|Www\.|\.(?:{_TOP_LEVEL})(?::\d{{1,5}})?/")


def clean_in_whole_rounds(text: str) -> str:
    for markup in (None, _MARKUP):
        if markup:
            text = markup.sub(" ", text)
        for _ in range(_ROUNDS):
            before = text
            text = plain_controls(repaired(unescaped(html_to_text(text))))
            text = line_by_line(without_links(without_tables(without_code(text))))
            text = plain_spacing(text)
            if text == before:
                return text
    return ""


def plain_controls(text: str) -> str:
    """`without_controls` with no look beforehand at whether there is anything to do."""
    text = _PAIRS.sub(_joined, text)
    text = _SPACES.sub(" ", _LINE_ENDS.sub("\n", text))
    text = _STRAY_JOINERS.sub("", _INVISIBLE.sub("", text))
    return _ACCENTED.sub(_composed, text).translate(_ASCII_TWINS)


def line_by_line(text: str) -> str:
    """`without_boilerplate`, each line looked at alone."""
    lines = text.split("\n")
    return "\n".join([line for line in lines if not line or without_boilerplate(line) == line != ""])


def plain_spacing(text: str) -> str:
    text = re.sub(r" [ \t]+|\t[ \t]*", " ", text)
    text = "\n".join([line.strip() for line in text.split("\n")])
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def places_of_triggers(text: str) -> list[int]:
    """Where an address may be, by one pattern. Two triggers never share a character: `://` and a slash apart."""
    starts = {match.start() for match in _TRIGGERS.finditer(text)}
    return sorted(starts | {match.start() for match in re.finditer("://", text)})
