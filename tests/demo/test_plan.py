"""The plan of the example: a function of the seed, and a line between held out and trained that nothing crosses."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from vaak.demo import texts
from vaak.demo.held_out import WORDS, grammar_sentences, held_out_words
from vaak.demo.items import Item, Page, english_words
from vaak.demo.plan import plan
from vaak.demo.plan_hours import LONGEST_PASSAGE, parts, seconds_of
from vaak.languages import LANGUAGES

Planned = tuple[list[Item], list[Page]]


@pytest.fixture(scope="module")
def planned() -> Planned:
    return plan(seed=3, share=0.3)


@pytest.fixture(scope="module")
def words() -> frozenset[str]:
    return held_out_words(3)


def _hours(items: list[Item]) -> float:
    return sum(seconds_of(one.language, one.voice.name, one.spoken) / one.speed for one in items) / 3600


def test_no_held_out_sentence_is_trained_on(planned: Planned) -> None:
    items, pages = planned
    sides: dict[bool, set[str]] = {True: set(), False: set()}
    for one in items:
        for text in (one.text, one.spoken):
            sides[one.held_out].update((text, *texts.sentences_of(text)))
    for page in pages:
        sides[page.held_out].update(texts.sentences_of(page.text))
    assert sides[True] and not sides[True] & sides[False]


def test_no_held_out_word_is_trained_on(planned: Planned, words: frozenset[str]) -> None:
    items, pages = planned
    assert len(words) == WORDS and all(re.fullmatch("[a-z]{4,10}", word) for word in words)
    for one in items:
        assert one.held_out or words.isdisjoint(english_words(one)), one
    for page in pages:
        assert words.isdisjoint(re.findall(r"[a-z]+(?:['-][a-z]+)*", page.text.lower())), page
    with_word = [one for one in items if one.held_out and not words.isdisjoint(english_words(one))]
    assert len(with_word) == 40 and {one.language for one in with_word} == {"en"}
    assert len({word for one in with_word for word in english_words(one) & words}) >= 40


def test_every_language_holds_out_the_same_and_english_more(planned: Planned) -> None:
    items, pages = planned
    counts = Counter((item.language, item.stream) for item in items if item.held_out)
    assert counts == {
        (language, stream): n if language != "en" or stream == "raw" else 340
        for language in LANGUAGES
        for stream, n in (("paired", 84), ("raw", 6))
    }
    assert set(Counter(page.language for page in pages if page.held_out).values()) == {6}
    english = Counter(
        (item.source, item.voice.name, item.keep_audio)
        for item in items
        if item.held_out and item.language == "en" and item.source in ("studio", "anchor") and item.stream == "paired"
    )
    rich = {("anchor", name, True): n for name, n in (("heart", 150), ("joe", 50), ("bf_emma", 30), ("awb", 30))}
    assert english == rich | {("studio", "heart", True): 44, ("studio", "heart", False): 6} | {
        ("studio", name, kept): n for name in ("slt", "rms") for kept, n in ((True, 2), (False, 3))
    }


def test_audio_ships_with_native_held_out_utterances_alone(planned: Planned) -> None:
    kept = [item for item in planned[0] if item.keep_audio]
    assert all(item.held_out and item.transcript_kind == "native" for item in kept)
    counts = Counter(item.language for item in kept)
    assert counts.pop("en") == 310 and set(counts.values()) == {12}


def test_what_the_codec_is_kept_from_is_held_out(planned: Planned) -> None:
    kept_from = grammar_sentences(3)
    for item in planned[0]:
        if item.held_out and item.source == "studio":
            assert kept_from.issuperset(texts.sentences_of(item.text))


def test_unseen_voices_are_only_held_out(planned: Planned) -> None:
    for item in planned[0]:
        assert item.held_out or not item.voice.held_out
        assert item.voice.language == item.language
        assert item.held_out or not item.keep_audio


def test_ids_and_utterances_are_unique(planned: Planned) -> None:
    items, pages = planned
    assert len({one.sample_id for one in items} | {one.page_id for one in pages}) == len(items) + len(pages)
    assert len({(item.language, item.text) for item in items}) == len(items)


def test_all_four_sources_in_every_language(planned: Planned) -> None:
    found = {
        (item.language, item.source, item.tier) for item in planned[0] if not item.held_out and item.stream == "paired"
    }
    sources = (("studio", "clean"), ("anchor", "clean"), ("stories", "clean"), ("street", "wild"))
    assert found == {(language, *source) for language in LANGUAGES for source in sources}


def test_passages_are_stories_and_fit_a_row(planned: Planned) -> None:
    for item in planned[0]:
        assert item.long_form == (item.source == "stories")
        if item.long_form and not item.held_out:
            assert seconds_of(item.language, item.voice.name, item.spoken) <= 1.1 * LONGEST_PASSAGE


def test_kinds_of_transcripts(planned: Planned) -> None:
    kinds = {(item.language == "en", item.transcript_kind) for item in planned[0]}
    assert kinds == {(True, "native"), *((False, kind) for kind in ("native", "code_mixed", "romanised"))}
    for item in planned[0]:
        assert not re.search(r"\d", item.spoken)


def test_the_hours_are_those_asked_for(planned: Planned) -> None:
    items = [one for one in planned[0] if not one.held_out]
    for language in ("en", "hi", "as"):
        for part in parts(language):
            found = _hours(
                [x for x in items if (x.language, x.stream, x.source) == (language, part.stream, part.source)]
            )
            assert found < 0.3 * part.hours + 0.01, part
    total = sum(part.hours for language in LANGUAGES for part in parts(language))
    assert 20 < total < 25
    assert sum(part.hours for part in parts("en")) / total == pytest.approx(0.45, abs=0.01)


@pytest.mark.slow
def test_a_slow_engine_says_little() -> None:
    items, _ = plan(2026)
    assert _hours([one for one in items if one.voice.engine == "kokoro"]) < 0.85


@pytest.mark.slow
def test_the_same_seed_gives_the_same_plan(planned: Planned) -> None:
    assert plan(seed=3, share=0.3) == planned
