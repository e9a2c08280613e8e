"""One written number (a match of `vaak.text.numbers.number_patterns`) in words, or None where it cannot be read surely."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache, partial

from vaak.text.numbers.number_ordinals import with_suffix
from vaak.text.numbers.number_patterns import (
    CLOCK,
    DECIMAL,
    DOTTED_CLOCK,
    INTEGER,
    LIST,
    RANGE,
    oclock_behind,
    written_number,
)
from vaak.text.numbers.number_phrases import BEFORE_UNIT, FROM, PHRASES
from vaak.text.numbers.number_words import by_digit, cardinal, ended, year

_LONGEST_CARDINAL = 15  # digits: beyond a hundred lakh crores nobody says the number
_LONGEST_CORE = 64  # characters: what is longer is no number but data
_SHORTEST_CODE = 10  # digits without commas: from here on a telephone or account number


def read(match: re.Match[str], language: str) -> str | None:
    """The whole match in words of `language`."""
    phrases = PHRASES[language]
    if match["phone"]:
        plus = phrases.plus + " " if match["phone"][0] == "+" else ""
        return plus + by_digit(match["phone"], language)
    sign, core = match["sign"] or "", match["core"]
    if len(core) > _LONGEST_CORE:
        return None
    # What may be a time depends on the word behind it. Everything else does not depend on its place, and is remembered.
    said = _read_core(match, language) if ":" in core or "." in core else _read_alone(match[0][len(sign) :], language)
    if said is None or not match["sign"]:
        return said
    before = match.string[match.start() - 1] if match.start() else " "
    if before.isalnum() or unicodedata.category(before)[0] == "M" or before in ")]%/":
        return match["sign"] + said  # a hyphen (COVID-19), a sum (5+3), +/-16
    return f"{phrases.minus if match['sign'] == '-' else phrases.plus} {said}"


@lru_cache(maxsize=65536)
def _read_alone(written: str, language: str) -> str | None:
    match = written_number(language).fullmatch(written)
    return _read_core(match, language) if match and match["core"] else None


def _read_core(match: re.Match[str], language: str) -> str | None:
    core, groups = match["core"], match.groupdict()
    if groups["money"] or groups["only"]:
        return _money(groups, language)
    if groups["scale"]:
        said = _amount(core, language)
        return said and said + groups["scale"]
    time = _time(match, language)
    if time:
        return time
    if ":" in core or groups["half"]:
        return None
    if groups["percent"]:
        said = _amount(core, language)
        return said and PHRASES[language].percent.format(n=said)
    if groups.get("suffix"):
        return _ending(core, groups["suffix"], language)
    if groups.get("decade"):
        return _decade(core)
    said = _amount(core, language)
    return f"{said} {groups['joined']}" if said and groups["joined"] else said


def _amount(core: str, language: str) -> str | None:
    """A number, a range or a list without anything beside it."""
    if INTEGER.fullmatch(core):
        return _integer(core, language)
    if decimal := DECIMAL.fullmatch(core):
        return _decimal(decimal[1], decimal[2], language)
    if LIST.fullmatch(core):
        return ", ".join(cardinal(int(part), language) for part in core.split(","))
    if between := RANGE.fullmatch(core):
        return _range(between[1], between[2], language)
    return None


def _integer(figures: str, language: str) -> str | None:
    plain = figures.replace(",", "")
    if "," not in figures:
        if len(plain) >= _SHORTEST_CODE or (plain[0] == "0" and len(plain) > 1):
            return by_digit(plain, language)
        if len(plain) == 4:
            return year(int(plain), language) or cardinal(int(plain), language)
    return cardinal(int(plain), language) if len(plain) <= _LONGEST_CARDINAL else None


def _decimal(whole: str, fraction: str, language: str) -> str | None:
    plain = whole.replace(",", "")
    if len(plain) > _LONGEST_CARDINAL or (len(plain) > 1 and plain[0] == "0"):
        return None
    return f"{cardinal(int(plain), language)} {PHRASES[language].point} {by_digit(fraction, language)}"


def _range(low: str, high: str, language: str) -> str | None:
    """Only upwards: 3-2 is a score. A second year may be shortened (2019-20)."""
    codes = [part for part in (low, high) if len(part) > 1 and part[0] == "0" and part[1] != "."]
    if codes or max(len(low), len(high)) > _LONGEST_CARDINAL:
        return None
    first, last = float(low.replace(",", "")), float(high.replace(",", ""))
    shortened = len(low) == 4 and len(high) == 2 and low.isdigit() and high.isdigit() and 1100 <= first <= 2099
    if first >= last and not (shortened and first % 100 < last):
        return None
    a, b = _amount(low, language), _amount(high, language)
    return a and b and PHRASES[language].to.format(a=ended(a, FROM.get(language, ())), b=b)


def _money(groups: dict[str, str | None], language: str) -> str | None:
    phrases, core = PHRASES[language], groups["core"] or ""
    sign = (groups["money"] or "₹")[-1]
    unit = {"$": phrases.dollars, "€": phrases.euros, "£": phrases.pounds}.get(sign, phrases.rupees)
    one, many = unit.split("|")
    counted = partial(ended, endings=BEFORE_UNIT.get(language, ()))
    if ":" in core or groups["percent"] or groups["half"] or groups.get("suffix") or groups.get("decade"):
        return None
    if groups["joined"]:
        return None
    if sign == "$" and len(core) == 1 and language != "en" and not groups["scale"]:
        return None  # $1 is more often a place to fill in than a dollar
    if groups["scale"]:
        said = _amount(core, language)
        return said and f"{counted(said + groups['scale'])} {many}"
    if decimal := DECIMAL.fullmatch(core):
        whole, fraction = decimal[1].replace(",", ""), decimal[2]
        if not int(fraction):
            core = whole
        elif len(fraction) == 2 and unit == phrases.rupees and len(whole) <= _LONGEST_CARDINAL:
            low_one, low_many = phrases.paise.split("|")
            paise = f"{cardinal(int(fraction), language)} {low_one if fraction == '01' else low_many}"
            rupees = f"{counted(cardinal(int(whole), language))} {one if int(whole) == 1 else many}"
            return f"{rupees} {paise}" if int(whole) else paise
    plain = core.replace(",", "")
    if INTEGER.fullmatch(core):
        if len(plain) > _LONGEST_CARDINAL:
            return None
        return f"{counted(cardinal(int(plain), language))} {one if int(plain) == 1 else many}"
    said = _amount(core, language)
    return said and f"{counted(said)} {many}"


def _time(match: re.Match[str], language: str) -> str | None:
    """10:30, 5:45 pm, 5 pm, 10.30 before a word for o'clock; None if it is no time."""
    phrases, core, half = PHRASES[language], match["core"], match["half"]
    oclock = oclock_behind(language).match(match.string, match.end("core"))
    clock = CLOCK.fullmatch(core) or (DOTTED_CLOCK.fullmatch(core) if half or oclock else None)
    if clock is None and half and INTEGER.fullmatch(core) and 1 <= int(core.replace(",", "")) <= 12:
        return f"{cardinal(int(core), language)}{_half(half, language)}"
    attached = match.groupdict().get("suffix") or match["joined"]
    if clock is None or int(clock[1]) > 24 or match["percent"] or match.groupdict().get("decade"):
        return None
    if attached and attached not in phrases.oclock:
        return None
    hour, minute = cardinal(int(clock[1]), language), int(clock[2])
    said_minute = f"oh {cardinal(minute, 'en')}" if language == "en" and minute < 10 else cardinal(minute, language)
    if half:
        said = hour if not minute else phrases.clock.format(h=hour, m=said_minute)
        return said + _half(half, language)
    if match["joined"]:
        return f"{hour} {said_minute} {attached}" if minute else f"{hour} {attached}"
    if oclock and not attached:
        return f"{hour} {said_minute}" if minute else hour
    said = phrases.clock.format(h=hour, m=said_minute) if minute else phrases.hour.format(h=hour)
    minutes = phrases.clock.partition("{m}")[2]
    if minute and minutes and match.string.startswith(minutes, match.end()):
        said = said.removesuffix(minutes)  # the word stands in the text already (১০:৩০ মিনিটে)
    return said


def _half(written: str, language: str) -> str:
    """ante or post meridiem: as written in English, by the names of the letters elsewhere."""
    if language == "en":
        return " " + written.strip()
    return " " + (PHRASES[language].am if "a" in written.lower() else PHRASES[language].pm)


def _ending(core: str, suffix: str, language: str) -> str | None:
    plain = core.replace(",", "")
    if not INTEGER.fullmatch(core) or len(plain) >= _SHORTEST_CODE or (plain[0] == "0" and len(plain) > 1):
        return None
    return with_suffix(int(plain), suffix.removeprefix("-"), language)


def _decade(core: str) -> str | None:
    """1990s, the 90's: a year or a number in the plural."""
    if not (core.isdigit() and len(core) in (2, 4) and core[-1] == "0" and int(core)):
        return None
    said = year(int(core), "en") or cardinal(int(core), "en")
    return said[:-1] + "ies" if said.endswith("y") else said + ("es" if said.endswith("x") else "s")
