"""What was made fast equals what it was made from: whole rounds of plain steps, on real, random and nasty strings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.cleaning.fuzz import MARKUP, SENTENCES, strings
from tests.text.dumps import FILES, all_documents

pytest.importorskip("ftfy", reason="cleaning needs the extra `text` (ftfy)")

from tests.text.cleaning.whole_rounds import (
    clean_in_whole_rounds,
    line_by_line,
    places_of_triggers,
    plain_controls,
    plain_spacing,
)
from vaak.text.cleaning.boilerplate import without_boilerplate
from vaak.text.cleaning.clean import clean
from vaak.text.cleaning.controls import without_controls
from vaak.text.cleaning.links import _places
from vaak.text.cleaning.spacing import spaced

NASTY = st.lists(st.sampled_from((*MARKUP, *SENTENCES)) | st.text(max_size=40), max_size=12).map("".join)


@pytest.mark.parametrize("name", FILES)
def test_real_documents(name):
    for document in all_documents(name):
        assert clean(document["text"]) == clean_in_whole_rounds(document["text"])


def test_strings_of_the_generator():
    for text in strings(seed=21, n=3000):
        assert clean(text) == clean_in_whole_rounds(text), ascii(text)
        assert spaced(text) == plain_spacing(text), ascii(text)
        assert without_controls(text) == plain_controls(text), ascii(text)
        assert _places(text) == places_of_triggers(text), ascii(text)


@settings(max_examples=300)
@given(NASTY)
def test_any_string(text):
    assert clean(text) == clean_in_whole_rounds(text)


ADDRESSES = ("http://", "HTTPS://a.co.in/x", "www.", "wwww.", "Www.", "WWW.a", "a.com/", ".in:8080/", ".bharat:12345/", "//", ".com//", "/", ".", "@", " ")  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.sampled_from(ADDRESSES)).map("".join))
def test_places_of_addresses(text):
    assert _places(text) == places_of_triggers(text)


LINES = ("Read more", "COOKIE settings", "we use coo\u212aies", "Home > News", "a / b / c", "\u00a9 2020", "(C) 2019", "Powered By X", "इस साइट की कुकी", "Related: x", "  Home", "x")  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.sampled_from((*LINES, *SENTENCES, "")), max_size=8), st.sets(st.sampled_from(SENTENCES)))
def test_a_line_goes_whatever_the_others_are_and_is_remembered_only_if_it_stays(lines, known):
    text, looked_at = "\n".join(lines), set(known)
    left = without_boilerplate(text, looked_at)
    assert left == without_boilerplate(text) == line_by_line(text)
    assert looked_at == known | {line for line in left.split("\n") if line}


@pytest.mark.parametrize("accent", ["", "\u0301", "\u0338"])
def test_what_left_the_controls_once_is_plain_whatever_goes_from_it(accent):
    """All characters, alone and with an accent: so a second look need ask only for joiners and accents."""
    left = set(without_controls("".join([f"{char}{accent}\n" for char in map(chr, range(0x110000))])))
    dependent = {char for char in left if "\u0300" <= char <= "\u036f" or char in "\u200c\u200d"}
    text = "x".join(sorted(left - dependent))
    assert len(text) > 200_000
    assert plain_controls(text) == text == without_controls(text, again=True)


@settings(max_examples=300)
@given(st.lists(st.sampled_from("ae\u0301\u0338\u200c\u200dन्\n <")).map("".join))
def test_accents_and_joiners_are_looked_for_again(text):
    assert without_controls(text, again=True) == plain_controls(text)
