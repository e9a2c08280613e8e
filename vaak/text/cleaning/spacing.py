"""Spaces and line breaks: one space, lines without spaces at their ends, at most one empty line."""

from __future__ import annotations

import re

_SPACES = re.compile("  +")
_EMPTY_LINES = re.compile(r"\n\n\n+")


def spaced(text: str) -> str:
    """`text` with single spaces, no spaces at the ends of lines, and at most one empty line in a row."""
    if "\t" in text:
        text = text.replace("\t", " ")
    lines = [line.strip() for line in text.split("\n")]
    text = "\n".join([_SPACES.sub(" ", line) if "  " in line else line for line in lines])
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip("\n")
