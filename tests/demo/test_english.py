"""English sentences: ordinary text, distinct, and a vocabulary small enough to learn to read in minutes."""

from __future__ import annotations

import random
import re

from vaak.demo import texts
from vaak.demo.texts import english
from vaak.demo.texts.english_grammar import RULES, VERB_PHRASES


def test_sentences_are_distinct_and_look_like_text() -> None:
    found = english.sentences(random.Random(1), 2000)
    assert len(set(found)) == 2000
    for sentence in found:
        assert english.SHORTEST <= len(sentence.split()) <= english.LONGEST
        assert sentence[0].isupper() and sentence[-1] in ".?"
        assert re.fullmatch(r"[A-Za-z' ,]+[.?]", sentence), sentence


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert english.sentences(random.Random(7), 50) == english.sentences(random.Random(7), 50)
    assert english.sentences(random.Random(7), 50) != english.sentences(random.Random(8), 50)


def test_a_small_vocabulary_in_many_frames() -> None:
    words = {
        word.strip(",.?").lower() for sentence in english.sentences(random.Random(2), 5000) for word in sentence.split()
    }
    assert 200 < len(words) < 240
    assert len(set(RULES["statement"])) + len(set(RULES["question_sentence"])) > 55


def test_questions_end_with_a_question_mark() -> None:
    assert all(sentence.endswith("?") for sentence in english.questions(random.Random(3), 50))


def test_every_slot_has_a_rule() -> None:
    templates = [alternative for alternatives in RULES.values() for alternative in alternatives]
    templates += [tail for _, tail in VERB_PHRASES]
    slots = {slot for template in templates for slot in re.findall(r"\{(\w+)", template)}
    assert slots - RULES.keys() == {"do"}


def test_documents_are_long_enough_to_train_on() -> None:
    found = texts.documents("en", random.Random(4), 40)
    assert len(set(found)) == 40
    assert all(len(text) >= 128 for text in found)


def test_a_text_is_cut_into_its_sentences() -> None:
    assert texts.sentences_of("We sing. Do you? यह है। वह भी।") == ["We sing.", "Do you?", "यह है।", "वह भी।"]
