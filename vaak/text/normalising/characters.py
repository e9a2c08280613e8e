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
_CONTROL_BYTES = bytes([*range(9), *range(0x0E, 0x1C), 0x7F])
_PRINTED_BYTES = bytes([byte for byte in range(0x80) if byte not in _CONTROL_BYTES])
# Thirty marks on one letter are the limit of Unicode's stream-safe format (annex 15). More are no writing, and sorting them
# takes time that grows with their square.
_COMBINING = "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(c))
_PILE = re.compile(f"[{_COMBINING}][{_COMBINING}]{{30,}}")
_SPACE = re.compile(f"[{_SPACES}]")
_NUKTA_THEN_VIRAMA = "[\u093c\u09bc\u0a3c\u0abc\u0b3c\u0cbc][\u094d\u09cd\u0a4d\u0acd\u0b4d\u0ccd]"


_HEAD = 400  # characters by which a text is judged to be mostly ASCII
_FEW = 8  # different characters: replacing each in turn is faster than calling a function for every match


def _maybe_not_nfc() -> tuple[re.Pattern[str], ...]:
    """A text in which none of the first three is found is in NFC. They are searched four times as fast as it is normalised.

    Characters that NFC changes (and all whose composition has a rule of its own, and those beyond the first plane), two
    combining marks in a row (but a nukta and a virama, which are many and in order), and a character that composes with
    the one before it. The fourth is any of these characters, whatever stands before it.
    """
    changed, firsts, seconds = set(), set(), set()
    for char in map(chr, range(0xC0, 0xD800)):
        parts = unicodedata.decomposition(char).split()
        if unicodedata.normalize("NFC", char) != char:
            changed.add(char)
        elif len(parts) == 2 and parts[0][0] != "<":
            firsts |= {char, chr(int(parts[0], 16))}  # itself too: a mark behind it may belong between its parts
            seconds.add(chr(int(parts[1], 16)))
    changed_here, first, second = (re.escape("".join(sorted(chars))) for chars in (changed, firsts, seconds))
    changed_here += "\u1100-\u11ff\uf900-\ufaff\ufb1d-\ufb4f\ufe20-\ufe2f\U00010000-\U0010ffff"
    marks = "".join(c for c in _COMBINING if c < "\ud800")
    return (
        re.compile(f"[{changed_here}]"),
        re.compile(f"[{marks}][{marks}](?<!{_NUKTA_THEN_VIRAMA})"),
        re.compile(f"[{second}](?<=[{first}].)"),
        re.compile(f"[{changed_here}{marks}{second}]"),
    )


*_MAYBE_NOT_NFC, _OTHER_THAN_LETTERS = _maybe_not_nfc()


def plain_characters(text: str) -> str:
    """`text` in NFC with the table above applied. Twice gives the same as once."""
    if text.isascii():
        return text.encode().translate(None, _CONTROL_BYTES).decode()
    # Both before and after NFC: it writes two of the spaces itself, and what is taken away may let letters compose.
    text, is_in_nfc = _without_rare(text)
    if not is_in_nfc:
        composed = _in_nfc(text)
        if composed != text:
            text = _RARE.sub(_replaced, composed)
    return _LONG_DASH.sub(_dash, text) if any(map(text.__contains__, _LONG_DASHES)) else text


def _without_rare(text: str) -> tuple[str, bool]:
    """`text` with the one-character rows of the table applied, and whether it is known to be in NFC.

    In a text that is mostly ASCII only the other characters are looked at.
    """
    head = text[:_HEAD]
    if 2 * len(head.encode("utf-8", "surrogatepass")) > 3 * len(head):
        return _RARE.sub(_replaced, text), False
    few = text.encode("utf-8", "surrogatepass").translate(None, _PRINTED_BYTES).decode("utf-8", "surrogatepass")
    rare = set(_RARE.findall(few))
    if len(rare) > _FEW:
        return _RARE.sub(_replaced, text), False
    for char in rare:
        text = text.replace(char, _plain(char))
    return text, not _OTHER_THAN_LETTERS.search(few)


def _in_nfc(text: str) -> str:
    """`text` in NFC, with thirty marks at most on a letter."""
    changed, *together = _MAYBE_NOT_NFC
    alone = {char: unicodedata.normalize("NFC", char) for char in set(changed.findall(text))}
    # Mostly these are letters with a nukta, which NFC takes apart wherever they are. Else it is the whole text's turn.
    if len(alone) <= _FEW and not any(map(changed.search, alone.values())):
        apart = text
        for char, parts in alone.items():
            apart = apart.replace(char, parts)
        if not any(sign.search(apart) for sign in together):
            return apart
    if unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", _PILE.sub(lambda match: match[0][:30], text))


def _replaced(match: re.Match[str]) -> str:
    return _plain(match[0])


def _plain(char: str) -> str:
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
