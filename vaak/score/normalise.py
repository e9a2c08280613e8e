"""What counts as the same word when speech is scored: one simple, explicit normaliser per language.

English: lower case, punctuation away, figures spoken out (`vaak.score.numbers`), a few spellings unified.
Indic: `vaak.score.normalise_indic`. Whisper's own normaliser is never used: it turns Indic vowel signs into spaces, so
that wrong words score as right.
"""

from __future__ import annotations

import re
import unicodedata

from vaak.languages import language_of
from vaak.score.normalise_indic import normalise_indic
from vaak.score.numbers import FIGURE, NUMBER_WORDS, spoken_forms

_ABBREVIATIONS = {"mr": "mister", "mrs": "missus", "dr": "doctor", "prof": "professor", "vs": "versus", "ok": "okay"}
# British and American spellings that a recogniser chooses by itself; both sides become the second.
_SPELLINGS = {
    "grey": "gray", "colour": "color", "colours": "colors", "coloured": "colored", "harbour": "harbor", "neighbour": "neighbor",
    "neighbours": "neighbors", "favourite": "favorite", "honour": "honor", "labour": "labor", "flavour": "flavor",
    "centre": "center", "theatre": "theater", "metre": "meter", "metres": "meters", "litre": "liter", "litres": "liters",
    "kilometre": "kilometer", "kilometres": "kilometers", "programme": "program", "travelled": "traveled",
    "travelling": "traveling", "traveller": "traveler", "cheque": "check", "realise": "realize", "organise": "organize",
    "recognise": "recognize", "mum": "mom", "storey": "story", "plough": "plow", "jewellery": "jewelry", "pyjamas": "pajamas",
}  # fmt: skip


def normalise_for_scoring(text: str, language: str) -> str:
    """`text` as single-spaced words for scoring in `language` (any tag that `language_of` knows; empty text stays empty)."""
    code = language_of(language)
    if code == "en":
        return " ".join(word for forms in english_segments(text) for word in forms[0])
    return normalise_indic(text, code)


def english_segments(text: str) -> list[list[list[str]]]:
    """English text as segments; each is a list of alternative word lists, the likeliest first.

    Plain words have one alternative; a written figure has one for each usual reading of it.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("⁄", "/")
    text = text.replace("’", "'").replace("&", " and ").replace("%", " percent ").replace("per cent", "percent")
    text = re.sub(r"\b([ap])\.? ?m\b\.?", r"\1m", text)
    text = re.sub(r"(\d)([ap]m)\b", r"\1 \2", text)
    text = re.sub(r"\brs\.? ?(?=\d)", "₹", text)
    segments: list[list[list[str]]] = []
    position = 0
    for match in FIGURE.finditer(text):
        segments.append([_plain_words(text[position : match.start()])])
        segments.append([_drop_and(form) for form in spoken_forms(match.group())])
        position = match.end()
    segments.append([_plain_words(text[position:])])
    return [forms for forms in segments if forms != [[]]]


def _plain_words(text: str) -> list[str]:
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).replace("'", "")
    text = re.sub(r"\b(?:[a-z]\.){2,}", lambda match: match.group().replace(".", ""), text)
    words = "".join(c if c.isalnum() else " " for c in text).split()
    return _drop_and([_SPELLINGS.get(word, _ABBREVIATIONS.get(word, word)) for word in words])


def _drop_and(words: list[str]) -> list[str]:
    """Without the "and" of "two hundred and five": it is said or not said, written or not, for the same number."""
    scales = ("hundred", "thousand", "million", "billion")
    return [
        word
        for i, word in enumerate(words)
        if not (word == "and" and 0 < i < len(words) - 1 and words[i - 1] in scales and words[i + 1] in NUMBER_WORDS)
    ]
