"""How many hours of the example are of which language, stream, source, texts and voices, and how fast a voice speaks.

Sources follow the shape of the SFT mix: `studio` says few words often, so that a small model learns to read in minutes;
`anchor` says many words; `stories` are passages, the long-form subset; `street` is the wild tier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vaak.languages import LANGUAGES


@dataclass(frozen=True)
class Part:
    """Hours of one source, its held-out utterances included.

    `texts` are `grammar` (the small grammars), `rich` (thousands of words) or `passages` (both, long-form). `voices` gives
    their shares of the hours; empty, all voices of the language that training hears, evenly.
    """

    stream: str
    source: str
    tier: str
    texts: str
    hours: float
    voices: Mapping[str, float]


# Kokoro takes a second of a processor for each second and gets little; the others take less than a tenth.
_READERS = {"heart": 0.92, "slt": 0.04, "rms": 0.04}
_MANY = {
    "heart": 0.70,
    "joe": 0.20,
    "slt": 0.03,
    "rms": 0.03,
    "af_bella": 0.02,
    "am_michael": 0.02,
}
_FAST = {"heart": 0.6, "joe": 0.2, "slt": 0.1, "rms": 0.1}
_NARRATORS = {"heart": 0.8, "joe": 0.2}

_ENGLISH = (
    Part("paired", "studio", "clean", "grammar", 3.5, _READERS),
    Part("paired", "anchor", "clean", "rich", 5.0, _MANY),
    Part("paired", "stories", "clean", "passages", 0.8, _NARRATORS),
    Part("paired", "street", "wild", "rich", 0.5, _FAST),
    Part("raw", "anchor", "clean", "rich", 0.96, _FAST),
    Part("raw", "street", "wild", "rich", 0.24, _FAST),
)
_HINDI_HOURS = {"paired": 2.2, "raw": 0.4}
_HOURS = {"paired": 0.85, "raw": 0.2}  # of each other Indic language
# Stream, source, tier, texts, share of the stream's hours in an Indic language.
_INDIC = (
    ("paired", "studio", "clean", "grammar", 0.35),
    ("paired", "anchor", "clean", "rich", 0.45),
    ("paired", "stories", "clean", "passages", 0.12),
    ("paired", "street", "wild", "rich", 0.08),
    ("raw", "studio", "clean", "grammar", 0.35),
    ("raw", "anchor", "clean", "rich", 0.45),
    ("raw", "street", "wild", "rich", 0.20),
)

TEXT_CHARACTERS = {"en": 340_000, "hi": 55_000} | {c: 20_000 for c in LANGUAGES if c not in ("en", "hi")}
# Rich sentences drawn for a language: for its hours and documents, and in English for what held-out words take away.
RICH_POOL = {"en": 14_000, "hi": 3_500} | {c: 1_600 for c in LANGUAGES if c not in ("en", "hi")}
# Seconds: with its text and its pauses a longer passage would not fit the 1,024 positions of the tiny stages.
LONGEST_PASSAGE = 14.5

# Seconds of speech per character of what is said, of each English voice and each Indic language, over 24 sentences a voice.
_PACE = {
    "heart": 0.0545,
    "slt": 0.057,
    "rms": 0.067,
    "awb": 0.057,
    "joe": 0.053,
    "af_bella": 0.056,
    "am_michael": 0.060,
    "bf_emma": 0.053,
    "hi": 0.069,
    "bn": 0.077,
    "ta": 0.062,
    "te": 0.076,
    "mr": 0.070,
    "gu": 0.075,
    "kn": 0.072,
    "ml": 0.0635,
    "pa": 0.068,
    "or": 0.081,
    "as": 0.080,
}


def parts(language: str) -> tuple[Part, ...]:
    """What a language holds, paired first."""
    if language == "en":
        return _ENGLISH
    hours = _HINDI_HOURS if language == "hi" else _HOURS
    return tuple(
        Part(stream, source, tier, texts, hours[stream] * share, {}) for stream, source, tier, texts, share in _INDIC
    )


def seconds_of(language: str, voice: str, spoken: str) -> float:
    """About how long a voice takes to say that."""
    return len(spoken) * _PACE[voice if language == "en" else language]
