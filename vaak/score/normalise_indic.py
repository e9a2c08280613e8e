"""The same word for scoring in the eleven Indic languages: encodings unified, punctuation away, every vowel sign kept.

In this order, each step with its reason:
1. Invisible characters go without a trace (zero-width space, byte order mark, soft hyphen, bidi marks, variation
   selectors): nobody hears or sees them, and they would keep letters from composing. The two joiners wait for step 3.
2. NFC and lower case. NFC joins two-part vowel signs (ে + া is ো) and takes nukta letters apart (U+0958 is क and nukta:
   composition exclusions), so that both ways of typing are one.
3. Spellings that need a joiner become letters of their own (chillus, khanda ta, eyelash ra: `indic_spellings.JOINED`).
   Then joiners go: elsewhere they only choose how a conjunct is drawn. Kept is the one of ra with ya-phala.
4. A colon between two letters is a visarga (दु:ख). At a word's end it is punctuation: अत: and उत्तर: cannot be told apart.
5. An apostrophe inside a word goes (ক'রে), but stays in Assamese, where it makes a word (ম'হ buffalo, মহ mosquito).
   The avagraha goes: it marks what is left out and has no sound.
6. Marks on one letter come in one order: nukta, vowel signs and virama as typed, then candrabindu, anusvara, visarga,
   tippi and addak. Unicode's own order leaves vowel signs where they were typed, though the drawing is the same. NFC again.
7. Spellings of one word (`indic_spellings.SAME`): nasals before their stops, candrabindu above the line, old au and so on.
8. Digits of any script become ASCII: २५ and 25 are read alike, and who writes which is the recogniser's habit. Commas
   between digits go (१,००,००० in either grouping). Number words stay words: "25" against पच्चीस is an error.
9. What is left of punctuation and symbols, the danda among them, becomes a space.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from vaak.score.indic_spellings import (
    ASSAMESE_APOSTROPHE,
    DROPPED_JOINER,
    JOINED,
    SAME,
    VISARGA_LANGUAGES,
    ZWJ,
    ZWNJ,
    first_of,
    letters_of,
)

Replacements = list[tuple[re.Pattern[str], str]]
_APOSTROPHES = "'`\u00b4\u2018\u2019\u02bc"
_AVAGRAHAS = re.compile("[" + "".join(chr(first + 0x3D) for first in (0x900, 0x980, 0xA80, 0xB00, 0xC00, 0xC80, 0xD00)) + "]")  # fmt: skip
# Offsets in an Indic block: nukta; then what is drawn after the vowel: candrabindus, anusvara, visarga, tippi, addak.
_NUKTA, _LAST = 0x3C, frozenset({0x00, 0x01, 0x02, 0x03, 0x70, 0x71})


def normalise_indic(text: str, language: str) -> str:
    """`text` as single-spaced words of `language` (a code of the table, not "en"); twice gives the same as once."""
    text = "".join(c for c in text if not _invisible(c))
    text = unicodedata.normalize("NFC", text).lower()
    text = DROPPED_JOINER.sub("", _replaced(text, _rules("joined", language)))
    text = _composed(_replaced(text, _signs(language)))
    text = _composed(_replaced(text, _rules("same", language)))
    text = "".join(map(_visible, text))
    return " ".join(re.sub(r"(?<=\d),(?=\d)", "", text).replace(",", " ").split())


@cache
def _invisible(char: str) -> bool:
    """Of category Cf but for the joiners; variation selectors and the grapheme joiner are marks by their category."""
    marks = char == "\u034f" or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return marks or (unicodedata.category(char) == "Cf" and char not in (ZWNJ, ZWJ))


def _replaced(text: str, rules: Replacements) -> str:
    for found, kept in rules:
        text = found.sub(kept, text)
    return text


@cache
def _rules(table: str, language: str) -> Replacements:
    rules = {"joined": JOINED, "same": SAME}[table].get(language, ())
    return [(re.compile(rule.found), rule.kept) for rule in rules]


@cache
def _signs(language: str) -> Replacements:
    """Punctuation inside words, which brings the letters beside it together."""
    before, behind = f"(?<=[{letters_of(language)}])", f"(?=[{letters_of(language, 'L')}])"
    apostrophe = ASSAMESE_APOSTROPHE if language == "as" else ""
    signs = [(_AVAGRAHAS, ""), (re.compile(f"{before}[{_APOSTROPHES}]{behind}"), apostrophe)]
    outside = (
        f"(?<![{letters_of(language)}]){ASSAMESE_APOSTROPHE}|{ASSAMESE_APOSTROPHE}(?![{letters_of(language, 'L')}])"
    )
    signs.append((re.compile(outside), " "))
    if language in VISARGA_LANGUAGES:
        signs.append((re.compile(f"{before}:{behind}"), chr(first_of(language) + 3)))
    return signs


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", _ordered(unicodedata.normalize("NFC", text)))


def _ordered(text: str) -> str:
    """Each run of marks with its nukta first and its last signs last, these by code point; the rest as it was typed."""
    out: list[str] = []
    run: list[str] = []
    for char in text:
        if _is_mark(char):
            run.append(char)
            continue
        if run:
            out += sorted(run, key=_place)
            run = []
        out.append(char)
    return "".join(out + sorted(run, key=_place))


@cache
def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


@cache
def _place(mark: str) -> tuple[int, int]:
    point = ord(mark)
    if not 0x0900 <= point <= 0x0D7F:
        return 1, 0
    offset = point & 0x7F
    return (0, 0) if offset == _NUKTA else (2, point) if offset in _LAST else (1, 0)


@cache
def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.digit(char))
    return char if category[0] in "LMN" or char in (",", ZWJ) else " "
