"""Numbers as words in twelve languages: the words of `indic-numtowords` below a thousand, corrected, and the rest by rule.

From 1000 on a number is crores, lakhs, thousands and the rest, which the library does too, but with faults of its own
(`vaak.text.numbers.number_overrides` lists them all and how they were found). There is no limit above: a hundred lakh crores are said.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from indic_numtowords import num2words  # pyright: ignore[reportMissingImports]

from vaak.text.numbers.number_overrides import (
    BEFORE,
    HUNDREDS,
    JOINED_THOUSANDS,
    MULTIPLIERS,
    SCALES,
    THOUSANDS,
    UNITS,
)

_SIZES = (1000, 10**5, 10**7)
# Years are said in hundreds (उन्नीस सौ चौरासी): the word, and whether it stands apart. Tamil, Kannada
# and Malayalam say the thousand, Kannada without its one.
_HUNDREDS_OF_YEARS = {
    "hi": " सौ",
    "pa": " ਸੌ",
    "gu": "સો",
    "mr": "शे",
    "bn": "শো",
    "as": " শ",
    "or": " ଶହ",
    "te": " వందలు",
}


@lru_cache(maxsize=65536)
def cardinal(number: int, language: str) -> str:
    """`number` (0 or more) in words of `language` (a code of the table)."""
    if number < 1000:
        return _below_thousand(number, language)
    parts = []
    rest = number
    for scale in (2, 1, 0):
        count, rest = divmod(rest, _SIZES[scale])
        if count:
            parts.append(_scaled(count, scale, language, before=rest > 0))
    if rest:
        if language == "en" and rest < 100:
            parts.append("and")
        said = _below_thousand(rest, language)
        # ଶହେ is a hundred by itself: inside a number it is ଏକ ଶହ.
        parts.append(said.replace("ଶହେ", "ଏକ ଶହ") if language == "or" else said)
    return " ".join(parts)


def year(number: int, language: str) -> str | None:
    """A year of 1100 to 1999 (in English to 2099) as people say it; None where it is said as any other number."""
    high, low = divmod(number, 100)
    if language == "en":
        if not (1100 <= number <= 1999 or 2010 <= number <= 2099):
            return None
        if low == 0:
            return f"{cardinal(high, 'en')} hundred"
        return f"{cardinal(high, 'en')} {'oh ' if low < 10 else ''}{cardinal(low, 'en')}"
    if 1100 <= number <= 1999 and language == "kn":
        return cardinal(number, "kn").removeprefix("ಒಂದು ")
    if not 1100 <= number <= 1999 or language not in _HUNDREDS_OF_YEARS:
        return None
    hundreds = cardinal(high, language) + _HUNDREDS_OF_YEARS[language]
    return (
        f"{ended(hundreds, BEFORE['te']) if language == 'te' else hundreds} {cardinal(low, language)}"
        if low
        else hundreds
    )


def by_digit(figures: str, language: str) -> str:
    """Each of the ASCII digits of `figures` by itself; what is no digit is passed over."""
    return " ".join(cardinal(int(figure), language) for figure in figures if figure.isdigit())


def _below_thousand(number: int, language: str) -> str:
    if number < 100:
        return _below_hundred(number, language)
    hundreds, rest = number - number % 100, number % 100
    said = HUNDREDS.get(language, {}).get(hundreds) or _library(hundreds, language)
    if not rest:
        return said
    if language == "en":
        said += " and"
    return f"{ended(said, BEFORE.get(language, ()))} {_below_hundred(rest, language)}"


def _below_hundred(number: int, language: str) -> str:
    own = UNITS.get(language, {}).get(number)
    if own is not None:
        return unicodedata.normalize("NFC", own)
    said = _library(number, language)
    return said.replace(" ", "-") if language == "en" else said


def _library(number: int, language: str) -> str:
    said = num2words(number, lang=language)
    return unicodedata.normalize("NFC", said.replace("\u200b", "").replace("\u200c", "").replace("\u200d", "").strip())


def _scaled(count: int, scale: int, language: str, before: bool) -> str:
    """So many thousands, lakhs or crores; `before` says that more words of the number follow."""
    forms = SCALES[language][scale]
    if count == 1:
        return forms.one_before if before else forms.one
    multiplier = cardinal(count, language)
    if scale == 0 and language in JOINED_THOUSANDS:
        joined = THOUSANDS[language].get(count) or ended(multiplier, JOINED_THOUSANDS[language])
        return ended(joined, BEFORE[language]) if before else joined
    return f"{ended(multiplier, MULTIPLIERS.get(language, ()))} {forms.many_before if before else forms.many}"


def ended(words: str, endings: tuple[tuple[str, str], ...]) -> str:
    """`words` with the first of `endings` that fits replaced."""
    for ending, changed in endings:
        if words.endswith(ending):
            return words[: len(words) - len(ending)] + changed
    return words
