"""The fast count of scripts equals the plain one, and names what the plain one leaves out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaak.languages import LANGUAGES, SCRIPTS, script_of
from vaak.text.identifying.scripts import OTHER, script_counts, script_shares

INDIC = st.characters(min_codepoint=0x0900, max_codepoint=0x0D7F)
TEXTS = st.text(st.one_of(INDIC, st.characters(max_codepoint=0x024F), st.characters()), max_size=60)


@given(TEXTS)
def test_the_shares_are_those_of_the_plain_reference(text):
    counts = {name: count for name, count in script_counts(text).items() if name != OTHER}
    total = sum(counts.values())
    assert {name: count / total for name, count in counts.items()} == script_of(text)


@given(st.text(st.characters(max_codepoint=0xFFFF), max_size=60))
def test_letters_of_no_script_in_the_table_are_other(text):
    known = {point for first, last in SCRIPTS.values() for point in range(first, last + 1)}
    plain = sum(char.isalpha() and ord(char) not in known and not 0x1E00 <= ord(char) < 0x1F00 for char in text)
    assert script_counts(text).get(OTHER, 0) == plain


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=str)
def test_a_name_of_a_language_is_in_its_script(language):
    assert script_shares(language.native_name) == {language.script: 1.0}


@pytest.mark.parametrize(
    "text, counts",
    [
        ("", {}),
        ("12, 34. — ॥ । 🙂", {}),
        ("été", {"Latin": 3}),
        ("नमस्ते", {"Devanagari": 6}),
        ("हिंदी और اردو", {"Devanagari": 7, OTHER: 4}),
        ("Москва 北京", {OTHER: 8}),
        ("a\ud800b", {"Latin": 2}),  # a lone surrogate is no letter
    ],
)
def test_counts(text, counts):
    assert script_counts(unicodedata.normalize("NFC", text)) == counts


def test_the_largest_share_comes_first():
    assert list(script_shares("मेरा phone")) == ["Latin", "Devanagari"]
