"""What the example corpus holds: every utterance with its voice, source, tier and place on one side of the held-out line.

A pure function of the seed. No held-out sentence stands anywhere in training, as it is written or as it is said: not as an
utterance, not inside a passage or document; and no held-out word does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import count, cycle

from vaak.demo import texts
from vaak.demo.held_out import held_out, held_out_words, rich_pool, wild_speed
from vaak.demo.items import Item, Page, english_words, plain, sentences_in, transcript_kind, whole
from vaak.demo.plan_hours import LONGEST_PASSAGE, TEXT_CHARACTERS, Part, parts, seconds_of
from vaak.demo.texts.rich import RichSentence, rich_passages
from vaak.demo.voices import VOICES
from vaak.languages import LANGUAGES

_HELD_OUT_PAGES = 6
_PAGE_SENTENCES = (4, 8)  # of rich sentences that have nothing to do with one another
_SHORTEST_PAGE = 128  # characters

Allowed = Callable[[RichSentence], bool]


def plan(seed: int, share: float = 1.0) -> tuple[list[Item], list[Page]]:
    """Every utterance and every text of the corpus. `share` scales all but the held-out part, for a small trial run."""
    items: list[Item] = []
    pages: list[Page] = []
    banned: set[str] = set()  # of all languages so far: Indic texts have English sentences too
    words = held_out_words(seed)
    for language in LANGUAGES:
        rng = random.Random(f"{seed}/{language}/training")
        pool = rich_pool(seed, language)
        held = held_out(seed, language, pool, words)
        banned.update(sentence for item in held for sentence in sentences_in(item))

        def allowed(said: RichSentence) -> bool:
            return banned.isdisjoint(sentences_in(said)) and words.isdisjoint(english_words(said))

        rich = iter([said for said in pool if allowed(said)])
        training = list(_training(language, rng, held, rich, allowed, share))
        items += held + training
        spoken = {sentence for item in training for sentence in sentences_in(item)}
        pages += _pages(language, rng, _documents(language, rng, rich, share), spoken, allowed, share)
    return items, pages


def _training(
    language: str,
    rng: random.Random,
    held: Sequence[Item],
    rich: Iterator[RichSentence],
    allowed: Allowed,
    share: float,
) -> Iterator[Item]:
    """Utterances of each part of the language until they have its hours, no text twice."""
    wanted = [(part, _seconds_left(part, held, language) * share) for part in parts(language)]
    seconds = sum(each for part, each in wanted if part.texts == "grammar")
    passages = sum(each for part, each in wanted if part.texts == "passages")
    sources = {
        "grammar": _grammar(language, rng, allowed, seconds),
        "rich": rich,
        "passages": _passages(language, rng, allowed, passages),
    }
    numbers = {"paired": count(), "raw": count()}
    said_before: set[str] = set()
    for part, left in wanted:
        while left > 0:
            said = next(sources[part.texts])
            if said.text in said_before or said.spoken in said_before:
                continue
            said_before |= {said.text, said.spoken}
            item = _utterance(language, rng, part, said, next(numbers[part.stream]))
            left -= seconds_of(language, item.voice.name, said.spoken) / item.speed
            yield item


def _seconds_left(part: Part, held: Sequence[Item], language: str) -> float:
    """The hours of a part less what is held out of it."""
    taken = [one for one in held if (one.stream, one.source) == (part.stream, part.source)]
    return part.hours * 3600 - sum(seconds_of(language, one.voice.name, one.spoken) for one in taken)


def _utterance(language: str, rng: random.Random, part: Part, said: RichSentence, number: int) -> Item:
    voices = [voice for voice in VOICES if voice.language == language and not voice.held_out]
    # The shares are of hours: a slow speaker gets fewer utterances.
    weights = [
        (part.voices.get(voice.name, 0.0) if part.voices else 1.0) / seconds_of(language, voice.name, said.spoken)
        for voice in voices
    ]
    return Item(
        sample_id=f"{language}-{part.stream}-{number:05d}",
        stream=part.stream,
        language=language,
        tier=part.tier,
        source=part.source,
        voice=rng.choices(voices, weights)[0],
        text=said.text,
        spoken=said.spoken,
        speed=wild_speed(rng) if part.tier == "wild" else 1.0,
        transcript_kind=transcript_kind(said),
        long_form=part.texts == "passages",
    )


def _grammar(language: str, rng: random.Random, allowed: Allowed, seconds: float) -> Iterator[RichSentence]:
    """Distinct sentences of the small grammar for at least so many seconds."""
    voice = next(voice for voice in VOICES if voice.language == language).name
    n = 200
    while True:
        found = [one for one in map(plain, texts.sentences(language, rng, n)) if allowed(one)]
        if sum(seconds_of(language, voice, one.spoken) for one in found) > 1.1 * seconds + 60:
            return iter(found)
        n = int(n * 1.5)


def _passages(language: str, rng: random.Random, allowed: Allowed, seconds: float) -> Iterator[RichSentence]:
    """Passages for at least so many seconds, two rich ones for each of the small grammar, none too long for a row."""
    voice = next(voice for voice in VOICES if voice.language == language).name
    n = int(seconds / 4) + 20  # some are held out or too long; the shortest take some six seconds
    grammar = iter([plain(text) for text in texts.long_form(language, rng, n)])
    rich = map(whole, rich_passages(language, rng, n))
    for source in cycle((rich, rich, grammar)):
        said = next(source)
        if seconds_of(language, voice, said.spoken) <= LONGEST_PASSAGE and allowed(said):
            yield said


def _documents(language: str, rng: random.Random, rich: Iterator[RichSentence], share: float) -> Iterator[RichSentence]:
    """Documents in turn: of the small grammar, and of rich passages or of rich sentences that nobody says, while they last."""
    n = int(TEXT_CHARACTERS[language] * share / 200) + 20
    grammar = iter([plain(text) for text in texts.documents(language, rng, n)])
    passages = map(whole, rich_passages(language, rng, n))
    native = (said for said in rich if transcript_kind(said) == "native")
    for source in cycle(("grammar", "passage", "grammar", "sentences")):
        if source == "grammar":
            yield next(grammar)
            continue
        found: list[RichSentence] = []
        least = rng.randint(*_PAGE_SENTENCES) if source == "sentences" else 1
        while len(found) < least or sum(len(one.text) for one in found) < _SHORTEST_PAGE:
            said = next(native, None) if source == "sentences" else None
            found.append(said or next(passages))
        yield RichSentence(" ".join(one.text for one in found), " ".join(one.spoken for one in found), "plain")


def _pages(
    language: str,
    rng: random.Random,
    documents: Iterator[RichSentence],
    spoken: Set[str],
    allowed: Allowed,
    share: float,
) -> list[Page]:
    """Held-out documents, of which no sentence is trained on, then training documents without a held-out sentence."""
    wanted = TEXT_CHARACTERS[language] * share
    pages: list[Page] = []
    own: set[str] = set()
    while wanted > 0:
        said = next(documents)
        inside = sentences_in(said)
        is_held_out = len(pages) < _HELD_OUT_PAGES
        if not allowed(said) or not own.isdisjoint(inside) or (is_held_out and not spoken.isdisjoint(inside)):
            continue
        pages.append(Page(f"{language}-page-{len(pages):05d}", language, said.text, is_held_out))
        if is_held_out:
            own.update(inside)
        else:
            wanted -= len(said.text)
    return pages
