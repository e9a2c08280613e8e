"""The quick test for NFC against the real one, over every character of the first plane and random marks."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from vaak.text.normalising.characters import _MAYBE_NOT_NFC, plain_characters


def passes(text: str) -> bool:
    return not any(sign.search(text) for sign in _MAYBE_NOT_NFC)


def test_what_passes_the_quick_test_is_in_nfc():
    wrong = []
    for char in map(chr, range(0x110000)):
        apart = unicodedata.normalize("NFD", char)
        half = unicodedata.normalize("NFC", apart[:-1]) + apart[-1:]
        wrong += [text for text in (char, apart, half) if passes(text) and not unicodedata.is_normalized("NFC", text)]
    assert wrong == []


MARKED = [chr(c) for c in range(0x10000) if unicodedata.combining(chr(c)) or unicodedata.decomposition(chr(c))]


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from(MARKED) | st.characters(min_codepoint=0x900, max_codepoint=0xD7F) | st.characters()).map(
        "".join
    )
)
def test_what_passes_in_any_mixture_is_in_nfc(text: str):
    assert not passes(text) or unicodedata.is_normalized("NFC", text)


def test_the_quick_test_lets_ordinary_text_pass():
    text = "Plain English, café, हिन्दी में राज़, বাংলা, தமிழ், తెలుగు, ಕನ್ನಡ, മലയാളം, ਪੰਜਾਬੀ, ગુજરાતી"
    assert passes(unicodedata.normalize("NFC", text))


def test_a_space_for_a_space():
    assert plain_characters("a\u00a0\u00a0b\u3000") == "a  b "


def test_a_long_dash_stands_between_spaces_and_between_digits_without():
    assert plain_characters("—a—b— c——1—2") == "- a - b - c - 1-2"
