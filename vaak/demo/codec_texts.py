"""What the voices say to the codec: sentences of the example, and whatever adds sounds that those lack.

English has strings of dictionary words and numbers besides, Indic languages their own words in another order and numbers,
and every language that has them the captions of the Debian package tuxpaint-stamps-default. One sentence in sixteen, by
its hash, is reserved for held-out audio, whoever speaks.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.resources
import itertools
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vaak.demo import texts
from vaak.errors import BadInput
from vaak.languages import LANGUAGES

_RESERVED_OF = 16
_CAPTIONS = Path("/usr/share/tuxpaint/stamps")
_CAPTION_CODES = {"pt": "pt_BR"}
_ENOUGH_CAPTIONS = 200
_DANDA = ("hi", "bn", "as", "or", "pa")
_SHORT = 30  # characters: shorter captions are said two or three at once

_MONTHS = ("January", "March", "April", "June", "August", "September", "October", "November", "December")

# Share of each kind: grammar, captions, words, numbers.
_KINDS = ("grammar", "captions", "words", "numbers")
_WEIGHTS = {"en": (0.45, 0.15, 0.28, 0.12), "indic": (0.55, 0.2, 0.15, 0.1), "other": (0.0, 1.0, 0.0, 0.0)}


def is_reserved(text: str) -> bool:
    """Whether a sentence, or a clip by its key (`vaak.demo.recordings.clip_key`), belongs to the held-out audio."""
    return hashlib.sha256(text.encode()).digest()[0] % _RESERVED_OF == 0


def spoken_sentences(language: str, rng: random.Random, characters: float, reserved: bool) -> list[str]:
    """Distinct sentences of about so many characters in all, made either of reserved ones or of the others."""
    found: dict[str, None] = {}
    total = 0
    for text in _sentences(language, rng, reserved):
        if text not in found:
            found[text] = None
            total += len(text)
        if total >= characters:
            break
    return list(found)


def _sentences(language: str, rng: random.Random, reserved: bool) -> Iterator[str]:
    """Sentences of all kinds without end. Held-out audio has no strings of words: nobody could tell how one is heard."""
    group = "en" if language == "en" else "indic" if language in LANGUAGES else "other"
    weights = list(_WEIGHTS[group])
    captions = _captions(language)
    if len(captions) < _ENOUGH_CAPTIONS:
        weights[_KINDS.index("captions")] = 0.0
    if reserved:
        weights[_KINDS.index("words")] = 0.0
    if not sum(weights):
        raise BadInput(f"nothing is written in {language!r} for the codec: apt-get install tuxpaint-stamps-default")
    captions = [text for text in captions if is_reserved(text) == reserved]
    grammar = (text for text in _grammar(language, rng) if is_reserved(text) == reserved)
    while True:
        kind = rng.choices(_KINDS, weights)[0]
        if kind == "grammar":
            yield next(grammar)
        elif kind == "captions":
            yield _some_captions(captions, rng)
        elif kind == "words":
            yield _word_string(language, rng)
        else:
            yield f"{next(grammar)} {_number(language, rng)}"


def _grammar(language: str, rng: random.Random) -> Iterator[str]:
    for _ in itertools.count():
        yield from texts.sentences(language, rng, 300)


def _word_string(language: str, rng: random.Random) -> str:
    said = rng.sample(_dictionary() if language == "en" else _own_words(language), rng.randint(5, 8))
    cut = rng.randint(2, len(said) - 2)
    text = f"{' '.join(said[:cut])}, {' '.join(said[cut:])}"
    return f"{text[:1].upper()}{text[1:]}{'।' if language in _DANDA else '.'}"


def _number(language: str, rng: random.Random) -> str:
    value = rng.choice((rng.randint(0, 99), rng.randint(100, 9999), rng.randint(10_000, 999_999)))
    if language != "en":
        return f"{value}."
    shapes = (
        f"{value:,}.",
        f"{rng.randint(1, 28)} {rng.choice(_MONTHS)} {rng.randint(1900, 2030)}.",
        f"{rng.randint(1, 12)}:{rng.randint(10, 59)}.",
        f"${rng.randint(1, 99)}.{rng.randint(10, 99)}.",
    )
    return rng.choice(shapes)


def _some_captions(captions: Sequence[str], rng: random.Random) -> str:
    said = rng.choice(captions)
    while len(said) < _SHORT:
        said = f"{said} {rng.choice(captions)}"
    return said


@functools.cache
def _own_words(language: str) -> Sequence[str]:
    """The words of the example's sentences."""
    said = " ".join(texts.sentences(language, random.Random(0), 400)).split()
    return sorted({word for one in said if len(word := one.strip(".,?!।'")) > 1})


@functools.cache
def _captions(language: str) -> Sequence[str]:
    """Captions of tuxpaint's stamps in a language, each a sentence with its full stop; none if it is not installed."""
    code = _CAPTION_CODES.get(language, language)
    found = set()
    for path in _CAPTIONS.glob("**/*.txt"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        said = lines[:1] if language == "en" else [x.partition("=")[2] for x in lines if x.startswith(f"{code}.utf8=")]
        found.update(text for one in said if 3 < len(text := tidy(one)) < 160)
    return sorted(found)


def tidy(caption: str) -> str:
    """A caption as it is said: one line without brackets and quotation marks, with its full stop."""
    text = re.sub(r"\s+", " ", re.sub(r"\([^)]*\)|[\"“”„«»*]", " ", caption.replace("|", "।"))).strip()
    text = re.sub(r" (?=[.,!?।])", "", text)
    return text if not text or text[-1] in ".!?।" else f"{text}."


@functools.cache
def _dictionary() -> Sequence[str]:
    """English words from the dictionary inside hibari-tts: every sound in every neighbourhood."""
    try:
        place = importlib.resources.files("hibari") / "assets" / "lexicon_us_gold.json.gz"
    except ModuleNotFoundError:
        raise BadInput("English words come from the dictionary of hibari-tts: pip install hibari-tts==0.2.1") from None
    words = json.loads(gzip.decompress(place.read_bytes()))
    return sorted(word for word in words if word.isascii() and word.isalpha() and word.islower() and 3 < len(word) < 13)
