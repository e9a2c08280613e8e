import random
import re
import unicodedata

import pytest

from vaak.demo.texts.indic import INDIC, documents, long_form, possible, sentences
from vaak.demo.texts.indic.grammar import grammar_of
from vaak.errors import BadInput
from vaak.languages import LANGUAGES, SCRIPTS, script_of

DANDA = {"hi", "bn", "or", "pa", "as"}


@pytest.fixture(scope="module", params=INDIC)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made(language: str) -> list[str]:
    return sentences(language, random.Random(3), 500)


def test_every_language_but_english_has_a_grammar() -> None:
    assert set(INDIC) == set(LANGUAGES) - {"en"}
    with pytest.raises(BadInput, match="language 'fr'"):
        sentences("fr", random.Random(0), 1)


def test_sentences_are_distinct_and_as_many_as_asked(made: list[str]) -> None:
    assert len(made) == len(set(made)) == 500


def test_the_same_seed_makes_the_same_texts(language: str, made: list[str]) -> None:
    assert sentences(language, random.Random(3), 500) == made
    assert sentences(language, random.Random(4), 500) != made
    for maker in (long_form, documents):
        assert maker(language, random.Random(3), 20) == maker(language, random.Random(3), 20)


def test_sentences_have_four_to_twelve_words_and_end_as_the_language_ends_them(language: str, made: list[str]) -> None:
    end = "।" if language in DANDA else "."
    for sentence in made:
        assert 4 <= len(sentence.split()) <= 12, sentence
        assert sentence.endswith((end, "?")), sentence
    assert any(sentence.endswith("?") for sentence in made)


def test_every_frame_stays_within_the_word_limits(language: str) -> None:
    grammar = grammar_of(language)
    for template in (variant for frame in grammar.frames for variant in frame):
        for extreme in (min, max):
            filled = template
            for match in re.finditer(r"\{([a-z_]+)\d?(?:\.([a-z]+))?\}", template):
                form = grammar.forms[match[1]].index(match[2]) if match[2] else 0
                words = [word[form] for word in grammar.words[match[1]]]
                filled = filled.replace(match[0], extreme(words, key=lambda word: len(word.split())))
            assert 4 <= len(filled.split()) <= 12, filled


def test_texts_are_nfc_in_one_script_with_plain_punctuation(language: str, made: list[str]) -> None:
    first, last = SCRIPTS[LANGUAGES[language].script]
    for text in made + documents(language, random.Random(1), 50):
        assert unicodedata.is_normalized("NFC", text)
        assert set(script_of(text)) == {LANGUAGES[language].script}, text
        assert all(first <= ord(char) <= last or char in " ,.?।'" for char in text), text
        assert "  " not in text and " ," not in text and text == text.strip(), text


def test_grammars_are_whole(language: str) -> None:
    grammar = grammar_of(language)
    assert len(grammar.frames) >= 25
    assert sum(len(words) for words in grammar.words.values()) >= 150
    used = set(re.findall(r"\{([a-z_]+)\d?(?:\.[a-z]+)?\}", " ".join(v for frame in grammar.frames for v in frame)))
    assert used == set(grammar.words)
    for name, words in grammar.words.items():
        assert len(set(words)) == len(words), f"{name} holds a word twice"
        for word in words:
            assert len(word) == len(grammar.forms[name]), f"{name}: {word}"
            assert all(form == " ".join(form.split()) and form for form in word), f"{name}: {word}"


def test_each_language_can_say_at_least_twenty_thousand_things(language: str) -> None:
    assert possible(language) >= 20_000


def test_long_form_is_three_to_five_sentences(language: str) -> None:
    passages = long_form(language, random.Random(2), 30)
    assert len(set(passages)) == 30
    assert {len(re.findall(r"[.?।](?: |$)", passage)) for passage in passages} == {3, 4, 5}


def test_documents_are_of_mixed_lengths_within_the_limits(language: str) -> None:
    made = documents(language, random.Random(5), 150)
    lengths = [len(text) for text in made]
    assert len(set(made)) == 150
    assert 128 <= min(lengths) < 250 and 600 < max(lengths) <= 900


def test_asking_for_more_than_there_is_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class OneFrame(random.Random):
        def choice(self, seq):
            return seq[0]

    with pytest.raises(BadInput, match="fewer than the 2 hi sentences"):
        sentences("hi", OneFrame(0), 2)
