"""What counts as one written number: the regular expressions, over text whose native digits are ASCII already."""

from __future__ import annotations

import re
from functools import cache

from vaak.text.numbers.number_ordinals import suffixes
from vaak.text.numbers.number_phrases import CURRENCY_SIGNS, LATIN_SCALES, PHRASES

# The nine blocks, but for dandas and the digits of Devanagari; other digits are ASCII by now.
_INDIC = r"\u0900-\u0963\u0970-\u0d7f"
# A letter or sign of an Indic script, or of a Latin word: a figure beside one is part of a name (H2O, mp3) or unknown.
_LETTER = rf"[^\W\d]|[{_INDIC}]"
# An ending ends there too: in 5%$5 the sign is no ending, or reading $5 would change what 5% is.
NO_LETTER_BEHIND = rf"(?!{_LETTER}|[0-9{CURRENCY_SIGNS}])"

# Read digit by digit: +91 98765 43210, 98765 43210, 011-23456789, 1800-123-4567.
_PHONES = (
    r"\+[0-9]{1,3}[ -]?[0-9]{10}",
    r"\+[0-9]{1,3}[ -][0-9]{5}[ -][0-9]{5}",
    r"\+[0-9]{1,3}[ -][0-9]{2,4}[ -][0-9]{3,4}[ -]?[0-9]{4}",
    r"[6-9][0-9]{4}[ -][0-9]{5}",
    r"[6-9][0-9]{2}[ -][0-9]{3}[ -][0-9]{4}",
    r"0[0-9]{2,4}[ -][0-9]{6,8}",
    r"1[89]00[ -][0-9]{3}[ -][0-9]{3,4}",
)
_RUPEES = "₹|Rs\\.?|INR|रु\\.?|रू\\.?|રૂ\\.?|ரூ\\.?|రూ\\.?|ರೂ\\.?|രൂ\\.?|ਰੁ\\.?|৳"

INTEGER = re.compile(r"[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9][0-9])*,[0-9]{3}")
DECIMAL = re.compile(rf"({INTEGER.pattern})\.([0-9]+)")
CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])")
DOTTED_CLOCK = re.compile(r"([0-9]{1,2})\.([0-5][0-9])")
LIST = re.compile(r"[1-9]?[0-9](?:,[1-9]?[0-9])+")
RANGE = re.compile(rf"({INTEGER.pattern}|[0-9]+\.[0-9]+)-({INTEGER.pattern}|[0-9]+\.[0-9]+)")


def _any(words: list[str] | tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


@cache
def written_number(language: str) -> re.Pattern[str]:
    """One number with its signs and endings. Groups: phone, or sign, money, core, and at most one of the endings.

    `core` is always a whole run of digits and single separators, so that no number is cut out of 1.2.3 or 12/05/2020.
    """
    phrases = PHRASES[language]
    endings = [
        r"(?P<percent>\ ?%)",
        r"(?P<only>/-)",
        r"(?P<half>\ ?(?:[ap]m|[AP]M|[ap]\.m\.|[AP]\.M\.))",
        rf"(?P<scale>\ (?:{_any((*phrases.scales, *LATIN_SCALES))}))",
        rf"(?P<joined>(?:{_any(phrases.oclock)}))",
    ]
    if suffixes(language):
        endings.insert(0, rf"(?P<suffix>-?(?:{_any(suffixes(language))}))")
    if language == "en":
        endings.insert(0, r"(?P<decade>'?s)")
    return re.compile(
        rf"""
        (?P<phone>(?<![\w.,:/-])(?:{"|".join(_PHONES)}))(?![.,:/-]?[0-9])
        | (?P<sign>[+-])?
          (?:(?P<money>(?<![\w{_INDIC}])(?:US\$|{_RUPEES}|[$€£]))\ ?)?
          (?P<core>[0-9]+(?:[.,:/-][0-9]+)*)
          (?:(?:{"|".join(endings)}){NO_LETTER_BEHIND})?
        """,
        re.VERBOSE,
    )


@cache
def oclock_behind(language: str) -> re.Pattern[str]:
    """Matches at the end of a time behind which a word for o'clock stands already."""
    return re.compile(rf" ?(?:{_any(PHRASES[language].oclock)}){NO_LETTER_BEHIND}")
