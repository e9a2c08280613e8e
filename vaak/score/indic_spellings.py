"""What is one word in two spellings, language by language: the tables that `vaak.score.normalise_indic` applies.

One principle decides. Two strings are one word when they are two encodings of the same letters, or two spellings that
the language's own rules or everyday print accept for the same sounds. Letters that merely sound alike stay apart
(Bengali ি and ী, ৎ and ত্): who writes the other one has misspelt the word.

Legacy sequences are those of the Unicode Standard, chapter 12; vowel letters typed in parts those of the list that text
shapers refuse (IndicShapingInvalidCluster.txt of the Universal Shaping Engine). What print accepts beside the official
spelling is judged rule by rule here, and each rule says why.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from vaak.languages import LANGUAGES, SCRIPTS

ZWNJ, ZWJ = "\u200c", "\u200d"
ASSAMESE_APOSTROPHE = "\u02bc"  # a letter by its category, so that it is kept


@dataclass(frozen=True)
class Rule:
    """What matches the regular expression `found` becomes `kept` (a template of `re.sub`); `why` says why it may."""

    found: str
    kept: str
    why: str


def first_of(language: str) -> int:
    """The first code point of a language's script. The Indic blocks share one layout: same offset, same letter."""
    return SCRIPTS[LANGUAGES[language].script][0]


def letters_of(language: str, categories: str = "LM") -> str:
    """Letters ("L") and signs ("M") of a language's script as the inside of a character class."""
    first, last = SCRIPTS[LANGUAGES[language].script]
    return "".join(c for c in map(chr, range(first, last + 1)) if unicodedata.category(c)[0] in categories)


def _parts(why: str, pairs: str) -> tuple[Rule, ...]:
    """Rules from `typed>letter` pairs between spaces."""
    return tuple(Rule(typed, letter, why) for typed, _, letter in (pair.partition(">") for pair in pairs.split()))


_TYPED_IN_PARTS = "the vowel letter typed in parts: it looks the same, and the standard names the one code point"

# Rules that see the joiners, which are dropped after them.
_KHANDA_TA = Rule(
    f"\u09a4\u09cd{ZWJ}",
    "\u09ce",
    "khanda ta before Unicode 4.1: ta, virama, joiner; the letter has its own code since",
)
_YA_PHALA = Rule(
    f"([\u09b0\u09f0])[{ZWNJ}{ZWJ}]\u09cd\u09af",
    f"\\1{ZWJ}\u09cd\u09af",
    "ra with ya-phala (র‍্যা, 'rae') is another reading than reph over ya (র্য, 'rjo'): the joiner stays; keyboards also write ZWNJ",
)
_CHILLUS = tuple(
    Rule(f"{base}\u0d4d{ZWJ}", chillu, "a chillu before Unicode 5.1: letter, virama, joiner; അവന്‍ is അവൻ, and അവന് is another word")
    for base, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)
)  # fmt: skip
_EYELASH_RA = Rule(
    f"\u0930\u094d{ZWJ}", "\u0931\u094d", "eyelash ra: दर्‍या (valleys) is दऱ्या, and दर्या (sea) is another word"
)
JOINED: dict[str, tuple[Rule, ...]] = {
    "bn": (_KHANDA_TA, _YA_PHALA),
    "as": (_KHANDA_TA, _YA_PHALA),
    "ml": _CHILLUS,
    "mr": (_EYELASH_RA,),
}
# Every joiner but the one between ra and ya-phala.
DROPPED_JOINER = re.compile(f"{ZWNJ}|(?<![\u09b0\u09f0]){ZWJ}|{ZWJ}(?!\u09cd\u09af)")

# Rules for text without joiners, in composed form and with its marks in order.
_DEVANAGARI = (
    *_parts(_TYPED_IN_PARTS, "अा>आ अॉ>ऑ आॅ>ऑ अो>ओ आे>ओ अौ>औ आै>औ अॅ>ॲ एॅ>ऍ एे>ऐ उु>ऊ"),
    Rule("ऍ", "ॲ", "two letters for the vowel of 'app': Hindi and older Marathi print write ऍ, Marathi ॲ"),
)
_BENGALI = (
    *_parts(_TYPED_IN_PARTS, "অা>আ ঋৃ>ৠ"),
    Rule(
        "\u0999\u09cd(?=[\u0995-\u0998])",
        "\u0982",
        "ং is ঙ্ where ক to ঘ follow (সঙ্গীত, সংগীত); before other classes ং sounds otherwise than their nasal",
    ),
    Rule(
        f"(?<![\u0980-\u09e3\u09f0\u09f1{ASSAMESE_APOSTROPHE}])([\u09b0\u09f0])\u09cd\u09af",
        f"\\1{ZWJ}\u09cd\u09af",
        "no word begins with reph, so র্যাব without its joiner can only be র‍্যাব",
    ),
)


def _homorganic(language: str) -> Rule:
    first = first_of(language)
    classes = ((0x19, 0x15, 0x18), (0x1E, 0x1A, 0x1D), (0x23, 0x1F, 0x22), (0x28, 0x24, 0x27), (0x2E, 0x2A, 0x2D))
    found = "|".join(
        f"{chr(first + nasal)}{chr(first + 0x4D)}(?=[{chr(first + low)}-{chr(first + high)}])"
        for nasal, low, high in classes
    )
    return Rule(found, chr(first + 2), "a nasal before a stop of its own class may be written as anusvara (हिन्दी, हिंदी)")  # fmt: skip


SAME: dict[str, tuple[Rule, ...]] = {
    "hi": (
        *_DEVANAGARI,
        Rule(
            "(?<=[िीेैोौॉॅईऐओऔऑ])\u0901+",
            "\u0902",
            "where a vowel already stands above the line, print writes the candrabindu as anusvara (नहीँ, नहीं); हँस and हंस stay two",
        ),
        _homorganic("hi"),
    ),
    "mr": (
        *_DEVANAGARI,
        *_parts("a candra under an anusvara looks and sounds like the candrabindu (बॅंक, बँक)", "ॅ+[ँं]>ँ ॉ[ँं]>ाँ ॲं>अँ ऑं>आँ"),
        _homorganic("mr"),
    ),
    "bn": _BENGALI,
    "as": _BENGALI,
    "gu": (*_parts(_TYPED_IN_PARTS, "અા>આ ૅા>ૉ અૅ>ઍ અે>એ અૈ>ઐ અૉ>ઑ અો>ઓ અૌ>ઔ આૅ>ઑ આે>ઓ આૈ>ઔ"), _homorganic("gu")),
    "pa": _parts(_TYPED_IN_PARTS, "ਅਾ>ਆ ੲਿ>ਇ ੲੀ>ਈ ੳੁ>ਉ ੳੂ>ਊ ੲੇ>ਏ ਅੈ>ਐ ੳੋ>ਓ ਅੌ>ਔ"),
    "or": (
        *_parts(_TYPED_IN_PARTS, "ଅା>ଆ ଏୗ>ଐ ଓୗ>ଔ"),
        Rule("\u0b2f\u0b3c", "\u0b5f", "ୟ typed as ଯ with a nukta, as its Bengali sister is encoded"),
        _homorganic("or"),
    ),
    "ta": (
        *_parts(_TYPED_IN_PARTS, "அூ>ஆ"),
        Rule("ஶ்ரீ", "ஸ்ரீ", "before Unicode 4.1 the ligature was encoded with ஸ; both draw the same sign"),
    ),
    "te": (
        *_parts(_TYPED_IN_PARTS, "ఒౕ>ఓ ఒౌ>ఔ ిౕ>ీ ెౕ>ే ొౕ>ో"),
        _homorganic("te"),
    ),
    "kn": (*_parts(_TYPED_IN_PARTS, "ಉಾ>ಊ ಒೌ>ಔ ಋಾ>ೠ"), _homorganic("kn")),
    "ml": (
        Rule("\u0d46*\u0d4c", "\u0d57", "the vowel sign au before and after the reform of 1971 (കൌതുകം, കൗതുകം)"),
        Rule("\u0d41+\u0d4d", "\u0d4d", "the half u written in full, as before the reform (അവനു്, അവന്)"),
        Rule("\u0d4e", "\u0d7c", "dot reph is how ർ was written before the reform (ധൎമ്മം, ധർമ്മം)"),
        Rule(
            "ൻ്?റ",
            "ന്റ",
            "three encodings of one conjunct (എന്റെ, എൻ്റെ, എൻറെ); the rare words that read n-r (ഹെൻറി) are equal to it too",
        ),
        *_parts(_TYPED_IN_PARTS, "ഇൗ>ഈ ഉൗ>ഊ എെ>ഐ ഒാ>ഓ ഒൗ>ഔ"),
    ),
}  # fmt: skip

# Scripts that write visarga today, where a colon inside a word is a mistyped one (दु:ख). Tamil and Gurmukhi do not.
VISARGA_LANGUAGES = frozenset({"hi", "mr", "bn", "as", "gu", "or", "te", "kn", "ml"})
