"""Danda and visarga of the Indic scripts, told from the signs that look like them.

A danda (।, U+0964, of every script) is often typed as `|`, as the box line │, or in Bengali as the currency sign ৷.
A visarga (ः) is often typed as a colon and the other way round. Both are changed only where nothing else is likely.
"""

from __future__ import annotations

import re

from vaak.text.normalising.indic_signs import LETTERS, MARKS

DANDA, DOUBLE_DANDA = "\u0964", "\u0965"
_LOOK_ALIKES = "|\u2502\u2223\u01c0\uff5c\u09f7"
# Offsets 0x64 and 0x65 of the other blocks were never assigned, and old converters write them: they mean the dandas.
_RESERVED = {chr(block + offset): sign for block in range(0x0980, 0x0D80, 0x80) for offset, sign in ((0x64, DANDA), (0x65, DOUBLE_DANDA))}  # fmt: skip
_RESERVED_DANDA = re.compile("[" + "".join(_RESERVED) + "]")

# Scripts whose prose ends sentences with a danda. In the others a bar after a letter is a bar.
_DANDA_SCRIPTS = "\u0900-\u097f\u0980-\u09ff\u0a00-\u0a7f\u0b00-\u0b7f"
# Straight behind a letter, and then the end of the line, a space, a quote or a bracket: है| वह
_BAR = re.compile(f"([{_LOOK_ALIKES}])\\1?(?![{_LOOK_ALIKES}])(?=[\\s\"')\\]]|\\Z)")
# Behind a space at the end of a line that has no other bar: a menu or a row of a table has several.
_BAR_AT_END = re.compile(f"([{_LOOK_ALIKES}])\\1?(?=\\n|\\Z)")
_HAS_BAR = re.compile(f"[{_LOOK_ALIKES}]")
_TWO_DANDAS = re.compile(f"(?<!{DANDA}){DANDA}{DANDA}(?!{DANDA})")

# A visarga after a nasal cannot be read, nor one that follows no letter: both are colons.
_VISARGAS = "".join(chr(block + 3) for block in (0x0900, 0x0980, 0x0A80, 0x0B00, 0x0C00, 0x0C80, 0x0D00))
_NASALS = "".join(chr(block + offset) for block in range(0x0900, 0x0D80, 0x80) for offset in (1, 2)) + "\u0a70"
_VISARGA_AS_COLON = re.compile(f"[{_VISARGAS}](?:(?<=[{_NASALS}].)|(?<=[\\s\\d\\])a-zA-Z].))")

_SIGN = re.compile(f"[{_LOOK_ALIKES}{_VISARGAS}{''.join(_RESERVED)}]")  # what the rules above begin with


def _stems() -> str:
    """Lookbehinds for stems that are words only with a visarga, so that the colon behind them is one."""
    anywhere = [
        "अत",
        "पुन",
        "प्राय",
        "क्रमश",
        "वस्तुत",
        "स्वत",
        "पूर्णत",
        "मुख्यत",
        "विशेषत",
        "सामान्यत",
        "साधारणत",
        "संभवत",
        "सम्भवत",
        "फलत",
        "मूलत",
        "प्रात",
        "अंशत",
        "अक्षरश",
        "छ",
    ]
    inside = {"दु": "ख", "नि": "शसष", "अन्त": "कप", "अंत": "कप"}
    everywhere = {"दु": "ख", "नि": "शस", "पुन": ""}  # spelled alike in the other scripts, at the same offsets
    parts = [_stem(stem, "") for stem in anywhere] + [_stem(stem, behind) for stem, behind in inside.items()]
    for shift in (0x80, 0x180, 0x200, 0x300, 0x380, 0x400):  # Bengali, Gujarati, Odia, Telugu, Kannada, Malayalam
        for stem, behind in everywhere.items():
            parts.append(_stem(_moved(stem, shift), _moved(behind, shift)))
    return "|".join(parts)


def _moved(text: str, shift: int) -> str:
    return "".join(chr(ord(c) + shift) for c in text)


def _stem(stem: str, behind: str) -> str:
    ahead = f"(?=[{behind}])" if behind else "(?![/\\d])"
    return f"(?<=(?<![{LETTERS}{MARKS}]){stem}:){ahead}"


_COLON_AS_VISARGA = re.compile(f":(?:{_stems()})")


def indic_punctuation(text: str) -> str:
    """Dandas and visargas as themselves; other bars and colons untouched."""
    has_sign = _SIGN.search(text) is not None
    if has_sign:
        text = _RESERVED_DANDA.sub(lambda match: _RESERVED[match[0]], text)
        if _HAS_BAR.search(text):
            text = _BAR.sub(_danda, text)
            text = _BAR_AT_END.sub(_danda_at_end, text)
    if DANDA + DANDA in text:
        text = _TWO_DANDAS.sub(DOUBLE_DANDA, text)
    if has_sign:
        text = _VISARGA_AS_COLON.sub(":", text)
    return _COLON_AS_VISARGA.sub(_visarga, text) if ":" in text else text


_BEFORE_DANDA = re.compile(f"[{_DANDA_SCRIPTS}]")


def _danda(match: re.Match[str]) -> str:
    start = match.start()
    before = match.string[start - 1 : start] if start else ""
    if not _BEFORE_DANDA.match(before) or before in _LOOK_ALIKES:
        return match[0]
    return DANDA if len(match[0]) == 1 else DOUBLE_DANDA


def _danda_at_end(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if len(line) < 2 or line[-1] != " " or not _BEFORE_DANDA.match(line[-2]) or _HAS_BAR.search(line):
        return match[0]
    return DANDA if len(match[0]) == 1 else DOUBLE_DANDA


def _visarga(match: re.Match[str]) -> str:
    """The visarga of the block of the letter before the colon."""
    return chr((ord(match.string[match.start() - 1]) & ~0x7F) + 3)
