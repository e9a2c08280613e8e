"""What the example holds out in every language: utterances, among them unseen voices and, in English, unseen words.

What comes of the small grammars is drawn apart from the rest, by a stream of random numbers of its own: the embedded codec
is kept from hearing it (`vaak.demo.codec_audio`), so it stays when hours, rich texts or voices change.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import count, islice

from vaak.demo import texts
from vaak.demo.items import Item, english_words, plain, sentences_in, transcript_kind, whole
from vaak.demo.plan_hours import LONGEST_PASSAGE, RICH_POOL, seconds_of
from vaak.demo.texts.rich import RichSentence, rich_passages, rich_sentences
from vaak.demo.voices import VOICES, Voice
from vaak.languages import LANGUAGES

# Of the grammar: 70 clean, 12 wild and 6 raw sentences, more than are used, and two passages.
_GRAMMAR_DRAWN, _GRAMMAR_KEPT, _GRAMMAR_WILD, _GRAMMAR_PASSAGES = 120, 88, 12, 2
_Count = tuple[int, int]
_WILD_ENGLISH = ("heart", "slt", "rms")
# English: voice: (clean utterances, of them with original audio) of grammar sentences, and of rich ones.
_ENGLISH_CLEAN = {
    "heart": ((50, 44), (150, 150)),
    "slt": ((5, 2), (0, 0)),
    "rms": ((5, 2), (0, 0)),
    "joe": ((0, 0), (50, 50)),
    "bf_emma": ((0, 0), (30, 30)),
    "awb": ((0, 0), (30, 30)),
}
# The same for all voices of another language together. With two passages and twelve wild ones they make 84.
_INDIC_CLEAN = ((35, 5), (35, 6))
_WILD_OF_GRAMMAR = {"en": 12}  # of every other language 6
_WILD_RICH = 6
_RAW_OF_EACH = 3
_PASSAGES_TRIED = 40

WORDS = 60
_WORD_LETTERS, _WORD_SENTENCES = (4, 10), (6, 20)
_SENTENCES_WITH_WORDS = 40


@dataclass(frozen=True)
class _Grammar:
    """Held-out texts of the grammar; of each wild one the voice and its speed."""

    sentences: Sequence[str]
    wild: Sequence[tuple[Voice, float]]
    passages: Sequence[str]


def grammar_sentences(seed: int) -> set[str]:
    """Every sentence of the small grammars that is held out, those inside passages too, in all languages."""
    drawn = [_grammar(seed, language) for language in LANGUAGES]
    return {one for part in drawn for text in (*part.sentences, *part.passages) for one in texts.sentences_of(text)}


def _grammar(seed: int, language: str) -> _Grammar:
    rng = random.Random(f"{seed}/{language}")
    sentences = texts.sentences(language, rng, _GRAMMAR_DRAWN)[:_GRAMMAR_KEPT]
    seen = [voice for voice in VOICES if voice.language == language and not voice.held_out]
    if language == "en":
        seen = [voice for voice in seen if voice.name in _WILD_ENGLISH]
    wild = [(rng.choice(seen), wild_speed(rng)) for _ in range(_GRAMMAR_WILD)]
    return _Grammar(sentences, wild, texts.long_form(language, rng, _GRAMMAR_PASSAGES))


def wild_speed(rng: random.Random) -> float:
    """How fast a wild utterance is spoken."""
    return round(rng.uniform(0.9, 1.1), 2)


def rich_pool(seed: int, language: str) -> list[RichSentence]:
    """The rich sentences of a language, held out and trained on."""
    return rich_sentences(language, random.Random(f"{seed}/{language}/rich"), RICH_POOL[language])


def held_out_words(seed: int) -> frozenset[str]:
    """English words that no training text has: in some of the rich sentences, no names, chosen by their hash."""
    times: Counter[str] = Counter()
    names: set[str] = set()
    for one in rich_pool(seed, "en"):
        inside = {word.strip(",.?") for word in one.spoken.split()[1:]}
        names.update(word.lower() for word in inside if not word.islower())
        times.update(english_words(one))
    grammar = map(plain, texts.sentences("en", random.Random(seed), 5000))
    names.update(word for one in grammar for word in english_words(one))
    low, high = _WORD_SENTENCES
    letters = range(_WORD_LETTERS[0], _WORD_LETTERS[1] + 1)
    found = [w for w, n in times.items() if low <= n <= high and len(w) in letters and w.isalpha() and w not in names]
    return frozenset(sorted(found, key=lambda word: hashlib.sha256(word.encode()).digest())[:WORDS])


def held_out(seed: int, language: str, pool: Sequence[RichSentence], words: Set[str]) -> list[Item]:
    """The held-out utterances of a language: clean grammar and rich ones, wild ones, two passages, and six raw ones."""
    grammar = _grammar(seed, language)
    rng = random.Random(f"{seed}/{language}/held out")
    voices = [voice for voice in VOICES if voice.language == language]
    fast = [voice for voice in voices if not voice.held_out and voice.engine != "kokoro"]
    sentences = iter([plain(text) for text in grammar.sentences])
    own = {sentence for text in grammar.sentences for sentence in texts.sentences_of(text)}
    rich = _rich(language, rng, [one for one in pool if own.isdisjoint(sentences_in(one))], words)
    clean = _clean_counts(language, voices)
    found = [item for voice, (counts, _) in clean for item in _clean(voice, sentences, "studio", *counts)]
    found += [item for voice, (_, counts) in clean for item in _clean(voice, rich, "anchor", *counts)]
    for voice, speed in grammar.wild[: _WILD_OF_GRAMMAR.get(language, _WILD_RICH)]:
        found.append(_item(voice, next(sentences), "street", speed=speed))
    found += [_item(rng.choice(fast), next(rich), "street", speed=wild_speed(rng)) for _ in range(_WILD_RICH)]
    passages = [plain(grammar.passages[0]), _rich_passage(language, rng, fast[0], words)]
    for said, keep_audio in zip(passages, (True, language == "en"), strict=True):
        found.append(_item(fast[0], said, "stories", keep_audio=keep_audio, long_form=True))
    for said, source in ((sentences, "studio"), (rich, "anchor")):
        found += [_item(rng.choice(fast), next(said), source, stream="raw") for _ in range(_RAW_OF_EACH)]
    numbers = {"paired": count(), "raw": count()}
    return [replace(one, sample_id=f"{one.sample_id}-{next(numbers[one.stream]):03d}") for one in found]


def _clean_counts(language: str, voices: Sequence[Voice]) -> list[tuple[Voice, tuple[_Count, _Count]]]:
    """Of each voice: (utterances, of them with audio) of grammar and of rich sentences."""
    if language == "en":
        return [(voice, _ENGLISH_CLEAN[voice.name]) for voice in voices if voice.name in _ENGLISH_CLEAN]
    grammar, rich = ([_evenly(total, len(voices)) for total in counts] for counts in _INDIC_CLEAN)
    return [(voice, ((grammar[0][n], grammar[1][n]), (rich[0][n], rich[1][n]))) for n, voice in enumerate(voices)]


def _evenly(total: int, n: int) -> list[int]:
    each, rest = divmod(total, n)
    return [each + (i < rest) for i in range(n)]


def _rich(language: str, rng: random.Random, pool: Sequence[RichSentence], words: Set[str]) -> Iterator[RichSentence]:
    """Rich sentences to hold out, mixed: in English some with a held-out word each, the others without one."""
    most = _SENTENCES_WITH_WORDS if language == "en" else 0
    with_word: list[RichSentence] = []
    without: list[RichSentence] = []
    met: set[str] = set()
    for one in pool:
        inside = english_words(one) & words
        if inside - met and len(with_word) < most:
            with_word.append(one)
            met |= inside
        elif not inside:
            without.append(one)
    wanted = sum(rich[0] for rich in _rich_counts(language)) + _WILD_RICH + _RAW_OF_EACH
    chosen = with_word + without[: wanted - len(with_word)]
    return iter(rng.sample(chosen, wanted))


def _rich_counts(language: str) -> list[_Count]:
    return [rich for _, rich in _ENGLISH_CLEAN.values()] if language == "en" else [_INDIC_CLEAN[1]]


def _clean(voice: Voice, said: Iterator[RichSentence], source: str, n: int, with_audio: int) -> Iterator[Item]:
    for one in islice(said, n):
        # The gold pack asks for native transcripts: audio of another kind would be heard by nobody.
        keep_audio = with_audio > 0 and transcript_kind(one) == "native"
        with_audio -= keep_audio
        yield _item(voice, one, source, keep_audio=keep_audio)


def _rich_passage(language: str, rng: random.Random, voice: Voice, words: Set[str]) -> RichSentence:
    found = map(whole, rich_passages(language, rng, _PASSAGES_TRIED))
    return next(
        one
        for one in found
        if seconds_of(language, voice.name, one.spoken) <= LONGEST_PASSAGE and words.isdisjoint(english_words(one))
    )


def _item(
    voice: Voice,
    said: RichSentence,
    source: str,
    *,
    stream: str = "paired",
    speed: float = 1.0,
    keep_audio: bool = False,
    long_form: bool = False,
) -> Item:
    tier = "wild" if source == "street" else "clean"
    name = f"{voice.language}-{stream}-held"
    kind = transcript_kind(said)
    return Item(
        name,
        stream,
        voice.language,
        tier,
        source,
        voice,
        said.text,
        said.spoken,
        speed,
        kind,
        long_form,
        True,
        keep_audio,
    )
