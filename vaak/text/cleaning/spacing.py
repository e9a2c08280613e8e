"""Spaces and line breaks: one space, lines without spaces at their ends, at most one empty line."""

from __future__ import annotations

import re

_RUN = re.compile(r" [ \t]+|\t[ \t]*")
_DOUBLE = re.compile("  ")
_EMPTY_LINES = re.compile(r"\n{3,}")


def spaced(text: str) -> str:
    """`text` with single spaces, no spaces at the ends of lines, and at most one empty line in a row."""
    if "\t" in text or _DOUBLE.search(text):
        text = _RUN.sub(" ", text)
    text = "\n".join([line.strip() for line in text.split("\n")])
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip("\n")
