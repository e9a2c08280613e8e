"""Which held-out samples a gold pack takes: evenly over languages and speakers, and the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np

from vaak.corpus.pack_items import PROXY, CeSample, Prompt
from vaak.corpus.pack_material import VOICES, Material, Voices, interleaved, material_of, spoken_prompt, varied
from vaak.corpus.pack_probes import probe_prompts
from vaak.corpus.reader import Corpus
from vaak.errors import BadInput


@dataclass
class Choice:
    """What a pack will hold; `notes` say what the corpus could not give, `left_out` see `Material`."""

    ce: list[CeSample]
    prompts: list[Prompt]
    excluded_ids: set[str]
    left_out: dict[str, int]
    notes: list[str] = field(default_factory=list)


def choose(
    corpus: Corpus,
    seed: int,
    ce: int,
    per_language: int,
    cross_lingual: int,
    long_form: int,
    probes: int,
    extended: Mapping[str, int] | int,
    voices: Voices = "any",
    sources: Sequence[str] = (),
) -> Choice:
    """All choices of a pack; see `build_pack`. Raises `BadInput` if there is nothing to choose from."""
    rng = np.random.default_rng(seed)
    if voices not in VOICES:
        raise BadInput(f"voices {voices!r} is no choice of voices; use one of {', '.join(VOICES)}")
    material = material_of(corpus, rng, frozenset(sources), voices)
    _check_material(corpus, material)
    excluded = {one.sample.sample_id for group in material.by_group.values() for one in group}
    choice = Choice(_cross_entropy(material, ce), [], excluded, material.left_out)
    if len(choice.ce) < ce:
        choice.notes.append(
            f"{ce} cross-entropy samples were asked for, {len(choice.ce)} are held out{_of_whom(material)}"
        )
    if not material.spoken_languages:
        choice.notes.append("no prompt to speak: no held-out sample has both text and codes")
    used: set[str] = set()
    for language in material.spoken_languages:
        _add_spoken(choice, material, "native", language, per_language, used)
    _add_cross_lingual(choice, material, cross_lingual, used, rng)
    # Languages in turn; where there are fewer prompts than languages, those with the most long material.
    longs = sorted((material.spoken(one, long_form=True) for one in material.spoken_languages), key=len, reverse=True)
    turns = interleaved([list(varied(material, samples, used, long_form)) for samples in longs])
    long_samples = list(islice(turns, long_form))
    choice.prompts += [spoken_prompt(material, one, "long_form", i) for i, one in enumerate(long_samples)]
    _note(choice, material, "long-form prompts", long_form, len(long_samples))
    probing, notes = probe_prompts(material, probes, used)
    choice.prompts += probing
    choice.notes += notes
    more = dict.fromkeys(material.spoken_languages, extended) if isinstance(extended, int) else extended
    for language, n in sorted(more.items()):
        _add_spoken(choice, material, "extended", language, n, used)
    _note_seen(choice)
    return choice


def _check_material(corpus: Corpus, material: Material) -> None:
    """Raises `BadInput` where nothing is held out, or nothing of a named source, or no voice that was asked for."""
    if not material.by_group:
        raise BadInput(
            f"{corpus.folder} holds no sample out; mark evaluation samples held_out when the corpus is written"
        )
    paired = [one.sample for (stream, _), group in material.by_group.items() if stream == "paired" for one in group]
    known = {sample.source for sample in paired}
    if unknown := sorted(material.sources - known):
        raise BadInput(f"{corpus.folder} holds nothing out of the source {unknown[0]!r}; it does of {sorted(known)}")
    if material.voices == "new-only" and not any(material.is_new(sample.speaker) for sample in paired):
        raise BadInput(
            f"{corpus.folder} holds no speaker out whole: training hears each that is known; mark all samples of some speakers "
            "held_out when the corpus is written, or take heard voices too, with voices 'new-first'"
        )


def _add_spoken(choice: Choice, material: Material, kind: str, language: str, n: int, used: set[str]) -> None:
    """n prompts of one sentence in their own speakers' voices."""
    found = list(varied(material, material.spoken(language), used, n))
    choice.prompts += [spoken_prompt(material, one, kind, i) for i, one in enumerate(found)]
    _note(choice, material, f"{kind} prompts in {language}", n, len(found))


def _cross_entropy(material: Material, n: int) -> list[CeSample]:
    """n samples in turn from each stream and language, of "new-only" none of a speaker that training hears."""
    heard = material.heard_speakers if material.voices == "new-only" else set()
    turns = interleaved(
        [one for one in material.by_group[key] if one.sample.speaker not in heard] for key in sorted(material.by_group)
    )
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


def _add_cross_lingual(choice: Choice, material: Material, n: int, used: set[str], rng: np.random.Generator) -> None:
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
        voices = [one for one in material.spoken(voice_language) if one.sample.speaker is not None]
        # Best a voice that speaks nothing in the text's language, and of a good length.
        voice = min(
            voices,
            key=lambda one: (
                material.comes_later(one.sample.speaker),
                text_language in material.languages_of_speaker[one.sample.speaker or ""],
                not one.good_to_clone,
            ),
            default=None,
        )
        texts = material.paired(text_language)
        # A text of another prompt will do: it is another voice that reads it.
        text = next(chain(varied(material, texts, used, 1), texts), None)
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
    _note(choice, material, "cross-lingual prompts", n, added)


def _note(choice: Choice, material: Material, what: str, wanted: int, got: int) -> None:
    if got < wanted:
        choice.notes.append(f"{wanted} {what} were asked for, the held-out samples{_of_whom(material)} give {got}")


def _of_whom(material: Material) -> str:
    return " of voices that training never hears" if material.voices == "new-only" else ""


def _note_seen(choice: Choice) -> None:
    total = len(choice.prompts)
    seen = sum(prompt.seen_text for prompt in choice.prompts)
    if seen:
        choice.notes.append(f"the texts of {seen} of {total} prompts also stand in samples not held out")
    heard = sum(prompt.seen_voice for prompt in choice.prompts)
    if heard:
        choice.notes.append(f"the voices of {heard} of {total} prompts are also heard in samples not held out")
    unknown = sum(prompt.speaker is None for prompt in choice.prompts)
    if unknown:
        choice.notes.append(f"whose voices {unknown} of {total} prompts have is unknown: training may hear them")
    if any(choice.left_out.values()):
        choice.notes.append(
            f"left out were {choice.left_out['heard']} held-out samples of speakers that training hears and "
            f"{choice.left_out['unknown']} of unknown speakers"
        )
    silent = sum(prompt.reference_kind == PROXY for prompt in choice.prompts)
    if silent:
        choice.notes.append(f"{silent} prompts have reference codes but no original audio in the corpus")
