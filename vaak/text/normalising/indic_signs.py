"""Letters, signs and joiners of the nine Indic scripts: one encoding for what is drawn alike and means the same.

The tables hold for a script, whatever the language of the text: a Tamil quotation in a Hindi page is normalised too.
What only one language may do is in `vaak.text.normalising.normalise`. Sources: chapter 12 of the Unicode Standard (legacy sequences,
order of signs), IndicShapingInvalidCluster.txt of the Universal Shaping Engine (vowel letters typed in parts), both
as `vaak.score.indic_spellings` holds them; the rest says why beside its rule.

Scoring goes much further, since it asks whether two words sound alike. Here the text is learned from: हिन्दी and हिंदी,
ൌ and ൗ stay as their writers spelled them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from vaak.languages import SCRIPTS
from vaak.score.indic_spellings import JOINED, SAME, ZWJ, ZWNJ

_BLOCKS = {script: first for script, (first, _) in SCRIPTS.items() if script != "Latin"}
_POINTS = range(0x0900, 0x0D80)  # the nine blocks lie side by side, 128 code points each


def _of_category(initial: str) -> str:
    return "".join(c for c in map(chr, _POINTS) if unicodedata.category(c)[0] == initial)


def _at(offset: int, scripts: str = "") -> str:
    """The code points at one offset of each block: the blocks share one layout."""
    return "".join(chr(_BLOCKS[script] + offset) for script in scripts.split() or _BLOCKS)


ANY_INDIC = re.compile(f"[{chr(_POINTS[0])}-{chr(_POINTS[-1])}]")
LETTERS, MARKS = _of_category("L"), _of_category("M")
_VIRAMAS = _at(0x4D)
_NUKTAS = _at(0x3C, "Devanagari Bengali Gurmukhi Gujarati Odia Kannada")
_CONSONANTS = "".join(_at(offset) for offset in range(0x15, 0x3A)) + "\u09f0\u09f1\u0a5c\u0a59\u0a5a\u0a5b\u0a5e\u0b71"
# Candrabindu, anusvara, visarga of each block, tippi, addak, Vedic accents: they follow the vowel of their syllable.
_LAST = "".join(_at(offset) for offset in (0x00, 0x01, 0x02, 0x03)) + "\u0a70\u0a71\u0951\u0952\u0953\u0954"
_LAST = "".join(c for c in _LAST if c in MARKS)
_MIDDLE = "".join(c for c in MARKS if c not in _LAST + _NUKTAS + _VIRAMAS)

_RUN_OF_MARKS = re.compile(f"[{MARKS}][{MARKS}]+")  # five times as fast as {2,}: it can look for a first character
# Two marks of a run, unless they are in order and no rule is about them: a nukta before any other, and a vowel sign before
# a virama or what follows a vowel. The few signs that NFC has an order for are no vowel signs here.
_VOWEL_SIGNS = "".join(c for c in _MIDDLE if not unicodedata.combining(c))
_MAYBE_NOT_ORDERED = re.compile(
    f"[{MARKS}][{MARKS}](?<![{_NUKTAS}][{_VIRAMAS}{_VOWEL_SIGNS}{_LAST}])(?<![{_VOWEL_SIGNS}][{_VIRAMAS}{_LAST}])"
)
_PIECES = re.compile(f"[{_VIRAMAS}]+|[^{_VIRAMAS}]+")
_REPEATED = re.compile(f"([{MARKS}])\\1+")
# Signs that are drawn as another sign: े beside ा is ो. In Malayalam two െ are drawn as ൈ.
_SIGNS_IN_PARTS = {
    "ाे": "ो",
    "ाै": "ौ",
    "ाॅ": "ॉ",
    "ાે": "ો",
    "ાૈ": "ૌ",
    "ાૅ": "ૉ",
    "\u0d46\u0d46": "\u0d48",
    "ిౕ": "ీ",
    "ెౕ": "ే",
    "ొౕ": "ో",
}

_LETTER_AND_SIGNS = re.compile("[" + "".join(_at(o) for o in (*range(0x05, 0x15), 0x60, 0x72, 0x73)) + f"][{_MIDDLE}]")
_LETTERS_IN_PARTS = {
    rule.found: rule.kept for rules in SAME.values() for rule in rules if _LETTER_AND_SIGNS.fullmatch(rule.found)
}
_LETTER_IN_PARTS = re.compile("[" + "".join({pair[0] for pair in _LETTERS_IN_PARTS}) + f"][{_MIDDLE}]")

# Whole sequences, each rare: found by their second half.
_SEQUENCES = {
    "\u09ac\u09bc": "\u09b0",  # ব with a nukta is drawn as র
    "\u0b2f\u0b3c": "\u0b5f",  # ଯ with a nukta is ୟ, as its Bengali sister is encoded
    "\u0d7b\u0d4d\u0d31": "\u0d28\u0d4d\u0d31",  # ൻ്റ is ന്റ: Unicode 5.1 named the first, people type the second
}

# The letters that joiners choose: khanda ta, ra with ya-phala (bn), chillus (ml). The eyelash ra of Marathi is its own.
_JOINED = [(re.compile(rule.found), rule.kept) for language in ("bn", "ml") for rule in JOINED[language]]
EYELASH_RA = [(re.compile(rule.found), rule.kept) for rule in JOINED["mr"]]
_RAS = "\u09b0\u09f0\u0b30\u0c30\u0cb0"  # Bengali, Assamese, Odia, Telugu, Kannada: a joiner keeps reph away
_JOINER = f"[{ZWNJ}{ZWJ}]"
_JOINER_RULES = (
    (re.compile(f"({_JOINER}){_JOINER}+"), "\\1"),
    # Kept: behind a virama and before a consonant, or between a ra and a virama that joins it to a consonant.
    (re.compile(f"{_JOINER}(?!(?<=[{_VIRAMAS}].)[{_CONSONANTS}])(?!(?<=[{_RAS}].)[{_VIRAMAS}][{_CONSONANTS}])"), ""),
    (re.compile(f"{ZWNJ}(?=[{_VIRAMAS}])"), ZWJ),  # keyboards write either beside a ra
)
# The digit zero of Telugu, Kannada and Malayalam is drawn as their anusvara (ఆ౦ధ్ర): behind a letter, no digit, it is one.
_ZERO_AS_ANUSVARA = re.compile(f"[\u0c66\u0ce6\u0d66](?<=[{LETTERS}{MARKS}].)(?!\\d)")
_TO_ANUSVARA = {"\u0c66": "\u0c02", "\u0ce6": "\u0c82", "\u0d66": "\u0d02"}


def one_spelling(text: str) -> str:
    """Signs in order and single, letters composed, joiners only where they choose what is read."""
    if ZWJ in text or ZWNJ in text:
        for found, kept in _JOINED:
            text = found.sub(kept, text)
        for found, kept in _JOINER_RULES:
            text = found.sub(kept, text)
    if _MAYBE_NOT_ORDERED.search(text):
        text = _RUN_OF_MARKS.sub(lambda match: _ordered(match[0]), text)
    text = _LETTER_IN_PARTS.sub(_composed, text)
    for typed, letter in _SEQUENCES.items():
        if typed in text:
            text = text.replace(typed, letter)
    if any(map(text.__contains__, _TO_ANUSVARA)):
        text = _ZERO_AS_ANUSVARA.sub(lambda match: _TO_ANUSVARA[match[0]], text)
    return text


def _composed(match: re.Match[str]) -> str:
    return _LETTERS_IN_PARTS.get(match[0], match[0])


def _ordered(run: str) -> str:
    return _ordered_run(run) if len(run) <= 8 else _order(run)


def _order(run: str) -> str:
    """Between viramas: nukta, vowel signs, then what follows the vowel, each as typed; repeated ones once."""
    while True:
        pieces = ["".join(sorted(piece, key=_place)) for piece in _PIECES.findall(run)]
        after = "".join(pieces)
        for typed, sign in _SIGNS_IN_PARTS.items():
            after = after.replace(typed, sign)
        after = unicodedata.normalize("NFC", _REPEATED.sub(r"\1", after))
        if after == run:
            return run
        run = after


_ordered_run = lru_cache(maxsize=4096)(_order)


def _place(mark: str) -> int:
    return 0 if mark in _NUKTAS else 2 if mark in _LAST else 1
