"""What the example corpus holds: every utterance with its voice, source, tier and place on one side of the held-out line.

A pure function of the seed. Sources follow the shape of the SFT mix (four of them, one large, one small); tiers are
`clean` and `wild`. No held-out sentence stands anywhere in training: not as an utterance, not inside a passage or text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from vaak.demo import texts
from vaak.demo.voices import VOICES, Voice
from vaak.languages import LANGUAGES

PAIRED_HOURS = {"en": 5.5, "hi": 0.8} | {code: 0.3 for code in LANGUAGES if code not in ("en", "hi")}
RAW_HOURS = {"en": 1.6, "hi": 0.5} | {code: 0.25 for code in LANGUAGES if code not in ("en", "hi")}
TEXT_CHARACTERS = {"en": 340_000, "hi": 55_000} | {c: 20_000 for c in LANGUAGES if c not in ("en", "hi")}
# Seconds of speech per character of text, measured over 40 sentences and all voices of each language.
_PACE = {
    "en": 0.058,
    "hi": 0.070,
    "bn": 0.075,
    "ta": 0.062,
    "te": 0.079,
    "mr": 0.072,
    "gu": 0.076,
    "kn": 0.078,
    "ml": 0.070,
    "pa": 0.069,
    "or": 0.095,
    "as": 0.082,
}

# Source, tier, share of the utterances. Passages (long_form) are all in `stories`.
_PAIRED_SOURCES = (
    ("studio", "clean", 0.64),
    ("anchor", "clean", 0.22),
    ("stories", "clean", 0.10),
    ("street", "wild", 0.04),
)
_RAW_SOURCES = (("studio", "clean", 0.80), ("street", "wild", 0.20))
_ENGLISH_SHARE = {"heart": 0.92, "slt": 0.04, "rms": 0.04}
_PASSAGES = {"en": 36, "hi": 10}  # of every other language 5
_CODE_MIXED = 24  # Hindi with an English sentence behind

# Held out in each language: (utterances, of them with original audio) of each kind.
_HELD_OUT_WILD = (12, 0)
_HELD_OUT_PASSAGES = (2, 1)
_HELD_OUT_RAW = 6
_HELD_OUT_PAGES = 6


@dataclass(frozen=True)
class Item:
    """One utterance to make. `speed` is the engine's; `wild` utterances get a scene drawn from their id."""

    sample_id: str
    stream: str
    language: str
    tier: str
    source: str
    voice: Voice
    text: str
    speed: float = 1.0
    transcript_kind: str = "native"
    long_form: bool = False
    held_out: bool = False
    keep_audio: bool = False


@dataclass(frozen=True)
class Page:
    """One document of the text stream."""

    page_id: str
    language: str
    text: str
    held_out: bool


def plan(seed: int, share: float = 1.0) -> tuple[list[Item], list[Page]]:
    """Every utterance and every text of the corpus. `share` scales all but the held-out part, for a small trial run."""
    items: list[Item] = []
    pages: list[Page] = []
    banned: set[str] = set()  # of all languages so far: code-mixed Hindi has English sentences too
    for language in LANGUAGES:
        rng = random.Random(f"{seed}/{language}")
        held_out = list(_held_out(language, rng))
        banned.update(sentence for item in held_out for sentence in texts.sentences_of(item.text))
        training = list(_training(language, rng, banned, share))
        items += held_out + training
        spoken = {sentence for item in training for sentence in texts.sentences_of(item.text)}
        pages += _pages(language, rng, spoken, banned, share)
    return items, pages


def _held_out(language: str, rng: random.Random) -> Iterator[Item]:
    """84 paired utterances and a few raw ones: most clean, some wild, two passages; unseen voices among them."""
    voices = [voice for voice in VOICES if voice.language == language]
    counts = _held_out_counts(language, voices)
    sentences = iter(texts.sentences(language, rng, 120))
    number = 0
    for voice, (clean, with_audio) in counts:
        for n in range(clean):
            yield _item(number, language, voice, next(sentences), "studio", "clean", keep_audio=n < with_audio)
            number += 1
    seen = [voice for voice in voices if not voice.held_out]
    for _ in range(_HELD_OUT_WILD[0]):
        yield _item(number, language, rng.choice(seen), next(sentences), "street", "wild", speed=_speed(rng))
        number += 1
    for n, text in enumerate(texts.long_form(language, rng, _HELD_OUT_PASSAGES[0])):
        keep_audio = n < _HELD_OUT_PASSAGES[1] + (language == "en")
        yield _item(number, language, seen[0], text, "stories", "clean", keep_audio=keep_audio, long_form=True)
        number += 1
    for n in range(_HELD_OUT_RAW):
        yield _item(n, language, rng.choice(seen), next(sentences), "studio", "clean", stream="raw")


def _held_out_counts(language: str, voices: list[Voice]) -> list[tuple[Voice, tuple[int, int]]]:
    """(clean utterances, of them with audio) of each voice: 70 and 54 in English, 70 and 6 in each other language."""
    if language == "en":
        counts = {"heart": (50, 44), "slt": (5, 2), "rms": (5, 2), "awb": (10, 6)}
        return [(voice, counts[voice.name]) for voice in voices]
    each, rest = divmod(70, len(voices))
    audio, audio_rest = divmod(6, len(voices))
    return [(voice, (each + (n < rest), audio + (n < audio_rest))) for n, voice in enumerate(voices)]


def _item(
    number: int,
    language: str,
    voice: Voice,
    text: str,
    source: str,
    tier: str,
    *,
    stream: str = "paired",
    speed: float = 1.0,
    keep_audio: bool = False,
    long_form: bool = False,
) -> Item:
    sample_id = f"{language}-{stream}-held-{number:03d}"
    return Item(sample_id, stream, language, tier, source, voice, text, speed, "native", long_form, True, keep_audio)


def _training(language: str, rng: random.Random, banned: set[str], share: float) -> Iterator[Item]:
    """Paired utterances, then raw ones of other sentences, by the hours that the tables above ask for."""
    voices = [voice for voice in VOICES if voice.language == language and not voice.held_out]
    weights = [_ENGLISH_SHARE.get(voice.name, 1.0) for voice in voices]
    paired, raw = (hours[language] * 3600 * share for hours in (PAIRED_HOURS, RAW_HOURS))
    pace = _PACE[language]
    passages = [text for text in _passages(language, rng) if banned.isdisjoint(texts.sentences_of(text))]
    paired -= sum(len(text) for text in passages) * pace
    pool = iter(_fresh(language, rng, banned, (paired + raw) / pace))
    for n, text in enumerate(passages):
        voice = rng.choices(voices, weights)[0]
        yield Item(f"{language}-passage-{n:03d}", "paired", language, "clean", "stories", voice, text, long_form=True)
    for stream, seconds, sources in (("paired", paired, _PAIRED_SOURCES), ("raw", raw, _RAW_SOURCES)):
        n = 0
        while seconds > 0:
            text = next(pool)
            source, tier, _ = rng.choices(sources, [one[2] for one in sources])[0]
            speed = _speed(rng) if tier == "wild" else 1.0
            voice = rng.choices(voices, weights)[0]
            yield Item(f"{language}-{stream}-{n:05d}", stream, language, tier, source, voice, text, speed)
            seconds -= len(text) * pace
            n += 1
    if language == "hi":
        english = texts.sentences("en", rng, _CODE_MIXED)
        for n, behind in enumerate(one for one in english if one not in banned):
            text = f"{next(pool)} {behind}"
            voice = rng.choice(voices)
            yield Item(f"hi-mixed-{n:03d}", "paired", "hi", "clean", "stories", voice, text, 1.0, "code_mixed")


def _passages(language: str, rng: random.Random) -> list[str]:
    return texts.long_form(language, rng, _PASSAGES.get(language, 5))


def _fresh(language: str, rng: random.Random, banned: set[str], characters: float) -> list[str]:
    """Distinct sentences of at least that many characters that are not held out."""
    count = 200
    while True:
        found = [text for text in texts.sentences(language, rng, count) if text not in banned]
        if sum(map(len, found)) > characters + 5000:
            return found
        count = int(count * 1.5)


def _pages(language: str, rng: random.Random, spoken: set[str], banned: set[str], share: float) -> list[Page]:
    """Held-out documents, of which no sentence is trained on, then training documents without a held-out sentence."""
    wanted = TEXT_CHARACTERS[language] * share
    pages: list[Page] = []
    banned = set(banned)
    for text in texts.documents(language, rng, int(wanted / 200) + 20):
        inside = texts.sentences_of(text)
        held_out = len(pages) < _HELD_OUT_PAGES
        if wanted <= 0 or not banned.isdisjoint(inside) or (held_out and not spoken.isdisjoint(inside)):
            continue
        pages.append(Page(f"{language}-page-{len(pages):05d}", language, text, held_out))
        if held_out:
            banned.update(inside)
        else:
            wanted -= len(text)
    return pages


def _speed(rng: random.Random) -> float:
    return round(rng.uniform(0.9, 1.1), 2)
