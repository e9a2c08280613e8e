"""Rich sentences in the twelve languages: real ones from packages, and frames filled from large lists of words.

`text` is what is written and may hold digits or English words; `spoken` is the same in words of the language's own script,
for engines that read digits or Latin letters badly. Where it came from: SOURCES.md; how it is made again: `collect`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle

from vaak.demo.texts import indic, sentences_of
from vaak.demo.texts.rich import clean
from vaak.demo.texts.rich.frames import Word, fill
from vaak.demo.texts.rich.script import romanise
from vaak.demo.texts.rich.store import Store, store_of
from vaak.errors import BadInput

KINDS = ("plain", "name", "date", "number", "question", "code_mixed", "romanised")
# Share of each kind; English has neither code-mixed nor romanised sentences.
_SHARES = (0.56, 0.10, 0.06, 0.08, 0.10, 0.05, 0.05)
_ENGLISH_SHARES = (0.70, 0.08, 0.05, 0.07, 0.10, 0.0, 0.0)
_COLLECTED = {"en": 0.85}  # share of the plain sentences that comes from packages while they last
_COLLECTED_INDIC, _GRAMMAR = 0.6, 0.15  # the rest comes from frames
_SHARED = ("given", "given2", "city", "weekday", "month", "thing", "food", "country")  # what a passage keeps to
_TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor", "St": "Saint"}
_TRIES = 50  # of frames, for each sentence asked for


@dataclass(frozen=True)
class RichSentence:
    """One sentence: as it is written (NFC), as it is said (no digits, the language's own letters), and its kind."""

    text: str
    spoken: str
    kind: str


@dataclass(frozen=True)
class RichPassage:
    """Three to six sentences that follow one another."""

    sentences: tuple[RichSentence, ...]

    @property
    def text(self) -> str:
        return " ".join(one.text for one in self.sentences)

    @property
    def spoken(self) -> str:
        return " ".join(one.spoken for one in self.sentences)


def rich_sentences(language: str, rng: random.Random, n: int) -> list[RichSentence]:
    """`n` distinct sentences of 4 to 18 written words, the kinds mixed; the same ones for the same state of `rng`.

    Raises `BadInput` if the language has not so many.
    """
    store = store_of(language)
    kinds = rng.choices(KINDS, _ENGLISH_SHARES if language == "en" else _SHARES, k=n)
    collected = _shuffled((one for one in _all_collected(store) if not one.endswith("?")), rng)
    questions = _shuffled((one for one in _all_collected(store) if one.endswith("?")), rng)
    grammar = iter(indic.sentences(language, rng, max(20, n // 4)) if language != "en" else ())
    found: dict[str, RichSentence] = {}
    spoken: set[str] = set()
    for kind in kinds:
        for _ in range(_TRIES):
            one = _one(kind, store, rng, collected, questions, grammar)
            if one is not None and one.text not in found and one.spoken not in spoken:
                found[one.text] = one
                spoken.add(one.spoken)
                break
        else:
            raise BadInput(f"fewer than the {n} {language} sentences asked for: no further {kind} one found")
    return list(found.values())


def rich_passages(language: str, rng: random.Random, n: int) -> list[RichPassage]:
    """`n` distinct passages of three to six sentences: collected ones while they last, the grammar's, frames on one theme."""
    store = store_of(language)
    runs = iter(rng.sample(store.runs, len(store.runs)))
    grammar = iter(indic.long_form(language, rng, n // 3 + 1) if language != "en" else ())
    found: dict[str, RichPassage] = {}
    makers = cycle(("run", "run", "run", "frames") if language == "en" else ("run", "grammar", "frames"))
    while len(found) < n:
        source = next(makers)
        run = next(runs, None) if source == "run" else sentences_of(next(grammar, "")) if source == "grammar" else None
        if run and len(run) >= 3:
            passage = RichPassage(tuple(_plain(text) for text in run))
        else:
            passage = _on_one_theme(store, rng)
        found.setdefault(passage.text, passage)
    return list(found.values())


def word_count(found: Iterable[RichSentence]) -> int:
    """How many different words the sentences have as they are said, capitals aside."""
    words = {word.strip(",.?।'-").lower() for one in found for word in one.spoken.split()}
    return len(words - {""})


def _all_collected(store: Store) -> Iterator[str]:
    yield from store.sentences
    for run in store.runs:
        yield from run


def _shuffled(texts: Iterable[str], rng: random.Random) -> Iterator[str]:
    distinct = list(dict.fromkeys(texts))
    return iter(rng.sample(distinct, len(distinct)))


def _one(
    kind: str,
    store: Store,
    rng: random.Random,
    collected: Iterator[str],
    questions: Iterator[str],
    grammar: Iterator[str],
) -> RichSentence | None:
    """The next sentence of a kind, or None if this try came to nothing."""
    language = store.language
    draw = rng.random()
    text = None
    if kind in ("plain", "romanised"):
        share = _COLLECTED.get(language, _COLLECTED_INDIC)
        if kind == "plain" and draw < share:
            text = next(collected, None)
        elif language != "en" and draw < share + _GRAMMAR:
            text = next(grammar, None)
    elif kind == "question" and draw < 0.5:
        text = next(questions, None)
    if text is None:
        return _framed("plain" if kind == "romanised" else kind, store, rng, romanised=kind == "romanised")
    one = _plain(text)
    return _romanised(one, language) if kind == "romanised" else one


def _plain(text: str) -> RichSentence:
    """A sentence without slots; English titles are said in full."""
    spoken = re.sub(r"\b(Mr|Mrs|Dr|St)\b", lambda match: _TITLES[match[1]], text)
    return RichSentence(text, spoken, "question" if text.endswith("?") else "plain")


def _framed(kind: str, store: Store, rng: random.Random, *, romanised: bool = False) -> RichSentence | None:
    """A frame of the kind filled, or None if it came out too short, too long or not clean."""
    one = _checked(fill(rng.choice(store.frames[kind]), store, rng), kind, store.language)
    return _romanised(one, store.language) if romanised and one else one


def _checked(word: Word, kind: str, language: str) -> RichSentence | None:
    text, spoken = (clean.ended(clean.tidy(one, language), language) for one in (word.text, word.spoken))
    if not clean.SHORTEST <= len(text.split()) <= clean.LONGEST or not clean.is_clean(spoken, language):
        return None
    return RichSentence(text, spoken, kind)


def _romanised(one: RichSentence, language: str) -> RichSentence | None:
    """The sentence in Latin letters; it is said as the native one."""
    text = romanise(one.text, language)
    return RichSentence(text[:1].upper() + text[1:], one.spoken, "romanised") if text.isascii() else None


def _on_one_theme(store: Store, rng: random.Random) -> RichPassage:
    """Three to six sentences from different frames about the same people, place, day and thing."""
    theme: dict[str, Word] = {}
    fill(" ".join(f"{{{slot}}}" for slot in _SHARED), store, rng, theme)
    frames = [(kind, one) for kind in ("name", "date", "number", "plain", "question") for one in store.frames[kind]]
    frames = [pair for pair in frames if any(f"{{{slot}}}" in pair[1] for slot in _SHARED)]
    wanted = rng.randint(3, 6)
    found: list[RichSentence] = []
    for kind, frame in rng.sample(frames, len(frames)):
        one = _checked(fill(frame, store, rng, dict(theme)), kind, store.language)
        if one is not None and len(found) < wanted:
            found.append(one)
    return RichPassage(tuple(found))
