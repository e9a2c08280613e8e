"""What a gold pack may be drawn from: the held-out samples of a corpus, and whose voices and which texts training hears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from vaak.corpus.pack_items import Prompt
from vaak.corpus.reader import Corpus, Group
from vaak.corpus.samples import Sample

# A reference to clone from should be long enough to hear a voice and short enough to leave room for speech.
VOICE_SECONDS = (2.0, 12.0)

# Whose voices speak: anybody's that is held out; first those that training never hears; those alone.
Voices = Literal["any", "new-first", "new-only"]
VOICES: tuple[Voices, ...] = ("any", "new-first", "new-only")


@dataclass(frozen=True)
class HeldOut:
    """One held-out sample and where its tokens are."""

    sample: Sample
    group: Group
    number: int

    @property
    def tokens(self) -> np.ndarray:
        return self.group.tokens(self.number)

    @property
    def seconds(self) -> float:
        """Its duration by its codes."""
        return len(self.tokens) * (self.group.hours or 0.0) * 3600 / self.group.n_tokens

    @property
    def good_to_clone(self) -> bool:
        low, high = VOICE_SECONDS
        return low <= self.seconds <= high


@dataclass
class Material:
    """The held-out samples by stream and language, and what training may hear: samples of this corpus not held out.

    `left_out` counts what "new-only" keeps out: held-out samples of a `heard` speaker, and paired ones of an `unknown` one.
    """

    voices: Voices
    sources: frozenset[str]
    by_group: dict[tuple[str, str], list[HeldOut]] = field(default_factory=dict)
    heard_speakers: set[str] = field(default_factory=set)
    heard_texts: set[str] = field(default_factory=set)
    languages_of_speaker: dict[str, set[str]] = field(default_factory=dict)

    def paired(self, language: str, long_form: bool = False) -> list[HeldOut]:
        """Held-out paired samples whose text is in the language's own script; short ones of `sources`, if any are named."""
        return [
            one
            for one in self.by_group.get(("paired", language), [])
            if one.sample.long_form == long_form and one.sample.transcript_kind in ("native", None)
            if long_form or not self.sources or one.sample.source in self.sources
        ]

    def spoken(self, language: str, long_form: bool = False) -> list[HeldOut]:
        """Those of `paired` whose voice the pack may have."""
        return [
            one
            for one in self.paired(language, long_form)
            if self.voices != "new-only" or self.is_new(one.sample.speaker)
        ]

    def is_new(self, speaker: str | None) -> bool:
        """Whether it is known that training never hears this speaker."""
        return speaker is not None and speaker not in self.heard_speakers

    def comes_later(self, speaker: str | None) -> bool:
        """Whether speakers that training never hears go before this one."""
        return self.voices == "new-first" and not self.is_new(speaker)

    @property
    def spoken_languages(self) -> list[str]:
        return sorted(language for stream, language in self.by_group if stream == "paired")

    @property
    def left_out(self) -> dict[str, int]:
        counts = {"heard": 0, "unknown": 0}
        for (stream, _), group in self.by_group.items():
            if self.voices == "new-only" and stream != "text":
                counts["heard"] += sum(one.sample.speaker in self.heard_speakers for one in group)
                counts["unknown"] += sum(one.sample.speaker is None for one in group if stream == "paired")
        return counts


def material_of(corpus: Corpus, rng: np.random.Generator, sources: frozenset[str], voices: Voices) -> Material:
    """Read a corpus once; the held-out samples of a group come in an order of `rng`."""
    material = Material(voices, sources)
    for (stream, language, _), group in sorted(corpus.groups.items()):
        held = np.asarray(group.column("held_out"), bool)
        if stream != "text":
            for speaker, out in zip(group.column("speaker"), held, strict=True):
                if speaker is not None:
                    material.languages_of_speaker.setdefault(speaker, set()).add(language)
                    if not out:
                        material.heard_speakers.add(speaker)
        if stream == "paired":
            hashes = zip(group.column("transcript_hash"), held, strict=True)
            material.heard_texts.update(digest for digest, out in hashes if not out and digest is not None)
        numbers = np.flatnonzero(held)
        found = [HeldOut(group.sample(int(i)), group, int(i)) for i in numbers]
        if found:
            mixed = [found[i] for i in rng.permutation(len(found))]
            material.by_group.setdefault((stream, language), []).extend(mixed)
    return material


def varied(material: Material, samples: Iterable[HeldOut], used: set[str], n: int) -> Iterator[HeldOut]:
    """The first n samples: new voices first if those are wished, then those with original audio, speakers in turn, no text twice.

    The texts that are taken are added to `used`.
    """
    speakers: dict[tuple[bool, bool, str | None], list[HeldOut]] = {}
    for one in samples:
        sample = one.sample
        speakers.setdefault((material.comes_later(sample.speaker), sample.audio is None, sample.speaker), []).append(
            one
        )
    ranks = sorted({key[:2] for key in speakers})
    for one in chain.from_iterable(
        interleaved(rows for key, rows in speakers.items() if key[:2] == rank) for rank in ranks
    ):
        if n <= 0:
            return
        if one.sample.transcript not in used:
            used.add(one.sample.transcript or "")
            n -= 1
            yield one


def interleaved(rows: Iterable[Iterable[HeldOut]]) -> Iterator[HeldOut]:
    """One of each row in turn until all are empty."""
    waiting = [iter(row) for row in rows]
    while waiting:
        for row in list(waiting):
            one = next(row, None)
            if one is None:
                waiting.remove(row)
            else:
                yield one


def spoken_prompt(material: Material, one: HeldOut, kind: str, number: int) -> Prompt:
    """A prompt whose text this very sample speaks."""
    sample = one.sample
    voice = _another_of(material, sample)
    return Prompt(
        item=f"{kind}-{sample.language}-{number:02d}",
        language=sample.language,
        kind=kind,
        text=sample.transcript or "",
        speaker=sample.speaker,
        voice_description=sample.voice_description,
        reference_codes=one.tokens,
        reference_audio=None if sample.audio is None else Path(sample.audio),
        voice_text=None if voice is None else voice.sample.transcript,
        voice_codes=None if voice is None else voice.tokens,
        voice_language=None if voice is None else voice.sample.language,
        seen_voice=sample.speaker in material.heard_speakers,
        seen_text=sample.transcript_hash in material.heard_texts,
        sample_id=sample.sample_id,
    )


def _another_of(material: Material, sample: Sample) -> HeldOut | None:
    """Another held-out utterance of the sample's speaker, of a good length for cloning if there is one."""
    if sample.speaker is None:
        return None
    others = [
        one
        for one in material.paired(sample.language)
        if one.sample.speaker == sample.speaker and one.sample.transcript != sample.transcript
    ]
    return next((one for one in others if one.good_to_clone), others[0] if others else None)
