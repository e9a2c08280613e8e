"""Checks for the same thing twice: among the examined samples, and between what is held out and what is trained on."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from vaak.audit.finding import Around, Finding
from vaak.audit.sampling import Item


def no_duplicate_codes(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Within a stream no two samples hold the same codes."""
    return _repeats((item, (item.stream, codes_digest(item))) for item in _long(items, limit))


def no_duplicate_transcripts(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """No speaker says the same transcript twice. Several speakers may: parallel recordings are no fault."""
    paired = (item for item in items if item.stream == "paired" and item.sample.transcript)
    return _repeats(
        (item, (item.sample.source, item.sample.language, item.sample.speaker, same_text(item.sample.transcript or "")))
        for item in paired
    )


def held_out_codes_unseen(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """The codes of a held-out sample are in no sample of any stream that is trained on."""
    return _leaks((item, codes_digest(item)) for item in _long(items, limit))


def held_out_transcripts_unseen(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """The transcript of a held-out sample is that of no sample that is trained on. Short ones may coincide."""
    texts = ((item, same_text(item.sample.transcript or "")) for item in items if item.stream == "paired")
    return _leaks(
        (item, (item.sample.language, text)) for item, text in texts if len(text) >= limit["least_characters"]
    )


def codes_digest(item: Item) -> bytes:
    return blake2b(item.tokens.tobytes(), digest_size=16).digest()


def same_text(text: str) -> str:
    """Texts that differ only in case, punctuation, spaces or Unicode form become equal."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return "".join(char for char in folded if unicodedata.category(char)[0] in "LMN")


def _long(items: Sequence[Item], limit: Mapping[str, Any]) -> Iterable[Item]:
    """Audio of some length: two clips of a few codes of silence are equal by chance."""
    return (item for item in items if item.is_audio and len(item.tokens) >= limit["least_codes"])


def _repeats(keyed: Iterable[tuple[Item, Hashable]]) -> Finding:
    first: dict[Hashable, str] = {}
    examined, evidence, example = 0, [], ""
    for item, key in keyed:
        examined += 1
        before = first.setdefault(key, item.sample.sample_id)
        if before != item.sample.sample_id:
            evidence.append(item.sample.sample_id)
            example = example or f"{item.sample.sample_id} is {before} again"
    return Finding(examined, tuple(evidence), example)


def _leaks(keyed: Iterable[tuple[Item, Hashable]]) -> Finding:
    trained: dict[Hashable, str] = {}
    held_out: list[tuple[str, Hashable]] = []
    for item, key in keyed:
        if item.sample.held_out:
            held_out.append((item.sample.sample_id, key))
        else:
            trained.setdefault(key, item.sample.sample_id)
    leaked = [(name, trained[key]) for name, key in held_out if key in trained]
    example = f"{leaked[0][0]} is {leaked[0][1]}, which is trained on" if leaked else ""
    return Finding(len(held_out), tuple(name for name, _ in leaked), example)
