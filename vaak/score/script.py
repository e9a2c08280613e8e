"""How much of a recogniser's output is written in the script of its language."""

from __future__ import annotations

import unicodedata

from vaak.languages import LANGUAGES, SCRIPTS, language_of


def script_share(text: str, language: str) -> float:
    """Share of the letters and signs of `text` that are of the script of `language`; nan where there are none.

    Digits, punctuation, spaces, joiners and marks that scripts share (accents, Vedic signs) do not count, so "" and "25"
    are nan: neither right nor wrong. A recogniser that writes Hindi in Latin or Urdu letters has a low share, and its
    error rates mean nothing. Of a corpus: its texts joined by spaces.
    """
    inside, letters = script_counts(text, language)
    return inside / letters if letters else float("nan")


def script_counts(text: str, language: str) -> tuple[int, int]:
    """(letters and signs of `text` that are of the script of `language`, all of them), as `script_share` counts them."""
    first, last = SCRIPTS[LANGUAGES[language_of(language)].script]
    points = [ord(char) for char in unicodedata.normalize("NFC", text) if _has_a_script(char)]
    return sum(first <= point <= last for point in points), len(points)


def _has_a_script(char: str) -> bool:
    category = unicodedata.category(char)[0]
    shared_mark = (category == "M" and not 0x0900 <= ord(char) <= 0x0DFF) or "\u0951" <= char <= "\u0954"
    return category in "LM" and not shared_mark
