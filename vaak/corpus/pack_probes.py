"""Prompts that probe one thing each: numbers, names, questions, and pairs of words that differ in one sound.

Their texts ship in `probes/<language>.yaml`: sentences of kinds `number`, `name` and `question`, and under `minimal_pair` pairs of
`words`, said in the same `frame`, that differ in one of `sounds`. Nobody has spoken them, so they have no reference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import yaml

from vaak.corpus.pack_items import Prompt
from vaak.corpus.pack_material import HeldOut, Material, spoken_prompt, varied

PROBE_KINDS = ("number", "name", "question", "minimal_pair")
_FOLDER = Path(__file__).parent / "probes"
# What is seen of a sentence's kind in its transcript; whether a word is a name, or has a twin, is not seen.
_KIND_OF_TEXT: dict[str, Callable[[str], bool]] = {
    "number": lambda text: re.search(r"\d", text) is not None,
    "question": lambda text: text.rstrip(" \"'”’").endswith("?"),
}


@cache
def probe_texts(language: str) -> dict[str, list[tuple[str, ...]]] | None:
    """The texts that ship for a language by kind, or None if none do; a minimal pair is two texts, any other entry is one."""
    path = _FOLDER / f"{language}.yaml"
    if not path.is_file():
        return None
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    texts: dict[str, list[tuple[str, ...]]] = {kind: [(text,) for text in tree[kind]] for kind in PROBE_KINDS[:-1]}
    frame = tree["frame"]
    texts["minimal_pair"] = [tuple(frame.format(word) for word in pair["words"]) for pair in tree["minimal_pair"]]
    return texts


def probe_prompts(material: Material, n: int, used: set[str]) -> tuple[list[Prompt], list[str]]:
    """n texts of each kind in each spoken language, of minimal pairs n pairs; and a note for each that there are too few of.

    Of numbers and questions up to half are held-out sentences with their reference, the others are those that ship; the speakers
    of the language take turns with these, and both texts of a pair have one voice. None stands in training. The texts that are
    taken are added to `used`.
    """
    prompts: list[Prompt] = []
    notes: list[str] = []
    for language in material.spoken_languages if n > 0 else ():
        texts, voices = probe_texts(language), _voices(material, language)
        if texts is None:
            notes.append(f"no probes in {language}: no texts ship for it in vaak/corpus/probes")
            continue
        if voices is None:
            notes.append(f"no probes in {language}: the held-out samples have no voice for them")
            continue
        for kind in PROBE_KINDS:
            spoken = list(varied(material, _said(material, language, kind), used, n // 2))
            prompts += [spoken_prompt(material, one, kind, i) for i, one in enumerate(spoken)]
            unseen = [some for some in texts[kind] if not used.intersection(some) and not _seen(material, some)]
            taken = unseen[: n - len(spoken)]
            for i, some in enumerate(taken, len(spoken)):
                used.update(some)
                prompts += _unspoken(material, language, kind, i, some, next(voices))
            if len(spoken) + len(taken) < n:
                what = "pairs" if kind == "minimal_pair" else "texts"
                notes.append(
                    f"{n} {what} of kind {kind} in {language} were asked for, there are {len(spoken) + len(taken)} that training "
                    "does not read"
                )
    return prompts, notes


def _said(material: Material, language: str, kind: str) -> list[HeldOut]:
    """Held-out sentences of the kind that training does not read."""
    is_such = _KIND_OF_TEXT.get(kind)
    return [
        one
        for one in material.spoken(language)
        if is_such and is_such(one.sample.transcript or "") and one.sample.transcript_hash not in material.heard_texts
    ]


def _voices(material: Material, language: str) -> Iterator[HeldOut] | None:
    """One utterance of each speaker of the language, of a good length for cloning if there is one, again and again."""
    of_speaker: dict[str | None, HeldOut] = {}
    for one in material.spoken(language):
        best = of_speaker.setdefault(one.sample.speaker, one)
        if one.good_to_clone and not best.good_to_clone:
            of_speaker[one.sample.speaker] = one
    # Somebody unknown speaks only where nobody is known.
    known = {name: one for name, one in of_speaker.items() if name is not None} or of_speaker
    if material.voices == "new-first":
        known = {name: one for name, one in known.items() if material.is_new(name)} or known
    return cycle(known.values()) if known else None


def _seen(material: Material, texts: tuple[str, ...]) -> bool:
    return any(hashlib.sha256(text.encode()).hexdigest() in material.heard_texts for text in texts)


def _unspoken(
    material: Material, language: str, kind: str, number: int, texts: tuple[str, ...], voice: HeldOut
) -> list[Prompt]:
    """Prompts that nobody has said; those of a pair are told apart by a letter."""
    sample = voice.sample
    return [
        Prompt(
            item=f"{kind}-{language}-{number:02d}{letter if len(texts) > 1 else ''}",
            language=language,
            kind=kind,
            text=text,
            speaker=sample.speaker,
            voice_description=sample.voice_description,
            reference_codes=None,
            reference_audio=None,
            voice_text=sample.transcript,
            voice_codes=voice.tokens,
            voice_language=language,
            seen_voice=sample.speaker in material.heard_speakers,
            seen_text=False,
            sample_id=None,
        )
        for text, letter in zip(texts, "ab", strict=False)
    ]
