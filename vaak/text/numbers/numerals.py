"""Digits of a text kept, turned into the digits of its script, or read out in words.

What words are made of, by example in English: 12,34,567 and 1,234,567 and ௧௨; 3.14; -5; 1984 (a year, where the language
says years in their own way); ₹1,250.50 and Rs. 500/- and $5 million; 12.5%; 10:30 and 5:45 pm; 21st; 1990s; 10-12 and
2019-20; 1,2,3; +91 98765 43210 and any ten digits or more without commas, or with a leading zero, digit by digit.

What cannot be read surely stays in digits: dates (12/05/2020, 2020-05-12), fractions and ratios (1/2, 24/7, 4:3), scores
(3-2), versions and addresses (1.2.3), wrong grouping (1,2345), figures inside or beside letters (H2O, mp3, 5km, A4), and
figures with an ending that is in no table (2020-ൽ, 10க்கு), places to fill in (%1; $1 outside English), and rows of over 64
figures. Powers and other signs (10²) are not digits of a number here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from vaak.languages import LANGUAGES, SCRIPTS
from vaak.text.numbers.number_phrases import CURRENCY_SIGNS

Policy = Literal["keep", "native", "words"]

# Digits have offset 0x66 in each Indic block.
_ZEROS = [first + 0x66 for script, (first, _) in SCRIPTS.items() if script != "Latin"]
_NATIVE = re.compile("[" + "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in _ZEROS) + "]+")
_ANY_DIGIT = re.compile("[0-9" + "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in _ZEROS) + "]")
_ASCII = {zero + value: 0x30 + value for zero in _ZEROS for value in range(10)}
_FIGURE = re.compile("[0-9]")
_FREE_FIGURES = re.compile(r"(?<![0-9A-Za-z_])[0-9]+(?![0-9A-Za-z_])")
_LONGEST_BEFORE = 6  # characters of a number before its first figure: "-US$ "
_DRAVIDIAN = ("ta", "te", "kn", "ml")


def numerals(text: str, language: str, policy: Policy) -> str:
    """`text` with its numbers written as `policy` says. Twice gives the same as once; any string is taken.

    "native": ASCII digits become those of the language's script, but for those in Latin words; other scripts' digits
    stay, and English changes nothing. "words": as above. A language outside the table changes nothing.
    """
    if policy == "keep" or language not in LANGUAGES or not _ANY_DIGIT.search(text):
        return text
    return _to_native(text, language) if policy == "native" else _to_words(text, language)


def _to_native(text: str, language: str) -> str:
    if language == "en":
        return text
    zero = SCRIPTS[LANGUAGES[language].script][0] + 0x66
    digits = {0x30 + value: zero + value for value in range(10)}
    return _FREE_FIGURES.sub(lambda match: match[0].translate(digits), text)


def _to_words(text: str, language: str) -> str:
    # Here and not above: the words need an optional package.
    from vaak.text.numbers.number_patterns import written_number
    from vaak.text.numbers.number_reading import read

    # Same length, so that what stays as it is can be copied from `text`.
    ascii_digits = text if text.isascii() else _NATIVE.sub(lambda match: match[0].translate(_ASCII), text)
    out: list[str] = []
    copied = 0
    for match in matches(written_number(language), ascii_digits):
        if _is_in_a_word(match, language):
            continue
        said = read(match, language)
        if said is not None:
            out += (text[copied : match.start()], said)
            copied = match.end()
    return "".join((*out, text[copied:])) if out else text


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """`pattern.finditer(text)` for a pattern of `written_number`, tried only where a figure is near."""
    place = 0
    while figure := _FIGURE.search(text, place):
        match = pattern.search(text, max(place, figure.start() - _LONGEST_BEFORE))
        if match is None:
            return
        yield match
        place = match.end()


def _is_in_a_word(match: re.Match[str], language: str) -> bool:
    """A letter or a currency sign on either side: who knows what the figure means there."""
    text, start, end = match.string, match.start(), match.end()
    behind = text[end : end + 1]
    if behind and (_is_of_word(behind) or behind in CURRENCY_SIGNS):
        return True
    if language in _DRAVIDIAN and behind == "-" and text[end + 1 : end + 2].isalpha():
        return True  # a case ending, which changes the last sound of the number
    before = text[start - 1] if start else " "
    if before in CURRENCY_SIGNS + "@":
        return True
    # %1 is a place to fill in, as $1 is (see number_reading).
    return (before == "%" or _is_of_word(before)) and not match["sign"]


@lru_cache(maxsize=1024)
def _is_of_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"
