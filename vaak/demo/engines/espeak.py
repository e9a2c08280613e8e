"""espeak-ng as an engine: formants, every language of Vaak. A variant is a voice such as `hi+Annie`."""

from __future__ import annotations

import unicodedata

import numpy as np

from vaak.demo.espeak import RATE, espeak_version, espeak_wave

LICENCE = "GPL-3"
WORDS_PER_MINUTE = 165

# Letters that espeak-ng 1.52 reads out by name, or with a vowel too many, and what it reads well instead: letters with a
# dot below must be one code point in Bengali script, and where that fails too the nearest letter takes their place.
_READ_AS = {
    "bn": {"ড\u09bc": "\u09dc", "ঢ\u09bc": "\u09dd", "য\u09bc": "\u09df"},
    "as": {"ড\u09bc": "ৰ", "ঢ\u09bc": "ৰ", "য\u09bc": "\u09df", "\u09dc": "ৰ", "\u09dd": "ৰ", "র": "ৰ"},
    "or": {"ଡ\u0b3c": "ର", "\u0b5c": "ର", "ୱ": "ବ"},
}


def wave(variant: str, language: str, text: str, speed: float) -> tuple[np.ndarray, int]:
    """float32[T] at 22,050 Hz."""
    return espeak_wave(variant, spoken_form(language, text), round(WORDS_PER_MINUTE * speed)), RATE


def spoken_form(language: str, text: str) -> str:
    """`text` in NFC, with the letters that espeak-ng misreads replaced."""
    text = unicodedata.normalize("NFC", text)
    for written, read in _READ_AS.get(language, {}).items():
        text = text.replace(written, read)
    return text


def version() -> str:
    return espeak_version()
