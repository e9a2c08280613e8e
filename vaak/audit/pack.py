"""The gold pack against the data that is trained on: every sample of the corpus is compared, however few are examined.

What the pack itself says that training hears (`seen_voice`, `seen_text`) is no fault: its figures are reported as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vaak.audit.facts import digest, same_text
from vaak.audit.finding import Finding
from vaak.audit.workers import Opened
from vaak.corpus.pack_items import GoldPack
from vaak.corpus.reader import Group

# Bytes of a sample's beginning that decide whether the rest of it is looked at.
_HEAD = 16

_COLUMNS = ("sample_id", "speaker", "language", "transcript", "held_out")


def pack_samples_untrained(found: PackFound) -> Finding:
    """No sample of the pack, and none that it excludes, is trained on."""
    return found.finding("pack_samples_untrained")


def pack_codes_untrained(found: PackFound) -> Finding:
    """No codes, or text ids, of the pack are those of a sample that is trained on under another id."""
    return found.finding("pack_codes_untrained")


def pack_transcripts_untrained(found: PackFound) -> Finding:
    """No text of which the pack says that training never has it is in training."""
    return found.finding("pack_transcripts_untrained")


def pack_voices_untrained(found: PackFound) -> Finding:
    """No voice of which the pack says that training never hears it is in training."""
    return found.finding("pack_voices_untrained")


PACK_CHECKS = (pack_samples_untrained, pack_codes_untrained, pack_transcripts_untrained, pack_voices_untrained)


@dataclass(frozen=True)
class PackKeys:
    """What is looked for in training. `voices`, `texts` (language and digest) and `codes` (digest) name an item of the pack."""

    ids: frozenset[str]
    voices: Mapping[str, str]
    texts: Mapping[tuple[str, int], str]
    codes: Mapping[int, str]
    heads: frozenset[bytes]
    least_characters: int
    least_codes: int


def pack_keys(pack: GoldPack, limits: Mapping[str, Mapping[str, Any]]) -> PackKeys:
    """The keys of an opened pack."""
    least_codes = limits["pack_codes_untrained"]["least_codes"]
    least_characters = limits["pack_transcripts_untrained"]["least_characters"]
    arrays: list[tuple[str, np.ndarray | None]] = [(one.sample_id, one.codes) for one in pack.ce]
    texts = [(one.sample_id, one.language, one.transcript) for one in pack.ce]
    for one in pack.prompts:
        arrays += [(one.item, one.reference_codes), (one.item, one.voice_codes)]
        texts += [(one.item, one.language, None if one.seen_text else one.text)]
    held = [(name, codes) for name, codes in arrays if codes is not None and len(codes) >= least_codes]
    folded = [(name, language, same_text(text)) for name, language, text in texts if text]
    ids = {one.sample_id for one in (*pack.ce, *pack.prompts) if one.sample_id is not None}
    return PackKeys(
        ids=frozenset(ids | pack.excluded_ids),
        voices={one.speaker: one.item for one in pack.prompts if one.speaker is not None and not one.seen_voice},
        texts={(lang, digest(text.encode())): name for name, lang, text in folded if len(text) >= least_characters},
        codes={digest(codes.tobytes()): name for name, codes in held},
        heads=frozenset(codes.tobytes()[:_HEAD] for _, codes in held),
        least_characters=least_characters,
        least_codes=least_codes,
    )


@dataclass
class PackFound:
    """By check: how many samples were compared, the ids of those at fault, and a sentence of the first."""

    compared: dict[str, int] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def compare(self, check: str, n: int) -> None:
        self.compared[check] = self.compared.get(check, 0) + n

    def add(self, check: str, sample_id: str, words: str) -> None:
        self.ids.setdefault(check, []).append(sample_id)
        self.words.setdefault(check, f"{sample_id} {words}")

    def finding(self, check: str) -> Finding:
        return Finding(self.compared.get(check, 0), tuple(self.ids.get(check, ())), self.words.get(check, ""))


def merged(parts: Iterable[PackFound]) -> PackFound:
    """What was found in all parts, in their order."""
    whole = PackFound()
    for part in parts:
        for check, n in part.compared.items():
            whole.compare(check, n)
        for check, ids in part.ids.items():
            whole.ids.setdefault(check, []).extend(ids)
            whole.words.setdefault(check, part.words[check])
    return whole


def compare_group(opened: Opened, task: tuple[tuple[str, str, str], PackKeys]) -> PackFound:
    """All samples of one group that are trained on against the keys of a pack."""
    key, keys = task
    group, found = opened.corpus.groups[key], PackFound()
    for number, (sample_id, speaker, language, transcript, held_out) in enumerate(_rows(group)):
        if held_out:
            continue
        found.compare("pack_samples_untrained", 1)
        if sample_id in keys.ids:
            found.add("pack_samples_untrained", sample_id, "is in the pack, and is trained on")
        if speaker is not None and keys.voices:
            found.compare("pack_voices_untrained", 1)
            if speaker in keys.voices:
                words = f"has the speaker {speaker}, of whom the pack says that nobody hears him or her in training"
                found.add("pack_voices_untrained", sample_id, words)
        if transcript and keys.texts:
            _compare_text(found, keys, sample_id, language, transcript)
        if keys.codes:
            _compare_codes(found, keys, sample_id, group.tokens(number))
    return found


def _rows(group: Group) -> Iterator[tuple[str, str | None, str, str | None, bool]]:
    for batch in group.rows(_COLUMNS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _compare_text(found: PackFound, keys: PackKeys, sample_id: str, language: str, transcript: str) -> None:
    text = same_text(transcript)
    if len(text) >= keys.least_characters:
        found.compare("pack_transcripts_untrained", 1)
        item = keys.texts.get((language, digest(text.encode())))
        if item is not None:
            found.add("pack_transcripts_untrained", sample_id, f"has the text of {item}")


def _compare_codes(found: PackFound, keys: PackKeys, sample_id: str, tokens: np.ndarray) -> None:
    if len(tokens) < keys.least_codes:
        return
    found.compare("pack_codes_untrained", 1)
    if tokens[:_HEAD].tobytes()[:_HEAD] in keys.heads:
        item = keys.codes.get(digest(tokens.tobytes()))
        if item is not None and item != sample_id:
            found.add("pack_codes_untrained", sample_id, f"has the codes of {item}")
