"""Words of single numbers: all distinct, and each correction of the library's words holds."""

from __future__ import annotations

import unicodedata

import pytest

from vaak.languages import LANGUAGES, SCRIPTS

pytest.importorskip("indic_numtowords", reason="indic-numtowords is not installed (pip install vaak[text])")

from indic_numtowords import num2words  # pyright: ignore[reportMissingImports]

from vaak.text.numbers.number_overrides import UNITS
from vaak.text.numbers.number_words import by_digit, cardinal, year

ROUND = [*range(10_000), *(k * 10**5 for k in range(1, 100)), *(k * 10**7 for k in range(1, 100))]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_all_are_distinct_and_clean(language: str):
    words = [cardinal(number, language) for number in ROUND]
    assert len(set(words)) == len(ROUND)
    first, last = (0x61, 0x7A) if language == "en" else SCRIPTS[LANGUAGES[language].script]
    for said in words:
        assert said == " ".join(said.split()) == unicodedata.normalize("NFC", said)
        assert all(c in " -" or first <= ord(c) <= last for c in said)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_correction_is_needed(language: str):
    """One that the library has come to agree with goes."""
    assert [
        n for n, own in UNITS.get(language, {}).items() if num2words(n, lang=language) == own and language != "ml"
    ] == []


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("en", 121, "one hundred and twenty-one"), ("en", 100_001, "one lakh and one"),
        ("hi", 6, "छह"), ("hi", 600, "छह सौ"), ("hi", 67, "सड़सठ"), ("bn", 19, "উনিশ"), ("bn", 88, "অষ্টাশি"),
        ("ta", 98, "தொண்ணூற்றெட்டு"), ("ta", 900, "தொள்ளாயிரம்"), ("ta", 21_000, "இருபத்து ஓராயிரம்"), ("ta", 5000, "ஐயாயிரம்"),
        ("te", 1001, "వెయ్యి ఒకటి"), ("te", 21_000, "ఇరవై ఒక్క వేలు"), ("te", 2300, "రెండు వేల మూడు వందలు"),
        ("mr", 1000, "एक हजार"), ("mr", 74, "चौऱ्याहत्तर"), ("mr", 150, "एकशे पन्नास"), ("gu", 60, "સાઠ"), ("gu", 200, "બસો"),
        ("kn", 82, "ಎಂಬತ್ತೆರಡು"), ("kn", 83, "ಎಂಬತ್ತ್ಮೂರು"), ("kn", 110, "ನೂರ ಹತ್ತು"), ("kn", 1000, "ಒಂದು ಸಾವಿರ"), ("kn", 1200, "ಒಂದು ಸಾವಿರದ ಇನ್ನೂರು"),
        ("ml", 10_000, "പതിനായിരം"), ("ml", 3000, "മൂവായിരം"), ("ml", 29, "ഇരുപത്തിയൊമ്പത്"), ("ml", 9000, "ഒമ്പതിനായിരം"),
        ("pa", 75, "ਪਚਹੱਤਰ"), ("pa", 1100, "ਇੱਕ ਹਜ਼ਾਰ ਇੱਕ ਸੌ"), ("or", 20, "କୋଡ଼ିଏ"), ("or", 100, "ଶହେ"), ("or", 1100, "ଏକ ହଜାର ଏକ ଶହ"),
        ("as", 30, "ত্ৰিশ"), ("as", 11, "এঘাৰ"), ("hi", 10**12, "एक लाख करोड़"),
    ],
)  # fmt: skip
def test_a_number(language: str, number: int, said: str):
    assert cardinal(number, language) == unicodedata.normalize("NFC", said)


def test_years():
    assert year(1984, "en") == "nineteen eighty-four"
    assert year(1905, "en") == "nineteen oh five"
    assert year(1900, "en") == "nineteen hundred"
    assert year(2024, "en") == "twenty twenty-four"
    assert year(2005, "en") is None
    assert year(1984, "hi") == "उन्नीस सौ चौरासी"
    assert year(1500, "te") == "పదిహేను వందలు"
    assert year(1947, "kn") == "ಸಾವಿರದ ಒಂಬೈನೂರ ನಲವತ್ತೇಳು"
    assert year(1984, "ta") is None


def test_digit_by_digit():
    assert by_digit("98-04", "en") == "nine eight zero four"
