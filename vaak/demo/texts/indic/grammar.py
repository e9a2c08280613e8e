"""Makes sentences from one small grammar per language: sentence frames with slots, and word classes that fill them.

A grammar is `<language>.yaml` beside this file. Agreement is settled where the words are written down, not computed:
a class holds words that behave alike (Hindi has one class of masculine things and one of feminine ones), and a word
may list its forms (Tamil lists each city with its locative and dative).

    end: "."                                  what ends a statement
    classes:
      man: அரவிந்தன், முருகன்                     words of one form, between commas
      city nom loc: சென்னை/சென்னையில்            words of several forms; the first form is what a plain slot takes
      act pres inf: தேநீர்+பால் | குடிக்கிறார்/குடிக்க   `a+b | x/y` puts each of a, b before each form, with a space;
                                               `a+b ~ x/y` does the same without one (stem and ending)
    frames: |
      {man} [{day} ]{city.loc} {act.pres}         `{city2}` is another city, `[...]` may be left out
"""

from __future__ import annotations

import itertools
import math
import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from vaak.errors import BadInput

INDIC = ("hi", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "or", "as")

# A passage keeps to a few people and towns, so that its sentences have something to do with one another.
_CAST = ("man", "woman", "person", "city")
_CAST_SIZE = 4
_DOCUMENT_CHARACTERS = (128, 900)
_TRIES = 200

_SLOT = re.compile(r"\{([a-z_]+)(\d?)(?:\.([a-z]+))?\}")
_OPTION = re.compile(r"\[([^\]]*)\]")

Words = dict[str, list[tuple[str, ...]]]


@dataclass(frozen=True)
class Grammar:
    """One language. `words[class]` lists words, each a tuple of forms in the order of `forms[class]`; a frame is the
    tuple of its variants (with and without each optional part)."""

    words: Words
    forms: dict[str, tuple[str, ...]]
    frames: tuple[tuple[str, ...], ...]


@cache
def grammar_of(language: str) -> Grammar:
    """The grammar of a language, read once. Raises `BadInput` for a language without one."""
    if language not in INDIC:
        raise BadInput(f"no sentences are written for language {language!r}; use one of {', '.join(INDIC)}")
    text = (Path(__file__).parent / f"{language}.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(unicodedata.normalize("NFC", text))
    words: Words = {}
    forms: dict[str, tuple[str, ...]] = {}
    for head, listed in raw["classes"].items():
        name, *names = head.split()
        forms[name] = tuple(names) or ("",)
        words[name] = [word for item in listed.split(",") for word in _words(item.strip())]
    lines = [line.strip() for line in raw["frames"].splitlines() if line.strip()]
    ended = [line if line.endswith("?") else line + raw["end"] for line in lines]
    return Grammar(words, forms, tuple(_variants(line) for line in ended))


def _words(item: str) -> list[tuple[str, ...]]:
    """The words that one item of a class stands for, each with all its forms."""
    for mark, joint in (("|", " "), ("~", "")):
        if mark in item:
            stems, endings = item.split(mark)
            return [
                tuple((stem.strip() + joint + ending.strip()) for ending in endings.split("/"))
                for stem in stems.split("+")
            ]
    return [tuple(form.strip() for form in item.split("/"))]


def _variants(frame: str) -> tuple[str, ...]:
    """A frame with each of its optional parts once kept and once left out."""
    parts = _OPTION.split(frame)  # odd places hold what stood in brackets
    choices = [(part, "") if place % 2 else (part,) for place, part in enumerate(parts)]
    return tuple("".join(chosen) for chosen in itertools.product(*choices))


def _fill(template: str, grammar: Grammar, words: Words, rng: random.Random) -> str:
    """The template with a word in each slot; `{city}` and `{city2}` get different words."""
    chosen: dict[str, dict[str, tuple[str, ...]]] = {}

    def word(match: re.Match[str]) -> str:
        name, number, form = match.groups()
        taken = chosen.setdefault(name, {})
        if number not in taken:
            taken[number] = rng.choice([entry for entry in words[name] if entry not in taken.values()])
        return taken[number][grammar.forms[name].index(form) if form else 0]

    return _SLOT.sub(word, template)


def _distinct(n: int, what: str, make: Callable[[], str]) -> list[str]:
    """n different results of `make`, in the order in which they came."""
    made: dict[str, None] = {}
    for _ in range(n * _TRIES):
        if len(made) == n:
            break
        made[make()] = None
    if len(made) < n:
        raise BadInput(f"the grammar has fewer than the {n} {what} asked for; ask for fewer, or add frames and words")
    return list(made)


def sentences(language: str, rng: random.Random, n: int) -> list[str]:
    """n different sentences of 4 to 12 words, in native script and NFC; the same ones for the same state of `rng`."""
    grammar = grammar_of(language)
    return _distinct(
        n, f"{language} sentences", lambda: _fill(rng.choice(rng.choice(grammar.frames)), grammar, grammar.words, rng)
    )


def long_form(language: str, rng: random.Random, n: int) -> list[str]:
    """n different passages of three to five sentences about the same few people and towns."""
    return _distinct(n, f"{language} passages", lambda: " ".join(_passage(language, rng, rng.randint(3, 5))))


def documents(language: str, rng: random.Random, n: int) -> list[str]:
    """n different documents of 128 to 900 characters, of lengths spread evenly over most of that range."""
    low, high = _DOCUMENT_CHARACTERS

    def document() -> str:
        wanted = rng.randint(low, high - 100)
        text = ""
        for sentence in _passage(language, rng, len(grammar_of(language).frames)):
            if len(text) >= wanted or len(text) + 1 + len(sentence) > high:
                break
            text = f"{text} {sentence}".lstrip()
        return text

    return _distinct(n, f"{language} documents", document)


def _passage(language: str, rng: random.Random, n: int) -> list[str]:
    """n sentences from n different frames that share their people and towns."""
    grammar = grammar_of(language)
    cast = {name: rng.sample(grammar.words[name], _CAST_SIZE) for name in _CAST if name in grammar.words}
    words = grammar.words | cast
    return [_fill(rng.choice(frame), grammar, words, rng) for frame in rng.sample(grammar.frames, n)]


def possible(language: str) -> int:
    """How many ways there are to fill the language's frames."""
    grammar = grammar_of(language)
    total = 0
    for template in itertools.chain.from_iterable(grammar.frames):
        slots: dict[str, set[str]] = {}
        for match in _SLOT.finditer(template):
            slots.setdefault(match[1], set()).add(match[2])
        total += math.prod(math.perm(len(grammar.words[name]), len(numbers)) for name, numbers in slots.items())
    return total
