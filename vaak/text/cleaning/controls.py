"""Characters that are not text: controls, lone surrogates, invisible signs, and the many spaces and line ends."""

from __future__ import annotations

import re
import unicodedata

_CONTROL_BYTES = bytes([*range(9), *range(0x0B, 0x20), 0x7F])
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile("[\x1f\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Soft hyphens, zero width spaces, direction marks, halves of surrogate pairs, private use (icon fonts), and code points
# that are no characters. The joiners U+200C and U+200D are not among them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
# Behind ASCII, a dash or a quote, or at the start of a line a joiner joins nothing, and would hide a tag or an address.
_STRAY_JOINERS = re.compile(r"(?:(?<=[\x00-\x7f\u2010-\u206f])|^)[\u200c\u200d]+")
# The first of a row of them. Asked so, it is found thirty times as fast.
_STRAY_JOINER = re.compile(r"[\u200c\u200d](?:(?<=[\x00-\x7f\u2010-\u206f].)|(?<=\A.))")
_PAIRS = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# A letter and its Latin accents. Few at once: composing a long pile takes time that grows with its square.
_ACCENTED = re.compile("[^\n\u0300-\u036f][\u0300-\u036f]{1,30}")
# Equal to ASCII (Greek question mark, varia, kelvin sign, full-width forms): written so later, they would make markup.
_ASCII_TWINS = {
    0x037E: ";",
    0x1FEF: "`",
    0x212A: "K",
    **{0xFEE0 + ord(sign): sign for sign in map(chr, range(0x21, 0x7F)) if sign.isalnum() or sign in "!%(),-./:;?+=$"},
}


def without_controls(text: str, *, again: bool = False) -> str:
    """`text` without characters that carry no language; every space is U+0020 or a tab, every line end `\\n`.

    Surrogate pairs become the character they stand for, lone ones go. Letters with separate Latin accents are composed
    (NFC), because the composed ones can be mojibake; full-width letters, digits and signs become ASCII.

    `again` promises that `text` is what this function left, less some pieces and with spaces and line breaks in their
    place. Then only a joiner or an accent can be in the wrong place: they depend on what is before them.
    """
    if again and not _has_dependent(text):
        return text
    if _is_plain(text):
        return text
    text = _PAIRS.sub(_joined, text)
    text = _LINE_ENDS.sub("\n", text)
    text = _SPACES.sub(" ", text)
    text = _INVISIBLE.sub("", text)
    text = _STRAY_JOINERS.sub("", text)
    return _ACCENTED.sub(_composed, text).translate(_ASCII_TWINS)


def _composed(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match.group())


def _has_dependent(text: str) -> bool:
    """Whether there is a joiner or a character of U+0300 to U+037F."""
    if text.isascii():
        return False
    encoded = text.encode("utf-8", "surrogatepass")
    return b"\xcc" in encoded or b"\xcd" in encoded or "\u200c" in text or "\u200d" in text


def _is_plain(text: str) -> bool:
    """A quick look that most texts pass, with the fastest tests there are for each kind of character."""
    encoded = text.encode("utf-8", "surrogatepass")
    if text.isascii():
        return len(encoded.translate(None, _CONTROL_BYTES)) == len(encoded)
    if b"\xcc" in encoded or b"\xcd" in encoded:
        return False  # U+0300 to U+037F
    if b"\xef" in encoded and (b"\xef\xbc" in encoded or b"\xef\xbd" in encoded):
        return False  # U+FF00 to U+FF7F; one byte is found much faster than two
    if "\u1fef" in text or "\u212a" in text:
        return False
    if "\u200c" in text or "\u200d" in text:
        if _STRAY_JOINER.search(text):
            return False
        text = text.replace("\u200c", "").replace("\u200d", "")
    return text.replace("\n", "").replace("\t", "").isprintable()


def _joined(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")
