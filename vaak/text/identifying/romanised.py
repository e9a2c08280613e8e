"""Is Latin text an Indic language in Latin letters? Counted over very frequent words, endings and spellings."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache

from vaak.text.identifying.function_words import ENGLISH, ending_of, inverted
from vaak.text.identifying.romanised_words import ENDINGS, LETTERS, WORDS

_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*")
# Of ASCII: small letters and apostrophes as they are, all else as spaces.
_LETTERS_APART = bytes(
    ord(c) if c in "'abcdefghijklmnopqrstuvwxyz" else 32 for c in map(str.lower, map(chr, range(256)))
)
_MARKS = re.compile("[\u0300-\u036f]+")
_LETTERS = re.compile(LETTERS)
_ENGLISH = frozenset(ENGLISH.split())
# English words that also are words of romanised Hindi, Marathi, Telugu, Tamil ...: "is", "use", "to", "any", "than".
HOMOGRAPHS = frozenset(
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
    words = _words(text)
    if not words:
        return LatinWords(0, 0.0, 0.0, None)
    english = marked = 0.0
    by_language: defaultdict[str, float] = defaultdict(float)
    for mark, n in Counter(map(_mark_of, words)).items():
        english += n * mark.english
        marked += n * mark.romanised
        for language in mark.languages:
            by_language[language] += n * mark.romanised
    language = max(by_language, key=lambda code: by_language[code]) if by_language else None
    return LatinWords(len(words), english / len(words), marked / len(words), language)


def _words(text: str) -> list[str]:
    """What `_WORD` finds in the small letters of `text`."""
    if not text.isascii():
        return _WORD.findall(text.lower())
    words = text.encode("ascii").translate(_LETTERS_APART).decode("ascii").split()
    if "'" not in text:
        return words
    return [word for one in words for word in ((one,) if one.isalpha() else _WORD.findall(one))]


@dataclass(frozen=True, eq=False)
class _Mark:
    """What one word says: how much for English, how much for an Indic language, and for which ones. The same object
    for all words that say the same, to be counted."""

    english: float
    romanised: float
    languages: tuple[str, ...] = ()


@cache
def _mark(english: float, romanised: float, languages: tuple[str, ...] = ()) -> _Mark:
    return _Mark(english, romanised, languages)


@lru_cache(maxsize=1 << 16)  # words come again from document to document
def _mark_of(word: str) -> _Mark:
    if word in _ENGLISH:
        return _mark(_HALF if word in HOMOGRAPHS else 1.0, 0.0)
    if languages := _languages_of_words().get(word):
        return _mark(0.0, 1.0, languages)
    if len(word) >= 5 and (ending := ending_of(word, _languages_of_endings())):
        return _mark(0.0, _HALF, _languages_of_endings()[ending])
    return _mark(0.0, _HALF if _LETTERS.search(word) else 0.0)


@cache
def _languages_of_words() -> dict[str, tuple[str, ...]]:
    return inverted(WORDS)


@cache
def _languages_of_endings() -> dict[str, tuple[str, ...]]:
    return inverted(ENDINGS)
