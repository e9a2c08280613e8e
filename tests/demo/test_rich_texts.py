import random
import re
import unicodedata
from collections import Counter

import pytest

from vaak.demo.texts.rich import KINDS, RichSentence, rich_passages, rich_sentences, word_count
from vaak.demo.texts.rich.clean import DANDA, is_blocked, letters, usable
from vaak.demo.texts.rich.script import from_devanagari, romanise
from vaak.errors import BadInput
from vaak.languages import LANGUAGES

COUNT = 3000


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made(language: str) -> list[RichSentence]:
    return rich_sentences(language, random.Random(5), COUNT)


def test_as_many_distinct_sentences_as_asked_of_4_to_18_words(made: list[RichSentence]) -> None:
    assert len({one.text for one in made}) == len({one.spoken for one in made}) == COUNT
    for one in made:
        assert 4 <= len(one.text.split()) <= 18, one
        assert one.text == unicodedata.normalize("NFC", one.text)


def test_the_same_seed_gives_the_same_texts(language: str) -> None:
    assert rich_sentences(language, random.Random(7), 200) == rich_sentences(language, random.Random(7), 200)
    assert rich_sentences(language, random.Random(7), 200) != rich_sentences(language, random.Random(8), 200)
    assert rich_passages(language, random.Random(7), 20) == rich_passages(language, random.Random(7), 20)


def test_what_is_said_has_only_letters_of_the_language_and_no_digit(language: str, made: list[RichSentence]) -> None:
    end = "।" if language in DANDA else "."
    allowed = re.compile(rf"[{letters(language)} ,'-]+[{end}?]")
    for one in made:
        assert allowed.fullmatch(one.spoken), one
        assert not is_blocked(one.spoken, language), one


def test_only_marked_kinds_hold_another_script_or_digits(language: str, made: list[RichSentence]) -> None:
    latin = re.compile("[A-Za-z]")
    for one in made:
        if one.kind in ("plain", "name") or (one.kind == "question" and not re.search(r"\d", one.text)):
            assert one.text == one.spoken or language == "en", one
        elif one.kind == "romanised":
            assert one.text.isascii() and not latin.search(one.spoken), one
        elif one.kind == "code_mixed":
            assert latin.search(one.text) and not latin.search(one.spoken), one
        else:
            assert re.search(r"\d", one.text), one


def test_every_kind_is_there(language: str, made: list[RichSentence]) -> None:
    times = Counter(one.kind for one in made)
    expected = set(KINDS) - ({"code_mixed", "romanised"} if language == "en" else set())
    assert set(times) == expected
    assert min(times.values()) > 0.03 * COUNT


def test_a_rich_vocabulary(made: list[RichSentence]) -> None:
    assert word_count(made) >= 2000


def test_english_reaches_eight_thousand_words() -> None:
    assert word_count(rich_sentences("en", random.Random(1), 20_000)) >= 8000


def test_passages_have_three_to_six_sentences(language: str) -> None:
    passages = rich_passages(language, random.Random(3), 60)
    assert len({one.text for one in passages}) == 60
    for one in passages:
        assert 3 <= len(one.sentences) <= 6
        assert one.text == " ".join(sentence.text for sentence in one.sentences)
        assert not re.search(r"\d", one.spoken)


def test_a_language_without_rich_texts_is_refused() -> None:
    with pytest.raises(BadInput, match="language 'fr'"):
        rich_sentences("fr", random.Random(0), 1)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("यह एक page का नाम है।", "hi"),
        ("यह तीन शब्द।", "hi"),
        ("यह पन्ना खुल रहा है", "hi"),
        ("He paid $5 for the book.", "en"),
        ("He had been drunk all night.", "en"),
    ],
)
def test_what_is_not_clean_is_left_out(text: str, language: str) -> None:
    assert usable(text, language) is None


def test_old_spellings_and_quotation_marks_are_tidied() -> None:
    assert usable("അവന്\u200d ഇന്ന് “പുതിയ” വീട്ടിൽ പോയി!", "ml") == "അവൻ ഇന്ന് പുതിയ വീട്ടിൽ പോയി."
    assert usable("यह ‘नया’ पन्ना खुल रहा है.", "hi") == "यह नया पन्ना खुल रहा है।"


def test_words_change_their_script() -> None:
    assert from_devanagari("किरण", "te") == "కిరణ్"
    assert from_devanagari("सुरेश", "pa") == unicodedata.normalize("NFC", "ਸੁਰੇਸ਼")
    assert romanise("मेरा नाम रवि है।", "hi") == "mera naam ravi hai."
    assert romanise("ఈ చిత్రం", "te") == "i chitram"


def test_what_would_hurt_somebody_is_left_out():
    for text in (
        "I hate Mexican food.",
        "The children mocked their handicapped classmate.",
        "The nurse undressed him.",
    ):
        assert is_blocked(text, "en") and usable(text, "en") is None
    assert not is_blocked("The blue boat is near the old bridge.", "en")
