"""Sentences, passages and documents of the example, in all twelve languages, from small hand-written grammars."""

from __future__ import annotations

import random
import re

from vaak.demo.texts import english, indic


def sentences(language: str, rng: random.Random, n: int) -> list[str]:
    """`n` distinct sentences in native script; the same ones for the same state of `rng`."""
    return english.sentences(rng, n) if language == "en" else indic.sentences(language, rng, n)


def long_form(language: str, rng: random.Random, n: int) -> list[str]:
    """`n` passages of three to five sentences that have something to do with one another."""
    return english.long_form(rng, n) if language == "en" else indic.long_form(language, rng, n)


def documents(language: str, rng: random.Random, n: int) -> list[str]:
    """`n` documents of several sentences, at least 128 characters each."""
    if language != "en":
        return indic.documents(language, rng, n)
    found: dict[str, None] = {}
    while len(found) < n:
        found.update((text, None) for text in english.documents(rng, n) if len(text) >= 128)
    return list(found)[:n]


def sentences_of(text: str) -> list[str]:
    """The sentences of a passage, cut behind `.`, `?` and the danda."""
    return re.split(r"(?<=[.?।])\s+", text)
