"""What is done to each document on its own: raw text in; ids, hash and signature out, or the reason why it was dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaak.text.cleaning.clean import clean
from vaak.text.document import QUARANTINED, Raw
from vaak.text.duplicates.signatures import fingerprints
from vaak.text.examples import Examples
from vaak.text.filters import filter_reason
from vaak.text.identifying.identify import identify
from vaak.text.normalising.normalise import normalise
from vaak.text.numbers.numerals import Policy, numerals

# Goes up with every change to what a step does to a text: what was prepared before it is prepared again.
VERSION = 1

# A text of more than so many characters for each token that is allowed is encoded in two goes: mostly its beginning
# alone shows that it is too long.
_CHARACTERS_PER_TOKEN = 6
# Cut between two words, a beginning can have some more ids than the same words have within the whole.
_SLACK = 16

# Of 60,000 strings made to be nasty 47 took a second round, none a third.
_ROUNDS = 8

# The ids of a text, without any special token.
Encode = Callable[[str], NDArray[np.uint32]]


@dataclass(frozen=True)
class Steps:
    """What is done to the documents of one source.

    `languages` are the codes asked for, `language` that of documents whose source names none, `policies` what becomes of
    numerals in each language, `min_characters` and `max_tokens` the limits, `seed` the one that chooses examples.
    """

    source: str
    languages: tuple[str, ...]
    language: str | None
    policies: Mapping[str, Policy]
    min_characters: int
    max_tokens: int
    seed: int


@dataclass(frozen=True)
class Dropped:
    """One document that left: its first reason and what that rests on. `text` is kept for the quarantine only."""

    document_id: str
    language: str | None
    reason: str
    detail: str
    text: str | None
    characters: int


@dataclass(frozen=True)
class Kept:
    """One document that stays unless it is a duplicate: SHA-256 of its text in UTF-8, and how many ids it has, the
    end-of-text id among them."""

    document_id: str
    language: str
    characters: int
    digest: bytes
    n_ids: int


@dataclass
class Prepared:
    """Documents of one input, in order. `hashes` [n, 2] and `signatures` [n, 128] have a row for each kept one; `ids` are
    those of all, in a line."""

    kept: list[Kept]
    hashes: NDArray[np.uint64]
    signatures: NDArray[np.uint32]
    ids: NDArray[np.uint32]
    dropped: list[Dropped]
    examples: Examples


@dataclass(frozen=True)
class _Worded:
    """A document as it stands after the steps that need its text alone."""

    language: str | None
    text: str
    reason: str | None = None
    detail: str = ""


def prepare(documents: Sequence[Raw], steps: Steps, encode: Encode, end_of_text_id: int) -> Prepared:
    """Take documents through every step but dedupe. What becomes of each depends on it alone, never on its neighbours.

    `encode` gives the ids of a text, `end_of_text_id` goes behind those of each document.
    """
    kept: list[Kept] = []
    texts: list[str] = []
    ids: list[NDArray[np.uint32]] = []
    dropped, examples = [], Examples(steps.seed)
    end = np.array([end_of_text_id], np.uint32)
    for raw in documents:
        one = _worded(raw, steps)
        own = _encoded(one.text, steps.max_tokens, encode) if one.reason is None else None
        if own is not None and one.language is not None:
            digest = hashlib.sha256(one.text.encode()).digest()
            kept.append(Kept(raw.document_id, one.language, len(one.text), digest, len(own) + 1))
            texts.append(one.text)
            ids += (own, end)
            continue
        reason, detail = one.reason or "too long", one.detail
        text = one.text if reason in QUARANTINED else None
        dropped.append(Dropped(raw.document_id, one.language, reason, detail, text, len(one.text)))
        examples.add(one.language or "unknown", reason, raw.document_id, one.text, detail, steps.source)
    hashes, signatures = fingerprints(texts)
    return Prepared(kept, hashes, signatures, np.concatenate(ids) if ids else end[:0], dropped, examples)


def _worded(raw: Raw, steps: Steps) -> _Worded:
    """The document's text as the model is to see it, or its text so far and the reason why it is dropped."""
    language = raw.language or steps.language
    if raw.problem is not None:
        return _Worded(language, "", "unreadable", raw.problem)
    if language is None or language not in steps.languages:
        return _Worded(language, raw.text, "other language", "the source does not say which" if not language else "")
    text = plain(raw.text, language)
    if len(text) < max(steps.min_characters, 1):
        return _Worded(language, text, "too short", f"{len(text)} characters")
    verdict = identify(text, language)
    if verdict.reason is not None:
        return _Worded(language, text, verdict.reason, _scores(verdict.scores))
    text = numerals(text, language, steps.policies[language])
    reason = filter_reason(text)
    return _Worded(language, text, reason)


def plain(text: str, language: str) -> str:
    """The text cleaned and normalised; what comes out is changed by neither any more. "" for one that never settles.

    Both are idempotent alone, but a normalised text can, rarely, look like markup or mojibake that it did not before.
    """
    text = clean(text)
    for _ in range(_ROUNDS):
        normalised = normalise(text, language).strip()
        if normalised == text:
            return text
        text = clean(normalised)
        if text == normalised:
            return text
    return ""


def _scores(scores: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in scores.items()
    )


def _encoded(text: str, max_tokens: int, encode: Encode) -> NDArray[np.uint32] | None:
    """The ids of a text, None if there are too many."""
    most = _CHARACTERS_PER_TOKEN * max_tokens
    if len(text) > most and len(encode(_beginning(text, most))) > max_tokens + _SLACK:
        return None
    ids = encode(text)
    return ids if len(ids) <= max_tokens else None


def _beginning(text: str, most: int) -> str:
    """The first `most` characters, without the word that they cut."""
    cut = text.rfind(" ", 0, most)
    return text[: cut if cut > 0 else most]
