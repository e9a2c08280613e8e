"""Which held-out samples a gold pack takes: evenly over languages and speakers, and the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np

from vaak.corpus.pack_items import CeSample, Prompt
from vaak.corpus.reader import Corpus, Group
from vaak.corpus.samples import Sample
from vaak.errors import BadInput

# A reference to clone from should be long enough to hear a voice and short enough to leave room for speech.
_VOICE_SECONDS = (2.0, 12.0)


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


@dataclass
class Choice:
    """What a pack will hold; `notes` say what the corpus could not give."""

    ce: list[CeSample]
    prompts: list[Prompt]
    excluded_ids: set[str]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Material:
    """The held-out samples, and what may be heard in training."""

    by_group: dict[tuple[str, str], list[HeldOut]]
    heard_speakers: set[str]
    heard_texts: set[str]
    languages_of_speaker: dict[str, set[str]]
    sources: frozenset[str]

    def paired(self, language: str, long_form: bool) -> list[HeldOut]:
        """Held-out paired samples whose text is in the language's own script; short ones of `sources`, if any are named."""
        return [
            one
            for one in self.by_group.get(("paired", language), [])
            if one.sample.long_form == long_form and one.sample.transcript_kind in ("native", None)
            if long_form or not self.sources or one.sample.source in self.sources
        ]

    @property
    def spoken_languages(self) -> list[str]:
        return sorted(language for stream, language in self.by_group if stream == "paired")


def choose(
    corpus: Corpus,
    seed: int,
    ce: int,
    per_language: int,
    cross_lingual: int,
    long_form: int,
    extended: Mapping[str, int],
    sources: Sequence[str] = (),
) -> Choice:
    """All choices of a pack; see `build_pack`. Raises `BadInput` if no sample of the corpus is held out."""
    rng = np.random.default_rng(seed)
    material = _material(corpus, rng, frozenset(sources))
    known = {
        one.sample.source for (stream, _), group in material.by_group.items() if stream == "paired" for one in group
    }
    if material.by_group and (unknown := sorted(material.sources - known)):
        raise BadInput(f"{corpus.folder} holds nothing out of the source {unknown[0]!r}; it does of {sorted(known)}")
    if not material.by_group:
        raise BadInput(
            f"{corpus.folder} holds no sample out; mark evaluation samples held_out when the corpus is written"
        )
    excluded = {one.sample.sample_id for group in material.by_group.values() for one in group}
    choice = Choice(_cross_entropy(material, ce), [], excluded)
    if len(choice.ce) < ce:
        choice.notes.append(f"{ce} cross-entropy samples were asked for, {len(choice.ce)} are held out")
    used: set[str] = set()
    for language in material.spoken_languages:
        own = list(_varied(material.paired(language, long_form=False), used, per_language))
        choice.prompts += [_spoken(material, one, "native", i) for i, one in enumerate(own)]
        _note(choice, f"native prompts in {language}", per_language, len(own))
    _add_cross_lingual(choice, material, cross_lingual, used, rng)
    # Languages in turn; where there are fewer prompts than languages, those with the most long material.
    longs = sorted((material.paired(one, long_form=True) for one in material.spoken_languages), key=len, reverse=True)
    turns = _interleaved([list(_varied(samples, used, long_form)) for samples in longs])
    long_samples = list(islice(turns, long_form))
    choice.prompts += [_spoken(material, one, "long_form", i) for i, one in enumerate(long_samples)]
    _note(choice, "long-form prompts", long_form, len(long_samples))
    for language, n in sorted(extended.items()):
        more = list(_varied(material.paired(language, long_form=False), used, n))
        choice.prompts += [_spoken(material, one, "extended", i) for i, one in enumerate(more)]
        _note(choice, f"extended prompts in {language}", n, len(more))
    _note_seen(choice)
    return choice


def _material(corpus: Corpus, rng: np.random.Generator, sources: frozenset[str]) -> _Material:
    material = _Material({}, set(), set(), {}, sources)
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


def _cross_entropy(material: _Material, n: int) -> list[CeSample]:
    """n samples in turn from each stream and language."""
    turns = _interleaved(material.by_group[key] for key in sorted(material.by_group))
    return [
        CeSample(
            sample_id=one.sample.sample_id,
            stream=one.group.stream,
            language=one.sample.language,
            source=one.sample.source,
            transcript=one.sample.transcript,
            voice_description=one.sample.voice_description,
            codes=one.tokens,
        )
        for one, _ in zip(turns, range(n), strict=False)
    ]


def _varied(samples: Iterable[HeldOut], used: set[str], n: int) -> Iterator[HeldOut]:
    """The first n samples: those with original audio first, speakers in turn, no text twice.

    The texts that are taken are added to `used`.
    """
    speakers: dict[tuple[bool, str | None], list[HeldOut]] = {}
    for one in samples:
        speakers.setdefault((one.sample.audio is None, one.sample.speaker), []).append(one)
    with_audio = _interleaved(rows for (silent, _), rows in speakers.items() if not silent)
    without = _interleaved(rows for (silent, _), rows in speakers.items() if silent)
    for one in chain(with_audio, without):
        if n <= 0:
            return
        if one.sample.transcript not in used:
            used.add(one.sample.transcript or "")
            n -= 1
            yield one


def _interleaved(rows: Iterable[Iterable[HeldOut]]) -> Iterator[HeldOut]:
    """One of each row in turn until all are empty."""
    waiting = [iter(row) for row in rows]
    while waiting:
        for row in list(waiting):
            one = next(row, None)
            if one is None:
                waiting.remove(row)
            else:
                yield one


def _spoken(material: _Material, one: HeldOut, kind: str, number: int) -> Prompt:
    """A prompt whose text this very sample speaks."""
    sample = one.sample
    voice = _voice(material, sample)
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


def _voice(material: _Material, sample: Sample) -> HeldOut | None:
    """Another held-out utterance of the sample's speaker, of a good length for cloning if there is one."""
    if sample.speaker is None:
        return None
    others = [
        one
        for one in material.paired(sample.language, long_form=False)
        if one.sample.speaker == sample.speaker and one.sample.transcript != sample.transcript
    ]
    low, high = _VOICE_SECONDS
    return min(others, key=lambda one: not low <= one.seconds <= high, default=None)


def _add_cross_lingual(choice: Choice, material: _Material, n: int, used: set[str], rng: np.random.Generator) -> None:
    """Voices of one language with texts of another, each language as text and as voice as evenly as can be."""
    languages = material.spoken_languages
    order = [languages[i] for i in rng.permutation(len(languages))]
    added = 0
    # Turn k pairs text language k with the voice language 1, 2, ... places further on.
    for k in range(len(order) * max(len(order) - 1, 0)):
        if added == n:
            break
        text_language = order[k % len(order)]
        voice_language = order[(k + 1 + k // len(order)) % len(order)]
        voices = [one for one in material.paired(voice_language, long_form=False) if one.sample.speaker is not None]
        # Best a voice that speaks nothing in the text's language, and of a good length.
        low, high = _VOICE_SECONDS
        voice = min(
            voices,
            key=lambda one: (
                text_language in material.languages_of_speaker[one.sample.speaker or ""],
                not low <= one.seconds <= high,
            ),
            default=None,
        )
        texts = material.paired(text_language, long_form=False)
        # A text of another prompt will do: it is another voice that reads it.
        text = next(chain(_varied(texts, used, 1), texts), None)
        if voice is None or text is None:
            continue
        choice.prompts.append(
            Prompt(
                item=f"cross_lingual-{voice_language}-{text_language}-{added:02d}",
                language=text_language,
                kind="cross_lingual",
                text=text.sample.transcript or "",
                speaker=voice.sample.speaker,
                voice_description=voice.sample.voice_description,
                reference_codes=None,
                reference_audio=None,
                voice_text=voice.sample.transcript,
                voice_codes=voice.tokens,
                voice_language=voice_language,
                seen_voice=voice.sample.speaker in material.heard_speakers,
                seen_text=text.sample.transcript_hash in material.heard_texts,
                sample_id=None,
            )
        )
        added += 1
    _note(choice, "cross-lingual prompts", n, added)


def _note(choice: Choice, what: str, wanted: int, got: int) -> None:
    if got < wanted:
        choice.notes.append(f"{wanted} {what} were asked for, the held-out samples give {got}")


def _note_seen(choice: Choice) -> None:
    seen = sum(prompt.seen_text for prompt in choice.prompts)
    if seen:
        choice.notes.append(f"the texts of {seen} of {len(choice.prompts)} prompts also stand in samples not held out")
    silent = sum(prompt.kind != "cross_lingual" and prompt.reference_audio is None for prompt in choice.prompts)
    if silent:
        choice.notes.append(f"{silent} prompts have reference codes but no original audio in the corpus")
