"""What was made fast equals its plain form: whole passes over the whole text until nothing changes."""

from __future__ import annotations

import unicodedata
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.text.cleaning.fuzz import MARKUP, SENTENCES, strings
from tests.text.dumps import FILES, all_documents
from vaak.languages import LANGUAGES
from vaak.text.normalising import characters, indic_punctuation, indic_signs
from vaak.text.normalising.normalise import _assamese, normalise

INDIC = st.text(st.characters(min_codepoint=0x900, max_codepoint=0xD7F), max_size=8)
ANY_TEXT = st.lists(st.sampled_from((*MARKUP, *SENTENCES, "|", "।।", "ः")) | st.text(max_size=8) | INDIC).map("".join)


def in_whole_passes(text: str, language: str) -> str:
    while True:
        after = plain_characters(text)
        if indic_signs.ANY_INDIC.search(after):
            after = plain_punctuation(plain_spelling(after))
            if language == "mr":
                for found, kept in indic_signs.EYELASH_RA:
                    after = found.sub(kept, after)
            after = _assamese(after) if language == "as" else after
        if after == text:
            return after
        text = after


def plain_characters(text: str) -> str:
    text = characters._RARE.sub(characters._replaced, text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", characters._PILE.sub(lambda match: match[0][:30], text))
        text = characters._RARE.sub(characters._replaced, text)
    return characters._LONG_DASH.sub(characters._dash, text)


def plain_spelling(text: str) -> str:
    for found, kept in (*indic_signs._JOINED, *indic_signs._JOINER_RULES):
        text = found.sub(kept, text)
    text = indic_signs._RUN_OF_MARKS.sub(lambda match: indic_signs._order(match[0]), text)
    text = indic_signs._LETTER_IN_PARTS.sub(indic_signs._composed, text)
    for typed, letter in indic_signs._SEQUENCES.items():
        text = text.replace(typed, letter)
    return indic_signs._ZERO_AS_ANUSVARA.sub(lambda match: indic_signs._TO_ANUSVARA[match[0]], text)


def plain_punctuation(text: str) -> str:
    text = indic_punctuation._RESERVED_DANDA.sub(lambda match: indic_punctuation._RESERVED[match[0]], text)
    text = indic_punctuation._BAR.sub(indic_punctuation._danda, text)
    text = indic_punctuation._BAR_AT_END.sub(indic_punctuation._danda_at_end, text)
    text = indic_punctuation._TWO_DANDAS.sub(indic_punctuation.DOUBLE_DANDA, text)
    text = indic_punctuation._VISARGA_AS_COLON.sub(":", text)
    return indic_punctuation._COLON_AS_VISARGA.sub(indic_punctuation._visarga, text)


@pytest.mark.parametrize("name", FILES)
def test_real_documents(name):
    language = name if name in LANGUAGES else "en"
    for document in all_documents(name):
        assert normalise(document["text"], language) == in_whole_passes(document["text"], language)


def test_strings_of_the_generator():
    for text, language in zip(strings(seed=22, n=3000), list(LANGUAGES) * 250, strict=True):
        assert normalise(text, language) == in_whole_passes(text, language), ascii(text)


@settings(max_examples=400)
@given(ANY_TEXT, st.sampled_from(sorted(LANGUAGES)), st.integers(0, 500))
def test_any_string_and_behind_much_ascii(text, language, n):
    text = "river " * n + text
    assert normalise(text, language) == in_whole_passes(text, language)


def test_characters_behind_a_letter_and_before_an_accent():
    """All below U+3000, and of the others those that NFC or the table is about."""
    rare = characters._RARE
    every = map(chr, range(0x110000))
    for char in (
        c
        for c in every
        if c < "\u3000" or unicodedata.decomposition(c) or unicodedata.combining(c) or (rare.match(c) and c < "\ue000")
    ):
        for text in (char, f"e{char}\u0301", f"क{char}\u093c"):
            once = characters.plain_characters(text)
            assert once == plain_characters(text), ascii(text)
            assert once == characters.plain_characters(once), ascii(text)


def test_marks_that_are_taken_to_be_in_order_are():
    """Every run of the pairs that the quick look passes over: none is longer than these."""
    viramas, nuktas, middle, last = map(tuple, (indic_signs._VIRAMAS, indic_signs._NUKTAS, indic_signs._MIDDLE, indic_signs._LAST))  # fmt: skip
    runs = [
        *product(middle, last),
        *product(middle, viramas),
        *product(nuktas, viramas + middle + last),
        *product(nuktas, middle, viramas + last),
    ]
    assert all(indic_signs._order("".join(run)) == "".join(run) for run in runs if not is_found(run))
    assert sum(not is_found(run) for run in runs) > 0.9 * len(runs)


def is_found(run: tuple[str, ...]) -> bool:
    return indic_signs._MAYBE_NOT_ORDERED.search("".join(run)) is not None
