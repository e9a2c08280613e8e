"""Units are those a reader counts, and those of Unicode's rules where these know the script's conjuncts."""

import random

import pytest

from tests.score.minimal_pairs import INVENTORIES
from vaak.languages import LANGUAGES, SCRIPTS
from vaak.score.graphemes import graphemes


@pytest.mark.parametrize(
    "word,units",
    [
        ("हिन्दी", "हि न्दी"), ("क़लम", "क़ ल म"), ("स्त्री", "स्त्री"), ("चाँद", "चाँ द"), ("दऱ्या", "द ऱ्या"),
        ("ক্ষমা", "ক্ষ মা"), ("হঠাৎ", "হ ঠা ৎ"), ("র\u200d্যাব", "র\u200d্যা ব"), ("ৰক্ষা", "ৰ ক্ষা"), ("বিশ্ৱ", "বি শ্ৱ"),
        ("அம்மா", "அ ம் மா"), ("க்ஷ", "க் ஷ"), ("ఆంధ్ర", "ఆం ధ్ర"), ("ಕ್ಷಮೆ", "ಕ್ಷ ಮೆ"), ("অ্যাপ", "অ্যা প"), ("ગુજરાત", "ગુ જ રા ત"),
        ("അവൻ", "അ വ ൻ"), ("അവന്", "അ വ ന്"), ("എന്റെ", "എ ന്റെ"), ("ਪ੍ਰੇਮ", "ਪ੍ਰੇ ਮ"), ("ਸਿੱਖ", "ਸਿੱ ਖ"),
        ("ଓଡ଼ିଆ", "ଓ ଡ଼ି ଆ"), ("a b", "a   b"), ("", ""), ("\u093e", "\u093e"), ("क्k", "क् k"), ("क्ক", "क् ক"),
    ],
)  # fmt: skip
def test_units_of_words(word, units):
    expected = [unit or " " for unit in units.split(" ")] if word != "a b" else ["a", " ", "b"]
    assert graphemes(word) == (expected if word else [])


def random_text(draw: random.Random, language: str) -> str:
    """A word of the script: letters, most with signs, some with a virama."""
    has = INVENTORIES[language]
    letters, signs = has.consonants.split() * 3 + has.vowels.split(), has.signs.split()
    endings = ["", has.virama, has.virama, *(draw.choice(signs) + final for final in ("", *has.finals.split()))]
    return "".join(draw.choice(letters) + draw.choice(endings) for _ in range(draw.randint(1, 12)))


@pytest.mark.parametrize("language", INVENTORIES)
def test_units_join_up_to_the_text(language):
    draw = random.Random(language)
    first, last = SCRIPTS[LANGUAGES[language].script]
    for _ in range(500):
        text = "".join(draw.choice([chr(draw.randint(first, last)), "\u200c", "\u200d", " ", "a"]) for _ in range(8))
        assert "".join(graphemes(text)) == text and all(graphemes(text))


@pytest.mark.parametrize("language", sorted(INVENTORIES))
def test_units_are_those_of_unicode(language):
    regex = pytest.importorskip("regex")
    draw = random.Random(language)
    for _ in range(1000):
        text = random_text(draw, language)
        theirs = regex.findall(r"\X", text)
        if LANGUAGES[language].script in ("Kannada", "Gurmukhi"):
            theirs = joined(theirs, INVENTORIES[language].virama)  # conjuncts that rule GB9c leaves in parts
        assert graphemes(text) == theirs, text


def joined(units: list[str], virama: str) -> list[str]:
    """Units with those in one of which the first ends in a virama and the second begins with a consonant."""
    whole: list[str] = []
    vowels = {letter for has in INVENTORIES.values() for letter in has.vowels.split()}
    for unit in units:
        if whole and whole[-1].endswith(virama) and unit[0] not in vowels:
            whole[-1] += unit
        else:
            whole.append(unit)
    return whole
