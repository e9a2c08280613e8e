"""Phonemes for the neural engines: espeak-ng's IPA for any language, hibari's dictionary for English."""

from __future__ import annotations

import ctypes
import functools
import re
import unicodedata

from vaak.demo.engines.espeak import spoken_form
from vaak.errors import BadInput

_SYNCHRONOUS_RETRIEVAL = 2
_UTF8 = 1
_IPA = 2
_CLAUSE_END = re.compile(r"(?<=[,.!?;:।])\s+")  # a comma inside a number has no space behind
_MARKS = {"।": "."}


def espeak_phonemes(voice: str, language: str, text: str) -> str:
    """IPA (NFD) of `text` by an espeak-ng voice such as `hi`, with the punctuation at the end of each clause kept."""
    library = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise BadInput(f"espeak-ng has no voice {voice!r}")
    said = []
    for clause in _CLAUSE_END.split(spoken_form(language, text).strip()):
        mark = clause[-1] if clause[-1:] in ",.!?;:।" else ""
        said.append(_spell(library, clause.rstrip(",.!?;:।")) + _MARKS.get(mark, mark))
    return unicodedata.normalize("NFD", " ".join(said))


def english_phonemes(text: str, british: bool) -> str:
    """Phonemes of English in the alphabet of Kokoro, from the dictionary and the rules inside hibari-tts."""
    return _dictionary(british)(text)


def _spell(library: ctypes.CDLL, clause: str) -> str:
    data = ctypes.create_string_buffer(clause.encode())
    rest = ctypes.c_void_p(ctypes.addressof(data))
    found = []
    while rest.value:
        found.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode())
    return " ".join(part for part in found if part)


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        import espeakng_loader
    except ImportError:
        raise BadInput("phonemes need espeak-ng: pip install espeakng-loader==0.2.4") from None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    return library


@functools.cache
def _dictionary(british: bool):
    try:
        from hibari.g2p import G2P  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise BadInput("English phonemes need hibari-tts: pip install hibari-tts==0.2.1") from None
    return G2P(british=british)
