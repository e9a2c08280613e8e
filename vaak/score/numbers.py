"""English numbers as they are spoken: recognisers write "23" and "7:30" where people say "twenty three" and "seven thirty".

`spoken_forms` gives every usual reading of one written figure, the likeliest first. Scoring compares words, so a figure
must become words on both sides, or a right answer counts as several errors.
"""

from __future__ import annotations

import re

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent"), "₹": ("rupee", "paisa")}
NUMBER_WORDS = frozenset(_UNITS) | frozenset(_TENS[2:]) | {name for _, name in _SCALES}

# Written figures, longest shape first: currency, time, ordinal, decade, decimal, fraction, integer with or without commas.
FIGURE = re.compile(
    r"[$£€₹]\s?\d[\d,]*(?:\.\d+)?"
    r"|\d{1,2}:\d{2}(?!\d)"
    r"|\d[\d,]*(?:st|nd|rd|th)(?![a-z])"
    r"|\d{2,4}'?s(?![a-z])"
    r"|\d[\d,]*\.\d+"
    r"|\d+/\d+"
    r"|\d{1,3}(?:,\d{3})+|\d+"
)


def cardinal(number: int) -> list[str]:
    """`number` (0 or more) as English words without "and": 123 is one hundred twenty three."""
    if number < 20:
        return [_UNITS[number]]
    if number < 100:
        return [_TENS[number // 10]] + ([_UNITS[number % 10]] if number % 10 else [])
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            return [*cardinal(number // scale), name, *(cardinal(rest) if rest else [])]
    raise AssertionError("unreachable: every number from 100 has a scale")


def ordinal(number: int) -> list[str]:
    """`number` as an ordinal: 21 is twenty first."""
    *head, last = cardinal(number)
    if last in IRREGULAR_ORDINALS:
        return [*head, IRREGULAR_ORDINALS[last]]
    return [*head, last[:-1] + "ieth" if last.endswith("y") else last + "th"]


def _digits(figures: str, zero: str = "zero") -> list[str]:
    return [zero if digit == "0" else _UNITS[int(digit)] for digit in figures]


def _pair(two: int) -> list[str]:
    """The second half of a year, a time or a house number: 05 is "oh five"."""
    return ["oh", *cardinal(two)] if two < 10 else cardinal(two)


def _plural(words: list[str]) -> list[str]:
    *head, last = words
    return [*head, last[:-1] + "ies" if last.endswith("y") else last + ("es" if last.endswith("x") else "s")]


def _year(number: int) -> list[list[str]]:
    """Readings of a four-digit year or house number in pairs."""
    high, low = divmod(number, 100)
    if low == 0:
        return [[*cardinal(high), "hundred"]] if high % 10 else []
    return [[*cardinal(high), *_pair(low)]]


def _integer(figures: str) -> list[list[str]]:
    plain = figures.replace(",", "")
    if len(plain) > 15:
        return [_digits(plain), _digits(plain, "oh")]
    number = int(plain)
    forms = [cardinal(number)]
    if "," not in figures and len(plain) == 4 and plain[0] != "0":
        forms = _year(number) + forms if 1100 <= number <= 1999 or 2010 <= number <= 2099 else forms + _year(number)
    if len(plain) == 3 and plain[0] != "0" and number % 100:
        forms.append([_UNITS[number // 100], *_pair(number % 100)])
    if forms[0][0] == "one" and len(forms[0]) > 1:
        forms.append(["a", *forms[0][1:]])
    if len(plain) > 1:
        forms += [_digits(plain), _digits(plain, "oh")]
    return forms


def _clock(hour: int, minute: int) -> list[list[str]]:
    if minute == 0:
        return [[*cardinal(hour), "oclock"], cardinal(hour), [*cardinal(hour), "hundred"]]
    return [[*cardinal(hour), *_pair(minute)]]


def _money(symbol: str, amount: str) -> list[list[str]]:
    unit, part = _CURRENCIES[symbol]
    whole, _, fraction = amount.replace(",", "").partition(".")
    words = cardinal(int(whole))
    units = [unit] if int(whole) == 1 else _plural([unit])
    if len(fraction) == 2 and int(fraction):
        parts = "pence" if part == "penny" else "paise" if part == "paisa" else part + "s"
        low = cardinal(int(fraction))
        return [
            [*words, *units, "and", *low, parts],
            [*words, *units, *low, parts],
            [*words, *units, *low],
            [*words, *low],
        ]
    if fraction and int(fraction):
        return [[*words, "point", *_digits(fraction), *units]]
    return [[*form, *units] for form in _integer(whole)]


def _fraction(top: int, bottom: int) -> list[list[str]]:
    if bottom == 2 and top == 1:
        return [["one", "half"], ["half"], ["a", "half"]]
    name = ["quarter"] if bottom == 4 else ordinal(bottom) if bottom > 2 else ["half"]
    return [[*cardinal(top), *(name if top == 1 else _plural(name))], [*cardinal(top), *cardinal(bottom)]]


def spoken_forms(figure: str) -> list[list[str]]:
    """Readings of one written figure (a match of `FIGURE`, lower case), the likeliest first; never empty."""
    if figure[0] in _CURRENCIES:
        return _money(figure[0], figure[1:].strip())
    if ":" in figure:
        hour, minute = figure.split(":")
        return _clock(int(hour), int(minute))
    if figure[-2:] in ("st", "nd", "rd", "th"):
        return [ordinal(int(figure[:-2].replace(",", "")))]
    if figure.endswith("s"):
        stem = figure.rstrip("s'")
        return [_plural(form) for form in _integer(stem)]
    if "/" in figure:
        top, bottom = figure.split("/")
        if int(bottom) == 0:
            return [[*cardinal(int(top)), "zero"]]
        return _fraction(int(top), int(bottom))
    if "." in figure:
        whole, fraction = figure.replace(",", "").split(".")
        forms = [[*cardinal(int(whole)), "point", *_digits(fraction)]]
        if len(fraction) == 2 and int(whole) < 25 and int(fraction) < 60:
            forms += _clock(int(whole), int(fraction))
        if len(fraction) == 2 and fraction[0] != "0":
            forms.append([*cardinal(int(whole)), "point", *cardinal(int(fraction))])
        return forms
    return _integer(figure)
