"""Words that tell romanised Indic text from English."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.identifying.latin_sentences import ENGLISH_WITH_NAMES, ROMANISED
from vaak.text.identifying.function_words import ENGLISH
from vaak.text.identifying.romanised import latin_words
from vaak.text.identifying.romanised_words import WORDS


def test_no_word_of_the_lists_is_an_english_function_word():
    listed = {word for words in WORDS.values() for word in words.split()}
    # Left in on purpose: they are as frequent in romanised text, and English has them in its own list, which is asked first.
    assert listed & set(ENGLISH.split()) == set()


@pytest.mark.parametrize("language", ROMANISED)
def test_romanised_text_has_more_indic_than_english_words(language):
    words = latin_words(" ".join(ROMANISED[language]))
    assert words.romanised > 0.4
    assert words.english < 0.1
    assert words.language == language


def test_english_with_indian_names_has_more_english_words():
    words = latin_words(" ".join(ENGLISH_WITH_NAMES))
    assert words.english > 3 * words.romanised


def test_a_word_counts_once_and_an_ending_half():
    words = latin_words("naan zzzkkum the is")  # a Tamil word, an ending, an English word, a homograph
    assert (words.n, words.romanised, words.english, words.language) == (4, 1.5 / 4, 1.5 / 4, "ta")


@given(st.text(max_size=50))
def test_shares_are_shares(text):
    words = latin_words(text)
    assert words.romanised + words.english <= 1.0
    assert (words.n > 0) or words.language is None


@pytest.mark.parametrize(
    "text", ["Maiṁ kal bāzār jā rahā hū̃ aur kitābeṁ lāū̃gā.", "MAIN KAL BAZAAR JA RAHA HOON AUR KITAB LAUNGA"]
)
def test_marks_of_scholars_and_capitals_are_read_as_plain_letters(text):
    assert latin_words(text).language == "hi"
    assert latin_words(text).romanised >= 0.4
