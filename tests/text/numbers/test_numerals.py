"""Digits kept, in the digits of the script, or in words: sentences of every language, and the properties that hold for all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vaak.languages import LANGUAGES
from vaak.text.normalising.normalise import normalise
from vaak.text.numbers.number_patterns import written_number
from vaak.text.numbers.numerals import matches, numerals

pytest.importorskip("indic_numtowords", reason="indic-numtowords is not installed (pip install vaak[text])")

CASES = Path(__file__).parents[2] / "data" / "numerals"


def cases() -> list[tuple[str, str, str]]:
    """Language, sentence, sentence in words: two lines each in a file per language, the second indented."""
    found = []
    for path in sorted(CASES.glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [(path.stem, a, b.strip()) for a, b in zip(lines[::2], lines[1::2], strict=True)]
    return found


@pytest.mark.parametrize(("language", "written", "said"), cases())
def test_a_sentence_in_words(language: str, written: str, said: str):
    assert numerals(written, language, "words") == said


def test_every_language_has_at_least_25_sentences():
    languages = [language for language, _, _ in cases()]
    assert {code: languages.count(code) >= 25 for code in LANGUAGES} == dict.fromkeys(LANGUAGES, True)


@pytest.mark.parametrize(
    "left",
    [
        "12/05/2020", "2020-05-12", "1/2", "24/7", "4:3", "3-2", "1.2.3", "192.168.0.1", "1,2345", "H2O", "mp3", "5km", "A4", "x_1",
        "3st", "25:10", "1e5", "US5", "5₹", "10:30:15", "00.5",
    ],
)  # fmt: skip
def test_what_cannot_be_read_surely_stays(left: str):
    assert numerals(f"see {left} there", "en", "words") == f"see {left} there"


@pytest.mark.parametrize(
    ("language", "left"),
    [("ml", "2020-ൽ"), ("ta", "10க்கு"), ("kn", "2020ರಲ್ಲಿ"), ("te", "1947లో"), ("gu", "2020માં"), ("hi", "7ला")],
)
def test_an_ending_that_is_in_no_table_keeps_its_figure(language: str, left: str):
    assert numerals(left, language, "words") == left


@pytest.mark.parametrize(
    "around", ["{}", "₹{}", "₹1.{}", "{} pm", "{}%", "{}th", "1-{}", "1,{}", "0.{}", "{}:30", "-{}"]
)
def test_thousands_of_digits_are_data(around: str):
    """Python itself refuses to read more than 4300 digits."""
    text = around.format("9" * 5000)
    assert numerals(text, "en", "words") == text


def test_places_to_fill_in_stay():
    assert numerals("[$1 समस्या] %2", "hi", "words") == "[$1 समस्या] %2"
    assert numerals("$5 and $1", "en", "words") == "five dollars and one dollar"
    assert numerals("$5 million", "hi", "words") == "पाँच million डॉलर"


def test_keep_and_native():
    text = "सन 1984 में ५ लोग, H2O, 3.14"
    assert numerals(text, "hi", "keep") == text
    assert numerals(text, "hi", "native") == "सन १९८४ में ५ लोग, H2O, ३.१४"
    assert numerals("1984", "ta", "native") == "௧௯௮௪"
    assert numerals("1984", "as", "native") == numerals("1984", "bn", "native") == "১৯৮৪"
    assert numerals(text, "en", "native") == text


def test_a_language_outside_the_table_changes_nothing():
    assert numerals("5", "fr", "words") == numerals("5", "fr", "native") == "5"


def indian(number: int) -> str:
    """1234567 as 12,34,567."""
    head, tail = str(number)[:-3], str(number)[-3:]
    pairs = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail])


def is_year(number: int) -> bool:
    """Said otherwise with a comma than without: a comma says that it is no year."""
    return 1100 <= number <= 2099


@given(st.integers(0, 10**9 - 1).filter(lambda n: not is_year(n)), st.sampled_from(sorted(LANGUAGES)))
def test_grouping_does_not_matter(number: int, language: str):
    plain = numerals(str(number), language, "words")
    assert numerals(indian(number), language, "words") == plain
    assert numerals(f"{number:,}", language, "words") == plain
    assert numerals(numerals(str(number), language, "native"), language, "words") == plain
    assert not any(c.isdigit() for c in plain)


# A reader of words that knows nothing of how they were made: units add up, a scale multiplies what stands before it.
ENGLISH = {word: n for n, word in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
)} | {word: 10 * n for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)}  # fmt: skip
HINDI = {word: n for n, word in enumerate(
    ["शून्य", "एक", "दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ", "नौ", "दस", "ग्यारह", "बारह", "तेरह", "चौदह", "पंद्रह", "सोलह", "सत्रह", "अठारह", "उन्नीस", "बीस", "इक्कीस", "बाईस", "तेईस", "चौबीस", "पच्चीस", "छब्बीस", "सत्ताईस", "अट्ठाईस", "उनतीस", "तीस", "इकतीस", "बत्तीस", "तैंतीस", "चौंतीस", "पैंतीस", "छत्तीस", "सैंतीस", "अड़तीस", "उनतालीस", "चालीस", "इकतालीस", "बयालीस", "तैंतालीस", "चौंतालीस", "पैंतालीस", "छियालीस", "सैंतालीस", "अड़तालीस", "उनचास", "पचास", "इक्यावन", "बावन", "तिरपन", "चौवन", "पचपन", "छप्पन", "सत्तावन", "अट्ठावन", "उनसठ", "साठ", "इकसठ", "बासठ", "तिरसठ", "चौंसठ", "पैंसठ", "छियासठ", "सड़सठ", "अड़सठ", "उनहत्तर", "सत्तर", "इकहत्तर", "बहत्तर", "तिहत्तर", "चौहत्तर", "पचहत्तर", "छिहत्तर", "सतहत्तर", "अठहत्तर", "उन्यासी", "अस्सी", "इक्यासी", "बयासी", "तिरासी", "चौरासी", "पचासी", "छियासी", "सतासी", "अठासी", "नवासी", "नब्बे", "इक्यानवे", "बानवे", "तिरानवे", "चौरानवे", "पंचानवे", "छियानवे", "सत्तानवे", "अट्ठानवे", "निन्यानवे"]
)}  # fmt: skip
ENGLISH_SCALES = {"thousand": 1000, "lakh": 10**5, "crore": 10**7}
HINDI_SCALES = {"हज़ार": 1000, "लाख": 10**5, "करोड़": 10**7}


def parsed(words: str, units: dict[str, int], hundred: str, scales: dict[str, int]) -> int:
    total = part = 0
    for word in words.replace("-", " ").split():
        if word in units:
            part += units[word]
        elif word == hundred:
            part *= 100
        elif word in scales:
            total, part = total + part * scales[word], 0
        else:
            assert word == "and"
    return total + part


@given(st.integers(0, 10**9 - 1))
def test_words_can_be_read_back(number: int):
    assert parsed(numerals(indian(number), "en", "words"), ENGLISH, "hundred", ENGLISH_SCALES) == number
    assert parsed(numerals(str(number), "hi", "words"), HINDI, "सौ", HINDI_SCALES) == number


PIECES = [
    "5", "12", "1984", "0", "007", "१२", "৫", "௧", ",", ".", ":", "-", "/", "+", "%", " ", "₹", "Rs.", "रु. ", "$", "pm", " pm", "st", "s", "th",
    "वीं", "টা", "ம்", "ാം", "-ാം", " बजे", " करोड़", " crore", "क", "a", "_", "#", "(", ")", "/-", "98765 43210", "+91 ", "\n", "𝟓", "٣", "²", "\ud800", "°",
]  # fmt: skip


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=10).map("".join),
    st.sampled_from(sorted(LANGUAGES)),
    st.sampled_from(["keep", "native", "words"]),
)
@example("5%$5", "as", "words")
@example("5%-৫", "ml", "words")
def test_twice_is_once_for_any_string(text: str, language: str, policy):
    once = numerals(text, language, policy)
    assert numerals(once, language, policy) == once


@pytest.mark.parametrize(
    "piece", ["5", "5 ", "5,", "5.", "5-", "+5", "₹", "५", "12,34,567 ", "98765 43210 ", "0", "5:", "Rs.", "  ", "5%"]
)
def test_a_long_row_of_one_thing_is_read_or_left(piece: str):
    """Nothing quadratic: a tenth of a megabyte of it would take minutes."""
    text = piece * (100_000 // len(piece))
    for language in ("en", "hi"):
        once = numerals(text, language, "words")
        assert numerals(once, language, "words") == once


@pytest.mark.parametrize(("language", "written", "said"), cases())
def test_words_are_normalised_text(language: str, written: str, said: str):
    assert normalise(said, language) == said


FIGURES = [
    "5",
    "12,345",
    "3.5",
    "+91 98765 43210",
    "-",
    "+",
    " ",
    "US$",
    "₹",
    "Rs. ",
    "रु. ",
    "INR ",
    "%",
    "th",
    "am",
    ":",
    "a",
    "$",
    "\n",
]


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(FIGURES) | st.text(max_size=3), max_size=20).map("".join),
    st.sampled_from(sorted(LANGUAGES)),
)
@example("x" * 20 + "-US$ 5 to ₹ 12 and -Rs. 7", "en")
def test_numbers_found_near_figures_are_all_there_are(text, language):
    pattern = written_number(language)
    plain = [(one.span(), one.groupdict()) for one in pattern.finditer(text)]
    assert [(one.span(), one.groupdict()) for one in matches(pattern, text)] == plain
