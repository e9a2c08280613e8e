"""Properties of `clean` over any string: it never raises, cleans once and for all, and leaves nothing invisible."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.cleaning.fuzz import MARKUP, SENTENCES, strings
from vaak.text.cleaning.html import html_to_text

pytest.importorskip("ftfy", reason="cleaning needs the extra `text` (ftfy)")

from vaak.text.cleaning.clean import clean

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)
NASTY = st.lists(st.sampled_from((*MARKUP, *SENTENCES)) | ANY_TEXT, max_size=12).map("".join)


@settings(max_examples=300)
@given(ANY_TEXT | NASTY)
def test_cleaning_again_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once


def test_no_string_of_the_generator_is_cleaned_twice_or_raises():
    for text in strings(seed=0, n=1000):
        once = clean(text)
        assert clean(once) == once, ascii(text)


def test_the_generator_repeats_itself_and_reaches_what_it_should():
    texts = list(strings(seed=3, n=2000))
    assert texts == list(strings(seed=3, n=2000))
    everything = "".join(texts)
    assert re.search("[\ud800-\udfff]", everything)
    assert max(everything) > "\U000f0000"
    assert "</" in everything and "à¤" in everything
    assert all(any(sentence[:10] in text for text in texts) for sentence in SENTENCES)


@settings(max_examples=200)
@given(NASTY)
def test_what_is_left_is_one_spaced_and_encodable(text):
    left = clean(text)
    left.encode()
    assert left == left.strip()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\xa0\u200b\ufeff]|  | \n|\n |\n\n\n|</?(?:b|p|div|td)>", left)


@pytest.mark.parametrize("piece", ["<<b>b>", "&#38;#38;", "<b<b", "[](", "https://a.co/(", "```a\n", "<i><nav>", "Ãƒ"])
def test_deep_nesting_ends(piece):
    left = clean(piece * 3000)
    assert clean(left) == left


def test_a_text_nested_deeper_than_the_rounds_loses_the_signs_of_markup():
    assert clean("<" * 5 + "b>" * 5 + " words") == "words"
    assert clean("<" * 12 + "b>" * 12 + " words & more") == "b b b b words more"


BLOCKS = st.recursive(
    st.sampled_from(["river", "north <b>bank</b>", "नदी <i>के</i>", "x<br>y", "<!-- no --> lake", "<span title='a > b'>z</span>"]),
    lambda inner: st.builds(
        lambda name, parts: f"<{name} id='c'>{' '.join(parts)}</{name}>",
        st.sampled_from(["div", "p", "section", "blockquote", "h2", "ul", "li"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(BLOCKS, min_size=1, max_size=4).map("\n".join))
def test_letters_are_those_that_a_whole_parser_finds(fragment):
    """In their order; only a parser that builds the tree takes minutes for a megabyte of nested lists."""
    lexbor = pytest.importorskip("selectolax.lexbor", reason="the reference needs the extra `dev` (selectolax)")
    page = f"<html><body>{fragment}</body></html>"
    assert "".join(html_to_text(page).split()) == "".join(lexbor.LexborHTMLParser(page).body.text().split())
