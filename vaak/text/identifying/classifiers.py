"""Two language classifiers, each asked about a short sample of a document: CLD2 (quadgrams) and langid (byte n-grams)."""

from __future__ import annotations

import copy
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import pycld2  # pyright: ignore[reportMissingImports]
from py3langid.langid import MODEL_FILE, LanguageIdentifier  # pyright: ignore[reportMissingImports]

# The languages among which langid may choose, by script. Creoles of English are left out (English texts get lost to them),
# so are languages with little text on the web, to which names are attributed, and so is Malay, which it cannot tell from
# Indonesian: both are "id" here. It knows no Bihari language and no Manipuri.
_CHOICES = {
    "Devanagari": "hi mr ne sa gom",
    "Bengali": "bn as",
    "Latin": "en fr de es pt it nl da sv no fi is et lv lt pl cs sk sl hr hu ro sq tr az uz tk ca eu cy ga mt id jv tl sw so ha yo ig "
    "zu xh st rw ln mg ht vi eo la af",
}
# What CLD2 calls by another name.
_CLD2_NAMES = {"iw": "he", "jw": "jv", "zh-Hant": "zh", "sco": "en", "ms": "id"}
# What CLD2 refuses: control characters, surrogates, non-characters.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\ud800-\udfff\ufdd0-\ufdef\ufff0-\uffff]+")
_NOT_INDIC = re.compile("[^ '\u0900-\u0dff\u200c\u200d\u2019]+")


@dataclass(frozen=True)
class Answer:
    """What a classifier calls a text, and how sure it is (0 to 1); language None: it does not know."""

    language: str | None
    confidence: float


def sample_of(text: str, characters: int) -> str:
    """At most `characters` of `text`, a third each from its beginning, middle and end, cut at spaces where it has them."""
    if len(text) <= characters:
        return text
    third = characters // 3
    pieces = []
    for start in (0, (len(text) - third) // 2, len(text) - third):
        piece = text[start : start + third]
        first = piece.find(" ", 0, third // 4) + 1 if start else 0
        last = piece.rfind(" ", third * 3 // 4)
        pieces.append(piece[first : last if last > 0 and start + third < len(text) else third])
    return " ".join(pieces)


def plain_of(sample: str, script: str) -> str:
    """`sample` as both classifiers take it: NFC, no control characters; for an Indic script only Indic letters and spaces."""
    sample = (_CONTROLS if script == "Latin" else _NOT_INDIC).sub(" ", sample)
    return unicodedata.normalize("NFC", sample)


def ask_cld2(sample: str) -> Answer:
    """CLD2's first language and its share of the bytes, halved where CLD2 calls itself unreliable. Never raises."""
    try:
        reliable, _, details = pycld2.detect(sample, isPlainText=True, bestEffort=True)
    except (pycld2.error, UnicodeError):  # a code point that it refuses: no vote
        return Answer(None, 0.0)
    _, code, percent, _ = details[0]
    if code == "un":
        return Answer(None, 0.0)
    return Answer(_CLD2_NAMES.get(code, code), percent / 100 * (1.0 if reliable else 0.5))


def ask_langid(sample: str, script: str) -> dict[str, float]:
    """langid's probability of each language it may choose from in this script (any other name: of all), most probable first."""
    return dict(_langid(script).rank(sample))


@cache
def _langid(script: str) -> LanguageIdentifier:
    one = copy.copy(_whole_langid())  # shares the tables that are not restricted
    one.set_languages(_CHOICES[script].split() if script in _CHOICES else None)
    return one


@cache
def _whole_langid() -> LanguageIdentifier:
    """Read once, 0.7 s."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
