"""What a plan is made of: utterances and documents, and the sentences inside them by which two texts are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vaak.demo import texts
from vaak.demo.texts.rich import RichPassage, RichSentence
from vaak.demo.voices import Voice

# Kinds of rich sentences that are kinds of transcript too; the others are native.
_TRANSCRIPT_KINDS = ("code_mixed", "romanised")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")


@dataclass(frozen=True)
class Item:
    """One utterance to make: `text` is its transcript, `spoken` what the engine is given.

    `speed` is the engine's; `wild` utterances get a scene drawn from their id.
    """

    sample_id: str
    stream: str
    language: str
    tier: str
    source: str
    voice: Voice
    text: str
    spoken: str
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


def plain(text: str) -> RichSentence:
    """A text that is said as it is written."""
    return RichSentence(text, text, "plain")


def whole(passage: RichPassage) -> RichSentence:
    """A passage as one text."""
    return RichSentence(passage.text, passage.spoken, "plain")


def transcript_kind(said: RichSentence) -> str:
    """`native`, `code_mixed` or `romanised`."""
    return said.kind if said.kind in _TRANSCRIPT_KINDS else "native"


def sentences_in(said: RichSentence | Item) -> set[str]:
    """The sentences of a text, as they are written and as they are said."""
    return {said.text, said.spoken, *texts.sentences_of(said.text), *texts.sentences_of(said.spoken)}


def english_words(said: RichSentence | Item) -> set[str]:
    """The words in Latin letters, in lower case, as they are written and as they are said."""
    return set(_WORD.findall(f"{said.text} {said.spoken}".lower()))
