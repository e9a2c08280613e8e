"""Checks of the characters: what a broken conversion, a web page or another model's prompt left in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from vaak.audit.finding import HOLDS, Around, Verdict
from vaak.audit.item import Item
from vaak.grammar.vocabulary import CONTROL_TOKENS

# U+FFFD; control characters but tab, line feed and carriage return; private use; points that are no characters; invisible
# ones that turn the direction of text, join words or mark the order of bytes. The joiners U+200C and U+200D are not among
# them: several Indic scripts are spelled with these.
_STRANGE = re.compile(
    "[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000f0000-\U0010ffff]"
)

# Two or more characters that are bytes of UTF-8 beyond ASCII where somebody read them as Latin-1 or Windows-1252.
_CP1252 = "".join(chr(byte) for byte in range(0xA0, 0x100)) + bytes(
    byte for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
).decode("cp1252")
_BYTES = re.compile(f"[{re.escape(_CP1252)}\x80-\x9f]{{2,}}")
_AS_BYTE = {ord(char): char.encode("cp1252")[0] for char in _CP1252}

_MARKUP = re.compile(
    r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-zA-Z]{2,8}|#\d{1,7}|#x[0-9a-fA-F]{1,6});|https?://|www\.\w|\\u[0-9a-fA-F]{4}|\\[nrt]\b"
    r"|\{\{|\}\}|\[\[|\]\]"
)
# Tags and brackets say how something is spoken where the transcript's kind is "tagged".
_LEFTOVER = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#x[0-9a-fA-F]{1,6});|https?://|www\.\w|\\u[0-9a-fA-F]{4}")

# Ours, and what stands for the same in the prompts of other models.
_CONTROL = re.compile("|".join(map(re.escape, CONTROL_TOKENS)) + r"|<\|[a-zA-Z_0-9]{1,40}\|>|\[/?INST\]|</?s>")


def characters_are_text(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No character is the sign of a lost one, a control character, for private use, or invisible without a use in writing."""
    # A piece of a flat stream may begin and end within a character.
    text = item.text.strip("\ufffd") if around.pieces and item.stream == "text" else item.text
    found = _STRANGE.search(text)
    return f"U+{ord(found[0]):04X} after {found.start()} characters" if found else HOLDS


def text_is_composed(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """The text is in Unicode's form NFC: else the same word is spelled in two ways, and only one of them is learned well."""
    return HOLDS if unicodedata.is_normalized("NFC", item.text) else "not in the form NFC"


def bytes_were_read_right(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No part of the text is UTF-8 that was read as Latin-1 or Windows-1252 (“à¤¨” for “न”)."""
    for found in _BYTES.finditer(item.text):
        data = bytes(_AS_BYTE.get(ord(char), ord(char)) for char in found[0])
        try:
            return f"{found[0][:12]!r} is {data.decode()[:6]!r} read in a wrong encoding"
        except UnicodeDecodeError:
            continue
    return HOLDS


def no_markup(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No tags, entities, addresses, escapes or template brackets are left in the text."""
    found = (_LEFTOVER if item.sample.transcript_kind == "tagged" else _MARKUP).search(item.text)
    return f"{found[0][:40]!r} in the text" if found else HOLDS


def no_control_tokens(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No text or description of a voice spells a control token: training reads it as plain text, but nobody said it."""
    for text in (item.text, item.sample.voice_description or ""):
        if found := _CONTROL.search(text):
            return f"{found[0]!r} in the text"
    return HOLDS
