"""What must count as the same, and what must not."""

import random
import unicodedata

import pytest

from vaak.errors import BadInput
from vaak.languages import LANGUAGES, SCRIPTS
from vaak.score.error_rate import word_counts
from vaak.score.normalise import normalise_for_scoring
from vaak.score.numbers import cardinal, ordinal

SAME_ENGLISH = [
    ("twenty three apples", "23 apples"),
    ("twenty-three apples", "Twenty three apples!"),
    ("at seven thirty in the morning", "at 7:30 in the morning"),
    ("at seven thirty in the morning", "At 7.30 in the morning."),
    ("it's seven o'clock p.m.", "It's 7:00 PM"),
    ("call five five five one two one two", "Call 555-1212"),
    ("the nineteenth of March two thousand and five", "the 19th of March, 2005"),
    ("in nineteen ninety nine", "in 1999"),
    ("in twenty twenty six", "in 2026"),
    ("nineteen oh five", "1905"),
    ("the nineteen eighties", "the 1980s"),
    ("one thousand two hundred and five", "1,205"),
    ("a hundred rupees", "₹100"),
    ("three point one four", "3.14"),
    ("three dollars and fifty cents", "$3.50"),
    ("half of it", "1/2 of it"),
    ("fifty percent", "50%"),
    ("doctor Smith and missus Jones", "Dr. Smith and Mrs. Jones"),
    ("the grey harbour", "The gray harbor"),
    ("room two oh seven", "room 207"),
    ("the twenty first century", "the 21st century"),
]
DIFFERENT_ENGLISH = [
    ("twenty three", "32"),
    ("seven thirty", "7:13"),
    ("ninety", "19"),
    ("it is", "is it"),
    ("cat", "cap"),
]


@pytest.mark.parametrize(("spoken", "written"), SAME_ENGLISH)
def test_english_figures_and_spellings_are_read_as_they_are_spoken(spoken, written):
    assert word_counts(spoken, written, "en").errors == 0


@pytest.mark.parametrize(("spoken", "written"), DIFFERENT_ENGLISH)
def test_wrong_english_stays_wrong(spoken, written):
    assert word_counts(spoken, written, "en").errors > 0


def test_cardinals_and_ordinals():
    assert " ".join(cardinal(1_234_567)) == "one million two hundred thirty four thousand five hundred sixty seven"
    assert [" ".join(ordinal(n)) for n in (1, 12, 20, 33, 100)] == [
        "first",
        "twelfth",
        "twentieth",
        "thirty third",
        "one hundredth",
    ]


SAME_INDIC = [
    ("hi", "हिन्दी", "हिंदी"),
    ("hi", "क़लम", "क\u093cलम"),
    ("ml", "അവന്\u200d", "അവൻ"),
    ("bn", "হঠাত্\u200d", "হঠাৎ"),
    ("te", "క్\u200cష", "క్ష"),
    ("mr", "२५ रुपये।", "25 रुपये"),
]
# Minimal pairs: one vowel sign, nukta, anusvara, virama or letter. Whisper's normaliser makes several of them equal.
DIFFERENT_INDIC = [
    ("hi", "मेरी बेटी", "मारा बाटा"),
    ("hi", "दिन", "दीन"),
    ("hi", "राज", "राज़"),
    ("bn", "বালা", "বেলা"),
    ("ta", "கல்", "கால்"),
    ("te", "పాల", "పాలు"),
    ("mr", "काळ", "काल"),
    ("gu", "કાળી", "કાલી"),
    ("kn", "ಬಳಿ", "ಬಲಿ"),
    ("ml", "പാൽ", "പാല്"),
    ("pa", "ਕਾਲਾ", "ਕਲਾ"),
    ("or", "କଳା", "କାଳ"),
    ("as", "ৰাতি", "বাতি"),
]


@pytest.mark.parametrize(("language", "one", "other"), SAME_INDIC)
def test_two_spellings_of_one_indic_word_are_equal(language, one, other):
    assert normalise_for_scoring(one, language) == normalise_for_scoring(other, language)


@pytest.mark.parametrize(("language", "one", "other"), DIFFERENT_INDIC)
def test_indic_minimal_pairs_stay_apart(language, one, other):
    assert word_counts(one, other, language).errors > 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_normalising_twice_changes_nothing_more(language):
    text = f"{LANGUAGES[language].native_name}, 12 – “{LANGUAGES[language].name}”!"
    once = normalise_for_scoring(text, language)
    assert once and normalise_for_scoring(once, language) == once
    assert normalise_for_scoring("", language) == ""


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_normalising_any_signs_twice_changes_nothing_more(language):
    """Strings of everything in the block, joiners and punctuation, many marks in a row: no words, but what may come."""
    draw, (first, last) = random.Random(language), SCRIPTS[LANGUAGES[language].script]
    chars = [chr(point) for point in range(first, last + 1)] + list("\u200c\u200d\u200b\ufeff' :,.5’ʼ")
    marks = [char for char in chars if unicodedata.category(char)[0] == "M"]
    for _ in range(1500):
        text = "".join(draw.choice(draw.choice((chars, marks))) for _ in range(draw.randint(1, 8)))
        once = normalise_for_scoring(text, language)
        assert normalise_for_scoring(once, language) == once, text.encode("unicode_escape")
        assert "  " not in once and once == once.strip()


def test_marks_of_punctuation_and_what_is_invisible_leave_words_whole():
    assert normalise_for_scoring("\ufeffनम\u00adस्\u200bते,\u00a0दुनिया।", "hi") == "नमस्ते दुनिया"
    assert normalise_for_scoring("धीरे-धीरे  १,२३,४५६.७%", "hi") == "धीरे धीरे 123456 7"
    assert normalise_for_scoring("उत्तर: दु:ख", "hi") == "उत्तर दुःख"
    assert normalise_for_scoring("‘ক’লা’ ক'ত", "as") == "কʼলা কʼত"
    assert normalise_for_scoring("‘ক’রে’", "bn") == "করে"
    assert normalise_for_scoring("ਡਾ: ਸਿੰਘ", "pa") == "ਡਾ ਸਿੰਘ"


def test_an_unknown_language_is_refused():
    with pytest.raises(BadInput, match="unknown"):
        normalise_for_scoring("x", "tlh")
