"""What is not language leaves a document: markup, links, code, tables, boilerplate, broken characters."""

from __future__ import annotations

import re

from vaak.text.cleaning.boilerplate import without_boilerplate
from vaak.text.cleaning.code import without_code
from vaak.text.cleaning.controls import without_controls
from vaak.text.cleaning.entities import unescaped
from vaak.text.cleaning.html import html_to_text
from vaak.text.cleaning.links import without_links
from vaak.text.cleaning.mojibake import repaired
from vaak.text.cleaning.spacing import spaced
from vaak.text.cleaning.tables import without_tables

# A step may reveal work for an earlier one: `&lt;b&gt;` becomes a tag, a removed tag joins two halves of another.
# Markup on the web is escaped once or twice, and one round more sees that nothing is left. What takes eight was made to.
_ROUNDS = 8

# What every step looks for has one of these in it.
_MARKUP = re.compile(r"[^\w\s.,?!'\"\-\u0964\u0965\u200c\u200d\u0300-\u036f\u0900-\u0dff]|[\x80-\xff]|\bwww\b", re.I)


def clean(text: str) -> str:
    """The prose of `text`, a line per paragraph or verse, at most one empty line between, no spaces at line ends.

    Works on any string and is idempotent: it returns only what a whole round of steps leaves as it is. A text that
    still changes after eight rounds was nested to be so; it loses every sign that markup is made of, and if it does
    not settle then either, nothing of it is left. Time is linear in the length.
    """
    for markup in (None, _MARKUP):
        if markup:
            text = markup.sub(" ", text)
        looked_at: set[str] = set()
        for number in range(_ROUNDS):
            before, text = text, _round(text, looked_at, again=number > 0)
            if text == before:
                return text
    return ""


def _round(text: str, looked_at: set[str], *, again: bool) -> str:
    """One round of steps; `looked_at` gains the lines that are no boilerplate.

    `again` says that `text` comes from a round before. Of what that round did nothing is done twice: its characters
    are still plain unless markup became others, a line that it left is still no boilerplate, and single spaces are
    single until something goes from between them.
    """
    before = text
    # Tags before entities, so that what an attribute quotes cannot end its tag; mojibake before control characters,
    # since the second byte of many Indic letters is read as one.
    text = html_to_text(text)
    text = unescaped(text)
    text = repaired(text)
    text = without_controls(text, again=again and text is before)
    text = without_code(text)
    text = without_tables(text)
    text = without_links(text)
    text = without_boilerplate(text, looked_at)
    return text if again and text is before else spaced(text)
