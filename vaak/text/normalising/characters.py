"""Single characters with a plainer one of the same meaning: spaces, quotes, dashes, full-width forms, invisible ones.

What one character becomes does not depend on the language. Nothing here writes `<`, `&`, `|`, a backquote, a tab or a
line break, and no sign that starts markup (`#`, `*`, `~`, `>`): their full-width forms stay as they are.

| from | to |
| --- | --- |
| ‘ ’ ‚ ‛ ‹ › ´ ʼ ′ ＇ | ' |
| “ ” „ ‟ « » ″ ＂ | " |
| hyphen, non-breaking hyphen, figure dash, en dash, minus sign, small and full-width hyphen | - |
| em dash, horizontal bar, two- and three-em dash (one or a row of them) | - with a space on each side, none between digits |
| … ‥ | ... .. |
| no-break, en, em, thin, hair, figure, ideographic … space | space |
| full-width letters, digits and ! " % ' ( ) + , - . / : ; = ? $ | ASCII |
| ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ | ff fi fl ffi ffl st st |
| more than thirty combining marks in a row, where NFC has to sort them | thirty |
| soft hyphen, zero-width space, byte order mark, bidi marks, variation selectors, tags, controls, lone surrogates | nothing |
"""

from __future__ import annotations

import re
import unicodedata

# Controls but for tab and what some program takes for a line break: lines are the business of cleaning.
_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_INVISIBLE = (
    _CONTROLS + "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff"
)
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LONG_DASHES = "\u2014\u2015\u2e3a\u2e3b\ufe58"

_ONE_TO_ONE = {
    **dict.fromkeys("‘’‚‛‹›´ʼ′＇", "'"),
    **dict.fromkeys("“”„‟«»″＂", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
    "…": "...",
    "‥": "..",
    **dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)),
    # NFC would make a backquote of it: the Greek grave accent, typed for a quote.
    "\u1fef": "'",
    **{
        chr(0xFEE0 + ord(plain)): plain
        for plain in map(chr, range(0x21, 0x7F))
        if plain.isalnum() or plain in "!%(),./:;?+=$"
    },
}

_RARE = re.compile("[" + _INVISIBLE + _SPACES + re.escape("".join(_ONE_TO_ONE)) + "]")
_LONG_DASH = re.compile(f"[{_LONG_DASHES}]+")
_CONTROL = re.compile(f"[{_CONTROLS}]")
# Thirty marks on one letter are the limit of Unicode's stream-safe format (annex 15). More are no writing, and sorting them
# takes time that grows with their square.
_COMBINING = "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(c))
_PILE = re.compile(f"([{_COMBINING}]{{30}})[{_COMBINING}]+")
_SPACE = re.compile(f"[{_SPACES}]")


def _maybe_not_nfc() -> tuple[re.Pattern[str], ...]:
    """A text in which none of these is found is in NFC. They are searched four times as fast as it is normalised.

    Characters that NFC changes (and all whose composition has a rule of its own, and those beyond the first plane), two
    combining marks in a row, and a character that composes with the one before it.
    """
    changed, firsts, seconds = set(), set(), set()
    for char in map(chr, range(0xC0, 0xD800)):
        parts = unicodedata.decomposition(char).split()
        if unicodedata.normalize("NFC", char) != char:
            changed.add(char)
        elif len(parts) == 2 and parts[0][0] != "<":
            firsts |= {char, chr(int(parts[0], 16))}  # itself too: a mark behind it may belong between its parts
            seconds.add(chr(int(parts[1], 16)))
    inside = {
        name: re.escape("".join(sorted(chars))) for name, chars in (("1", firsts), ("2", seconds), ("c", changed))
    }
    marks = "".join(c for c in _COMBINING if c < "\ud800")
    return (
        re.compile(f"[{inside['c']}\u1100-\u11ff\uf900-\ufaff\ufb1d-\ufb4f\ufe20-\ufe2f\U00010000-\U0010ffff]"),
        re.compile(f"[{marks}][{marks}]"),
        re.compile(f"[{inside['2']}](?<=[{inside['1']}].)"),
    )


_MAYBE_NOT_NFC = _maybe_not_nfc()


def plain_characters(text: str) -> str:
    """`text` in NFC with the table above applied. Twice gives the same as once."""
    if text.isascii():
        return _CONTROL.sub("", text)
    # Both before and after NFC: it writes two of the spaces itself, and what is taken away may let letters compose.
    text = _RARE.sub(_replaced, text)
    if any(sign.search(text) for sign in _MAYBE_NOT_NFC) and not unicodedata.is_normalized("NFC", text):
        text = _RARE.sub(_replaced, unicodedata.normalize("NFC", _PILE.sub(r"\1", text)))
    return _LONG_DASH.sub(_dash, text) if any(map(text.__contains__, _LONG_DASHES)) else text


def _replaced(match: re.Match[str]) -> str:
    char = match[0]
    plain = _ONE_TO_ONE.get(char)
    return plain if plain is not None else " " if _SPACE.match(char) else ""


def _dash(match: re.Match[str]) -> str:
    """Between digits a range; elsewhere the spaces keep the words beside it apart."""
    text, start, end = match.string, match.start(), match.end()
    before, behind = text[start - 1 : start] if start else "", text[end : end + 1]
    if before.isdigit() and behind.isdigit():
        return "-"
    left = "" if not before or before.isspace() else " "
    right = "" if not behind or behind.isspace() else " "
    return f"{left}-{right}"
