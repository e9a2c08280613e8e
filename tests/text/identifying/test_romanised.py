"""Words that tell romanised Indic text from English."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.identifying.latin_sentences import ENGLISH_WITH_NAMES, ROMANISED
from vaak.text.identifying.function_words import ENGLISH, LONGEST_ENDING, inverted, languages_of_endings
from vaak.text.identifying.romanised import HOMOGRAPHS, latin_words
from vaak.text.identifying.romanised_words import ENDINGS, LETTERS, WORDS


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


def plain_latin_words(text):
    """Word by word, by regular expressions alone."""
    decomposed = unicodedata.normalize("NFD", text)
    words = re.findall("[a-z]+(?:['’][a-z]+)*", re.sub("[\u0300-\u036f]", "", decomposed).lower())
    listed, endings = inverted(WORDS), inverted(ENDINGS)
    ending = re.compile("..(" + "|".join(sorted(endings, key=len, reverse=True)) + ")$")
    english = romanised = 0.0
    languages = {}
    for word in words:
        mine, weight = (), 0.0
        if word in ENGLISH.split():
            english += 0.5 if word in HOMOGRAPHS else 1.0
        elif word in listed:
            mine, weight = listed[word], 1.0
        elif len(word) >= 5 and (found := ending.search(word)):
            mine, weight = endings[found[1]], 0.5
        elif re.search(LETTERS, word):
            weight = 0.5
        romanised += weight
        for one in mine:
            languages[one] = languages.get(one, 0.0) + weight
    n = max(len(words), 1)
    return len(words), english / n, romanised / n, max(languages, key=lambda one: languages[one], default=None)


PIECES = [
    "is",
    "the",
    "Don't",
    "nahi",
    "naan",
    "vaanga",
    "unnaru",
    "zzzkkum",
    "chhilam",
    "aa",
    "bhx",
    "ई",
    "5",
    "'",
    "’",
    "İ",
    "é",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=30), st.sampled_from([" ", "", "\n"]))
def test_the_marks_are_those_of_the_plain_reference(pieces, between):
    text = between.join(pieces)
    found = latin_words(text)
    assert (found.n, found.english, found.romanised, found.language) == plain_latin_words(text)


def test_no_ending_is_longer_than_what_is_looked_at():
    for endings in (inverted(ENDINGS), languages_of_endings("Devanagari"), languages_of_endings("Bengali")):
        assert all(len(one) <= LONGEST_ENDING for one in endings)
