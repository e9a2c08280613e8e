"""Written units of Indic scripts: a consonant with all that is written on it, conjuncts whole.

An own segmentation of a few lines for normalised text: extended grapheme clusters of Unicode Standard Annex 29 with rule
GB9c, which keeps conjuncts of Devanagari, Bengali, Gujarati, Odia, Telugu and Malayalam together (प्र, ക്ഷ), and the same
for Kannada (ಕ್ಷ) and Gurmukhi (ਪ੍ਰ), whose writers count them as one as well. A vowel letter takes part on the left
(অ্যাপ). The pulli of Tamil joins nothing: அம்மா is அ-ம்-மா. A chillu and khanda ta stand by themselves.
"""

from __future__ import annotations

import re
import unicodedata

from vaak.languages import SCRIPTS

_BLOCKS = [SCRIPTS[script][0] for script in ("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Odia", "Telugu", "Kannada", "Malayalam")]  # fmt: skip
_VIRAMAS = "".join(chr(first + 0x4D) for first in _BLOCKS)
# Offsets of consonants in a block: the common ones, and what some blocks have beyond them (nukta letters, ৰ, ৱ, ୱ, ೞ).
_COMMON = range(0x15, 0x3A)
_BEYOND = {0x0900: (*range(0x58, 0x60), *range(0x78, 0x80)), 0x0980: (0x5C, 0x5D, 0x5F, 0x70, 0x71),
           0x0A00: (0x59, 0x5A, 0x5B, 0x5C, 0x5E), 0x0A80: (0x79,), 0x0B00: (0x5C, 0x5D, 0x5F, 0x71),
           0x0C00: (0x58, 0x59, 0x5A), 0x0C80: (0x5E,), 0x0D00: (0x3A,)}  # fmt: skip
_CONSONANTS = {chr(first + offset) for first in _BLOCKS for offset in (*_COMMON, *_BEYOND[first])}
_JOINING = re.compile(f"[{_VIRAMAS}]\u200d?$")


def graphemes(text: str) -> list[str]:
    """The written units of `text`, which they join up to again; spaces are units too. "" has none.

    A unit is one character and the marks and joiners after it, and the next unit as well where it ends in a virama and a
    consonant of the same script follows.
    """
    units: list[str] = []
    for char in text:
        if units and (_is_extending(char) or _joins(units[-1], char)):
            units[-1] += char
        else:
            units.append(char)
    return units


def _is_extending(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or char in "\u200c\u200d"


def _joins(unit: str, char: str) -> bool:
    same_script = ord(unit[0]) >> 7 == ord(char) >> 7
    return same_script and char in _CONSONANTS and _JOINING.search(unit) is not None
