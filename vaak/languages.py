"""The table of languages. A language is added here, in one place, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

from vaak.errors import BadInput


@dataclass(frozen=True)
class Language:
    """One language: ISO 639-1 `code`, names, its script, and the voice name that espeak-ng knows it by."""

    code: str
    name: str
    native_name: str
    script: str
    iso3: str
    espeak: str


_TABLE = (
    Language("en", "English", "English", "Latin", "eng", "en-us"),
    Language("hi", "Hindi", "हिन्दी", "Devanagari", "hin", "hi"),
    Language("bn", "Bengali", "বাংলা", "Bengali", "ben", "bn"),
    Language("ta", "Tamil", "தமிழ்", "Tamil", "tam", "ta"),
    Language("te", "Telugu", "తెలుగు", "Telugu", "tel", "te"),
    Language("mr", "Marathi", "मराठी", "Devanagari", "mar", "mr"),
    Language("gu", "Gujarati", "ગુજરાતી", "Gujarati", "guj", "gu"),
    Language("kn", "Kannada", "ಕನ್ನಡ", "Kannada", "kan", "kn"),
    Language("ml", "Malayalam", "മലയാളം", "Malayalam", "mal", "ml"),
    Language("pa", "Punjabi", "ਪੰਜਾਬੀ", "Gurmukhi", "pan", "pa"),
    Language("or", "Odia", "ଓଡ଼ିଆ", "Odia", "ori", "or"),
    Language("as", "Assamese", "অসমীয়া", "Bengali", "asm", "as"),
)

LANGUAGES: dict[str, Language] = {language.code: language for language in _TABLE}

# First and last code point of each script's Unicode block; Latin takes the letters of its first four blocks.
SCRIPTS: dict[str, tuple[int, int]] = {
    "Latin": (0x0041, 0x024F),
    "Devanagari": (0x0900, 0x097F),
    "Bengali": (0x0980, 0x09FF),
    "Gurmukhi": (0x0A00, 0x0A7F),
    "Gujarati": (0x0A80, 0x0AFF),
    "Odia": (0x0B00, 0x0B7F),
    "Tamil": (0x0B80, 0x0BFF),
    "Telugu": (0x0C00, 0x0C7F),
    "Kannada": (0x0C80, 0x0CFF),
    "Malayalam": (0x0D00, 0x0D7F),
}

# Danda and double danda stand in the Devanagari block but end sentences in every Indic script.
_SHARED = {"\u0964", "\u0965"}


def language_of(tag: str) -> str:
    """The code of a language named by any usual tag: `hi`, `hin`, `hi-IN`, `hin_Deva`, `Hindi`, `हिन्दी`.

    Raises `BadInput` for a tag that is in no row of the table.
    """
    first = tag.strip().replace("_", "-").split("-")[0].lower()
    for language in _TABLE:
        if first in (language.code, language.iso3, "ory" if language.code == "or" else language.iso3):
            return language.code
        if tag.strip().lower() in (language.name.lower(), language.native_name.lower()):
            return language.code
    raise BadInput(
        f"language tag {tag!r} is unknown; use one of {', '.join(LANGUAGES)}, or add it to vaak/languages.py"
    )


def script_of(text: str) -> dict[str, float]:
    """Share of each script among the letters and signs of `text` that belong to a known script (empty if none)."""
    counts: dict[str, int] = {}
    for char in text:
        if char in _SHARED or (char < "\u0900" and not char.isalpha()):
            continue
        point = ord(char)
        for script, (first, last) in SCRIPTS.items():
            if first <= point <= last:
                counts[script] = counts.get(script, 0) + 1
                break
    total = sum(counts.values())
    return {script: count / total for script, count in counts.items()} if total else {}
