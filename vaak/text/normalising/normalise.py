"""One encoding for one text: what corpora are normalised by, before a language is told and before tokens are counted.

Only the encoding changes, never a word. Case, accents, spelling, digits, emoji and line breaks stay. In this order:
1. `characters`: NFC, plain spaces, quotes and dashes, full-width forms; invisible characters go.
2. `indic_signs`: signs in order and once, letters that were typed in parts, chillus and khanda ta, joiners.
3. `indic_punctuation`: danda and double danda, visarga and colon.
4. What one language alone may do, below.

Joiners stay where they choose what is read: behind a virama and before a consonant (क्‍ष, ಸಾಫ್ಟ್‌ವೇರ್), and between ra and
virama (র‍্যাব, ರ‍್ಯಾಲಿ). Anywhere else they only choose a drawing, and go. Emoji that joiners hold together fall apart.
"""

from __future__ import annotations

from vaak.text.normalising.characters import plain_characters
from vaak.text.normalising.indic_punctuation import indic_punctuation
from vaak.text.normalising.indic_signs import ANY_INDIC, EYELASH_RA, one_spelling

_HEAD = 400  # characters in which an Indic text has Indic letters
_BENGALI_RA, _ASSAMESE_RA = "\u09b0", "\u09f0"


def normalise(text: str, language: str) -> str:
    """`text`, known or said to be of `language` (a code of the table), in one encoding.

    Any string is taken, and twice gives the same as once. An unknown language gets what all have in common.
    """
    # What one step writes may be what another looks for, so they repeat until nothing changes. Plain characters are
    # plain until a step behind them changes something.
    while True:
        text = plain_characters(text)
        if not _has_indic(text):
            return text
        after = _spelled(text, language)
        if after == text:
            return after
        text = after


def _has_indic(text: str) -> bool:
    if text.isascii():
        return False
    if ANY_INDIC.search(text, 0, _HEAD):
        return True
    # U+0800 to U+0FFF begin with this byte, and no other text has it: a byte is found much faster than a class.
    return b"\xe0" in text.encode("utf-8", "surrogatepass") and ANY_INDIC.search(text) is not None


def _spelled(text: str, language: str) -> str:
    text = indic_punctuation(one_spelling(text))
    if language == "mr":
        for found, kept in EYELASH_RA:
            text = found.sub(kept, text)
    return _assamese(text) if language == "as" else text


def _assamese(text: str) -> str:
    """র becomes ৰ where ৰ is in the majority: an Assamese text with slips of a Bengali keyboard.

    A text all in র is left as it is: it is likely Bengali, and the letter is what tells. ৱ and ব are both letters of
    Assamese, and a Bengali text keeps its ৰ: nobody types it by mistake, so it is a quotation.
    """
    bengali = text.count(_BENGALI_RA)
    return text.replace(_BENGALI_RA, _ASSAMESE_RA) if 0 < bengali < text.count(_ASSAMESE_RA) else text
