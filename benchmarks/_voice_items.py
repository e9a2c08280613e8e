"""What a voice is measured on: the held-out sentences of a corpus, and who of its voices training never heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vaak.corpus import Corpus, Group, open_corpus
from vaak.corpus.pack_items import Prompt
from vaak.errors import BadInput
from vaak.languages import LANGUAGES
from vaak.score.normalise import normalise_for_scoring
from vaak.storage.files import read_json


@dataclass(frozen=True)
class Sentence:
    """One held-out sentence. `rare`: it has a word that no text of training has; None where nobody says which those are."""

    prompt: Prompt
    source: str
    rare: bool | None


def held_out_sentences(folder: Path) -> tuple[Corpus, list[Sentence]]:
    """The corpus and its held-out paired sentences: clean, one utterance each, by language and in the corpus's order.

    A voice is heard if a training sample of any language has it; one that is not has another recording beside each
    sentence, to continue. `BadInput` if there is none.
    """
    corpus = open_corpus(folder)
    words = _held_out_words(folder)
    groups = [group for key, group in sorted(corpus.groups.items(), key=_by_language) if key[0] == "paired"]
    heard = {speaker for group in groups for speaker in _training_speakers(group)}
    found = [one for group in groups if group.tier == "clean" for one in _of_group(group, corpus, heard, words)]
    if not found:
        raise BadInput(f"{folder} holds out no clean paired sentence; name a corpus with samples marked held_out")
    return corpus, found


def _by_language(entry: tuple[Any, Any]) -> tuple[int, str]:
    order = list(LANGUAGES)
    language = entry[0][1]
    return (order.index(language) if language in order else len(order), language)


def _training_speakers(group: Group) -> set[str]:
    pairs = zip(group.column("speaker"), group.column("held_out"), strict=True)
    return {speaker for speaker, held_out in pairs if speaker and not held_out}


def _of_group(group: Group, corpus: Corpus, heard: set[str], words: dict[str, frozenset[str]] | None) -> list[Sentence]:
    flags = zip(group.column("held_out"), group.column("long_form"), strict=True)
    numbers = [n for n, (held_out, long_form) in enumerate(flags) if held_out and not long_form]
    samples = [group.sample(n) for n in numbers]
    sentences = []
    for place, sample in enumerate(samples):
        text = sample.transcript or ""
        other = _other(samples, place)
        prompt = Prompt(
            item=sample.sample_id,
            language=sample.language,
            kind="native",
            text=text,
            speaker=sample.speaker,
            voice_description=sample.voice_description,
            reference_codes=group.tokens(numbers[place]),
            reference_audio=Path(corpus.folder) / sample.audio if sample.audio else None,
            voice_text=None if other is None else samples[other].transcript,
            voice_codes=None if other is None else group.tokens(numbers[other]),
            voice_language=None if other is None else sample.language,
            seen_voice=sample.speaker in heard,
            seen_text=False,
            sample_id=sample.sample_id,
        )
        sentences.append(Sentence(prompt, sample.source, _is_rare(text, sample.language, words)))
    return sentences


def _other(samples: Sequence[Any], place: int) -> int | None:
    """The next sample of the same voice with another text: a recording to continue."""
    own = samples[place]
    for step in range(1, len(samples)):
        at = (place + step) % len(samples)
        if samples[at].speaker == own.speaker and samples[at].transcript != own.transcript:
            return at
    return None


def _held_out_words(folder: Path) -> dict[str, frozenset[str]] | None:
    """Words that no training text has, by language: `held_out_words` of PROVENANCE.json beside or in the corpus.

    It is a list of English words, or lists by language; None where it is absent.
    """
    path = next((place for place in (folder, folder.parent) if (place / "PROVENANCE.json").is_file()), None)
    given = read_json(path / "PROVENANCE.json").get("held_out_words") if path else None
    if given is None:
        return None
    by_language = given if isinstance(given, dict) else {"en": given}
    if not all(isinstance(words, list) and all(isinstance(w, str) for w in words) for words in by_language.values()):
        raise BadInput(f"{path}/PROVENANCE.json: held_out_words is neither a list of words nor lists by language")
    return {code: frozenset(_words(" ".join(words), code)) for code, words in by_language.items()}


def _is_rare(text: str, language: str, words: dict[str, frozenset[str]] | None) -> bool | None:
    if words is None or language not in words:
        return None
    return not words[language].isdisjoint(_words(text, language))


def _words(text: str, language: str) -> list[str]:
    return normalise_for_scoring(text, language).split()


def chosen(sentences: Sequence[Sentence], english: int, others: int) -> list[Sentence]:
    """At most `english` English sentences and `others` of each other language (0: all), in the order given.

    The sources and voices of a language take turns, and of each those come first whose recording ships.
    """
    kept: set[int] = set()
    buckets: dict[str, dict[tuple[str | None, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, one in enumerate(sentences):
        buckets[one.prompt.language][one.prompt.speaker, one.source].append(index)
    for language, by_kind in buckets.items():
        sorted_by_audio = [
            sorted(some, key=lambda i: sentences[i].prompt.reference_audio is None) for some in by_kind.values()
        ]
        in_turn = [index for turn in zip_longest(*sorted_by_audio) for index in turn if index is not None]
        most = english if language == "en" else others
        kept.update(in_turn[:most] if most > 0 else in_turn)
    return [one for index, one in enumerate(sentences) if index in kept]


def with_partners(sentences: Sequence[Sentence]) -> list[tuple[Sentence, Sentence | None]]:
    """Each sentence with one of another text, half its voice's list away: what a fluent wrong answer is taken from.

    Of the same voice where that has another text, else of the same language; None where there is neither.
    """
    by_voice: dict[tuple[str, str | None], list[Sentence]] = defaultdict(list)
    by_language: dict[str, list[Sentence]] = defaultdict(list)
    for one in sentences:
        by_voice[one.prompt.language, one.prompt.speaker].append(one)
        by_language[one.prompt.language].append(one)
    return [
        (
            one,
            _far(one, by_voice[one.prompt.language, one.prompt.speaker]) or _far(one, by_language[one.prompt.language]),
        )
        for one in sentences
    ]


def _far(own: Sentence, others: Sequence[Sentence]) -> Sentence | None:
    at = next(i for i, one in enumerate(others) if one is own) + len(others) // 2
    turned = (others[(at + step) % len(others)] for step in range(len(others)))
    return next((one for one in turned if one.prompt.text != own.prompt.text), None)


def voices_of(sentences: Iterable[Sentence], most: int) -> dict[tuple[str, str], list[Sentence]]:
    """Up to `most` sentences of each (language, speaker), those whose recording ships first."""
    found: dict[tuple[str, str], list[Sentence]] = defaultdict(list)
    for one in sentences:
        if one.prompt.speaker:
            found[one.prompt.language, one.prompt.speaker].append(one)
    return {key: sorted(some, key=lambda one: one.prompt.reference_audio is None)[:most] for key, some in found.items()}
