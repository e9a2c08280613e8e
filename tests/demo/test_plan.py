"""The plan of the example: a function of the seed, and a line between held out and trained that nothing crosses."""

from __future__ import annotations

from collections import Counter

import pytest

from vaak.demo import texts
from vaak.demo.plan import Item, Page, plan
from vaak.languages import LANGUAGES


@pytest.fixture(scope="module")
def planned() -> tuple[list[Item], list[Page]]:
    return plan(seed=3, share=0.5)


def test_no_held_out_sentence_is_trained_on(planned: tuple[list[Item], list[Page]]) -> None:
    items, pages = planned
    held_out: set[str] = set()
    trained: set[str] = set()
    for text, out in [(one.text, one.held_out) for one in (*items, *pages)]:
        (held_out if out else trained).update(texts.sentences_of(text))
    assert held_out and not held_out & trained


def test_every_language_holds_out_the_same(planned: tuple[list[Item], list[Page]]) -> None:
    items, pages = planned
    counts = Counter((item.language, item.stream) for item in items if item.held_out)
    assert counts == {(language, stream): n for language in LANGUAGES for stream, n in (("paired", 84), ("raw", 6))}
    assert set(Counter(page.language for page in pages if page.held_out).values()) == {6}


def test_unseen_voices_are_only_held_out(planned: tuple[list[Item], list[Page]]) -> None:
    for item in planned[0]:
        assert item.held_out or not item.voice.held_out
        assert item.voice.language == item.language
        assert item.held_out or not item.keep_audio


def test_ids_and_utterances_are_unique(planned: tuple[list[Item], list[Page]]) -> None:
    items, pages = planned
    assert len({one.sample_id for one in items} | {one.page_id for one in pages}) == len(items) + len(pages)
    assert len({(item.language, item.text) for item in items}) == len(items)


def test_all_four_sources_in_every_language(planned: tuple[list[Item], list[Page]]) -> None:
    found = {
        (item.language, item.source, item.tier) for item in planned[0] if not item.held_out and item.stream == "paired"
    }
    for language in LANGUAGES:
        assert (language, "studio", "clean") in found and (language, "street", "wild") in found
        assert (language, "stories", "clean") in found


@pytest.mark.slow
def test_the_same_seed_gives_the_same_plan(planned: tuple[list[Item], list[Page]]) -> None:
    assert plan(seed=3, share=0.5) == planned
