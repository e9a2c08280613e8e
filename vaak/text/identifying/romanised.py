"""Is Latin text an Indic language in Latin letters? Counted over very frequent words, endings and spellings."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from vaak.text.identifying.function_words import ENGLISH, ending_pattern, inverted
from vaak.text.identifying.romanised_words import ENDINGS, LETTERS, WORDS

_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*")
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = re.compile(LETTERS)
_ENGLISH = frozenset(ENGLISH.split())
# English words that also are words of romanised Hindi, Marathi, Telugu, Tamil ...: "is", "use", "to", "any", "than".
_HOMOGRAPHS = frozenset(
    ("a", "i", "an", "any", "as", "at", "do", "he", "is", "it", "me", "no", "or", "than", "to", "us", "use")
)
_HALF = 0.5  # a homograph, an ending or a spelling says less than a whole word


@dataclass(frozen=True)
class LatinWords:
    """Shares among the `n` words of a text: of English function words, and of words marked as romanised Indic.

    `language` is the Indic language with most of the marks, None if there are none. A word is counted once.
    """

    n: int
    english: float
    romanised: float
    language: str | None


def latin_words(text: str) -> LatinWords:
    """Count the English and the romanised Indic marks among the Latin words of `text`. Never raises."""
    if not text.isascii():  # scholars write mẽ, nahīṁ, bāṅglā
        text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    words = _WORD.findall(text.lower())
    if not words:
        return LatinWords(0, 0.0, 0.0, None)
    english = marked = 0.0
    by_language: defaultdict[str, float] = defaultdict(float)
    for mark in map(_mark_of, words):
        english += mark.english
        marked += mark.romanised
        for language in mark.languages:
            by_language[language] += mark.romanised
    language = max(by_language, key=lambda code: by_language[code]) if by_language else None
    return LatinWords(len(words), english / len(words), marked / len(words), language)


class _Mark(NamedTuple):
    """What one word says: how much for English, how much for an Indic language, and for which ones."""

    english: float
    romanised: float
    languages: tuple[str, ...] = ()


@lru_cache(maxsize=1 << 16)  # words come again from document to document
def _mark_of(word: str) -> _Mark:
    if word in _ENGLISH:
        return _Mark(_HALF if word in _HOMOGRAPHS else 1.0, 0.0)
    if languages := _languages_of_words().get(word):
        return _Mark(0.0, 1.0, languages)
    if len(word) >= 5 and (found := _ending().search(word)):
        return _Mark(0.0, _HALF, _languages_of_endings()[found[1]])
    return _Mark(0.0, _HALF if _LETTERS.search(word) else 0.0)


@cache
def _languages_of_words() -> dict[str, tuple[str, ...]]:
    return inverted(WORDS)


@cache
def _languages_of_endings() -> dict[str, tuple[str, ...]]:
    return inverted(ENDINGS)


@cache
def _ending() -> re.Pattern[str]:
    return ending_pattern(_languages_of_endings())
