"""Pairs of spellings in the eleven Indic languages that scoring must hold equal, or must not: the table and its source.

`pairs()` makes most of them from the inventory of each script, one rule at a time (each vowel sign against the next, each
consonant with and without its virama ...); the words are in `minimal_words.py`. Made pairs are strings of the script, not
words: what a normaliser must keep apart does not depend on a dictionary.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tests.score.minimal_words import APART, SAME

ZWNJ, ZWJ = "\u200c", "\u200d"
INVISIBLE = {"zero-width space": "\u200b", "byte order mark": "\ufeff", "soft hyphen": "\u00ad", "word joiner": "\u2060",
             "left-to-right mark": "\u200e", "right-to-left embedding": "\u202b", "isolate": "\u2066",
             "variation selector": "\ufe0f", "grapheme joiner": "\u034f"}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """Two spellings in `language`; `same`: they are one word; `of`: which rule made them, "word" for real ones."""

    language: str
    one: str
    other: str
    same: bool
    of: str


@dataclass(frozen=True)
class Inventory:
    """What a script has, each letter between spaces. `finals` come last on a letter; `parts`: signs that are two.

    `nukta`: letters that have a code of their own with the dot, as `base+code point`. `typed`: vowel letters typed in parts.
    """

    consonants: str
    vowels: str
    signs: str
    virama: str
    finals: str
    digits: str
    nasals: str = ""  # five nasals, each before two stops of its class
    nukta: str = ""
    dot: str = ""
    parts: str = ""
    typed: str = ""


_DEVANAGARI = Inventory(
    "क ख ग घ ङ च छ ज झ ञ ट ठ ड ढ ण त थ द ध न प फ ब भ म य र ल ळ व श ष स ह", "अ आ इ ई उ ऊ ऋ ए ऐ ऑ ओ औ",
    "ा ि ी ु ू ृ े ै ॉ ो ौ", "्", "ँ ं ः", "०१२३४५६७८९", "ङकग ञचज णटड नतद मपब",
    "क\u0958 ख\u0959 ग\u095a ज\u095b ड\u095c ढ\u095d फ\u095e", "\u093c", "", "अा=आ अो=ओ अौ=औ अॉ=ऑ आॅ=ऑ एे=ऐ",
)  # fmt: skip
_BENGALI = Inventory(
    "ক খ গ ঘ ঙ চ ছ জ ঝ ঞ ট ঠ ড ঢ ণ ত থ দ ধ ন প ফ ব ভ ম য র ল শ ষ স হ", "অ আ ই ঈ উ ঊ ঋ এ ঐ ও ঔ", "া ি ী ু ূ ৃ ে ৈ ো ৌ",
    "্", "ঁ ং ঃ", "০১২৩৪৫৬৭৮৯", "ঙকখগঘ", "ড\u09dc ঢ\u09dd য\u09df", "\u09bc", "ো=ে+\u09be ৌ=ে+\u09d7", "অা=আ ঋৃ=ৠ",
)  # fmt: skip
INVENTORIES = {
    "hi": _DEVANAGARI,
    "mr": _DEVANAGARI,
    "bn": _BENGALI,
    "as": Inventory(**{**_BENGALI.__dict__, "consonants": _BENGALI.consonants.replace("র", "ৰ") + " ৱ"}),
    "gu": Inventory(
        "ક ખ ગ ઘ ઙ ચ છ જ ઝ ઞ ટ ઠ ડ ઢ ણ ત થ દ ધ ન પ ફ બ ભ મ ય ર લ ળ વ શ ષ સ હ", "અ આ ઇ ઈ ઉ ઊ ઋ ઍ એ ઐ ઑ ઓ ઔ",
        "ા િ ી ુ ૂ ૃ ૅ ે ૈ ૉ ો ૌ", "્", "ઁ ં ઃ", "૦૧૨૩૪૫૬૭૮૯", "ઙકગ ઞચજ ણટડ નતદ મપબ", "", "", "",
        "અા=આ અે=એ અૈ=ઐ અો=ઓ અૌ=ઔ અૅ=ઍ અૉ=ઑ",
    ),
    "pa": Inventory(
        "ਕ ਖ ਗ ਘ ਙ ਚ ਛ ਜ ਝ ਞ ਟ ਠ ਡ ਢ ਣ ਤ ਥ ਦ ਧ ਨ ਪ ਫ ਬ ਭ ਮ ਯ ਰ ਲ ਵ ਸ ਹ", "ਅ ਆ ਇ ਈ ਉ ਊ ਏ ਐ ਓ ਔ", "ਾ ਿ ੀ ੁ ੂ ੇ ੈ ੋ ੌ",
        "੍", "ਂ ਃ ੰ ੱ", "੦੧੨੩੪੫੬੭੮੯", "", "ਖ\u0a59 ਗ\u0a5a ਜ\u0a5b ਫ\u0a5e ਲ\u0a33 ਸ\u0a36", "\u0a3c", "",
        "ਅਾ=ਆ ੲਿ=ਇ ੲੀ=ਈ ੳੁ=ਉ ੳੂ=ਊ ੲੇ=ਏ ਅੈ=ਐ ਅੌ=ਔ",
    ),
    "or": Inventory(
        "କ ଖ ଗ ଘ ଙ ଚ ଛ ଜ ଝ ଞ ଟ ଠ ଡ ଢ ଣ ତ ଥ ଦ ଧ ନ ପ ଫ ବ ଭ ମ ଯ ୟ ର ଲ ଳ ଶ ଷ ସ ହ", "ଅ ଆ ଇ ଈ ଉ ଊ ଋ ଏ ଐ ଓ ଔ",
        "ା ି ୀ ୁ ୂ ୃ େ ୈ ୋ ୌ", "୍", "ଁ ଂ ଃ", "୦୧୨୩୪୫୬୭୮୯", "ଙକଗ ଞଚଜ ଣଟଡ ନତଦ ମପବ", "ଡ\u0b5c ଢ\u0b5d", "\u0b3c",
        "ୈ=େ+\u0b56 ୋ=େ+\u0b3e ୌ=େ+\u0b57", "ଅା=ଆ ଏୗ=ଐ ଓୗ=ଔ",
    ),
    "ta": Inventory(
        "க ங ச ஜ ஞ ட ண த ந ன ப ம ய ர ற ல ள ழ வ ஷ ஸ ஹ", "அ ஆ இ ஈ உ ஊ எ ஏ ஐ ஒ ஓ ஔ", "ா ி ீ ு ூ ெ ே ை ொ ோ ௌ", "்", "ஃ",
        "௦௧௨௩௪௫௬௭௮௯", "", "", "", "ொ=ெ+\u0bbe ோ=ே+\u0bbe ௌ=ெ+\u0bd7", "அூ=ஆ",
    ),
    "te": Inventory(
        "క ఖ గ ఘ ఙ చ ఛ జ ఝ ఞ ట ఠ డ ఢ ణ త థ ద ధ న ప ఫ బ భ మ య ర ఱ ల ళ వ శ ష స హ", "అ ఆ ఇ ఈ ఉ ఊ ఋ ఎ ఏ ఐ ఒ ఓ ఔ",
        "ా ి ీ ు ూ ృ ె ే ై ొ ో ౌ", "్", "ఁ ం ః", "౦౧౨౩౪౫౬౭౮౯", "ఙకగ ఞచజ ణటడ నతద మపబ", "", "", "ై=ె+\u0c56",
        "ఒౌ=ఔ ఒౕ=ఓ",
    ),
    "kn": Inventory(
        "ಕ ಖ ಗ ಘ ಙ ಚ ಛ ಜ ಝ ಞ ಟ ಠ ಡ ಢ ಣ ತ ಥ ದ ಧ ನ ಪ ಫ ಬ ಭ ಮ ಯ ರ ಲ ಳ ವ ಶ ಷ ಸ ಹ", "ಅ ಆ ಇ ಈ ಉ ಊ ಋ ಎ ಏ ಐ ಒ ಓ ಔ",
        "ಾ ಿ ೀ ು ೂ ೃ ೆ ೇ ೈ ೊ ೋ ೌ", "್", "ಂ ಃ", "೦೧೨೩೪೫೬೭೮೯", "ಙಕಗ ಞಚಜ ಣಟಡ ನತದ ಮಪಬ", "", "",
        "ೀ=ಿ+\u0cd5 ೇ=ೆ+\u0cd5 ೈ=ೆ+\u0cd6 ೊ=ೆ+\u0cc2 ೋ=ೆ+\u0cc2\u0cd5", "ಉಾ=ಊ ಒೌ=ಔ",
    ),
    "ml": Inventory(
        "ക ഖ ഗ ഘ ങ ച ഛ ജ ഝ ഞ ട ഠ ഡ ഢ ണ ത ഥ ദ ധ ന പ ഫ ബ ഭ മ യ ര റ ല ള ഴ വ ശ ഷ സ ഹ", "അ ആ ഇ ഈ ഉ ഊ ഋ എ ഏ ഐ ഒ ഓ ഔ",
        "ാ ി ീ ു ൂ ൃ െ േ ൈ ൊ ോ ൗ", "്", "ം ഃ", "൦൧൨൩൪൫൬൭൮൯", "", "", "", "ൊ=െ+\u0d3e ോ=േ+\u0d3e ൗ=െ+\u0d57",
        "ഇൗ=ഈ ഉൗ=ഊ എെ=ഐ ഒാ=ഓ ഒൗ=ഔ",
    ),
}  # fmt: skip
ABOVE_THE_LINE = ("ि", "ी", "े", "ै", "ॉ", "ो", "ौ")  # of Devanagari
CHILLUS = "ണൺ നൻ രർ ലൽ ളൾ കൿ"


def pairs() -> list[Pair]:
    """The whole table, no pair twice, languages one after the other."""
    made = [
        Pair(language, one, other, same, of)
        for language, has in INVENTORIES.items()
        for one, other, same, of in (*_signs_apart(has), *_letters_apart(has), *_encodings(has), *_spellings(language, has))
    ]  # fmt: skip
    made += [Pair(language, *words, False, "word") for language, some in APART.items() for words in some]
    made += [Pair(language, *words, True, "word") for language, some in SAME.items() for words in some]
    return list(dict.fromkeys(made))


Rows = Iterator[tuple[str, str, bool, str]]


def _signs_apart(has: Inventory) -> Rows:
    """Every sign on a consonant against the next one, against one further on, and against none."""
    consonants, signs = has.consonants.split(), has.signs.split()
    for i, sign in enumerate(signs):
        first, last = consonants[i % len(consonants)], consonants[(i * 3 + 1) % len(consonants)]
        yield first + sign + last, first + last, False, "vowel sign and none"
        for other in (signs[(i + 1) % len(signs)], signs[(i + 5) % len(signs)]):
            yield first + sign + last, first + other + last, False, "vowel sign"
            yield last + first + sign, last + first + other, False, "vowel sign at the end"
    for i, first in enumerate(consonants):
        last = consonants[(i + 7) % len(consonants)]
        yield first + has.virama + last, first + last, False, "virama"
        yield last + first + has.virama, last + first, False, "virama at the end"
    finals = has.finals.split()
    for i, final in enumerate(finals):
        for first, sign in zip(consonants[::6], ["", *signs], strict=False):
            yield first + sign + final + consonants[-1], first + sign + consonants[-1], False, "final sign"
            other = finals[(i + 1) % len(finals)]
            if len(finals) > 1 and not (sign in ABOVE_THE_LINE and {final, other} == {"ँ", "ं"}):
                yield first + sign + final, first + sign + other, False, "final signs"


def _letters_apart(has: Inventory) -> Rows:
    """Every letter against the next one, the nukta against none, every digit against the next one."""
    consonants, vowels, signs = has.consonants.split(), has.vowels.split(), has.signs.split()
    for one, other in zip(consonants, [*consonants[1:], consonants[0]], strict=True):
        yield one + signs[0], other + signs[0], False, "consonant"
    for one, other in zip(vowels, [*vowels[1:], vowels[0]], strict=True):
        yield one + consonants[0], other + consonants[0], False, "vowel letter"
    for base in (pair[0] for pair in has.nukta.split()):
        yield base + has.dot + signs[0], base + signs[0], False, "nukta"
        yield consonants[0] + base + has.dot, consonants[0] + base, False, "nukta at the end"
    for i, digit in enumerate(has.digits):
        yield "1" + digit, "1" + has.digits[(i + 1) % 10], False, "digit"


def _encodings(has: Inventory) -> Rows:
    """The same letters in other code points, or with what nobody sees."""
    consonants, signs = has.consonants.split(), has.signs.split()
    word = consonants[0] + signs[1] + consonants[9] + has.virama + consonants[12] + signs[0]
    for name, char in INVISIBLE.items():
        yield word[:2] + char + word[2:], word, True, name
        yield char + word + char, word, True, name
    for joiner, name in ((ZWNJ, "non-joiner"), (ZWJ, "joiner")):
        yield word[:4] + joiner + word[4:], word, True, name  # behind the virama
    for pair in has.nukta.split():
        base, code = pair
        yield base + has.dot + signs[0], code + signs[0], True, "nukta letter"
        yield base + signs[0] + has.dot, code + signs[0], True, "nukta behind the sign"
    for pair in has.parts.split():
        sign, split = pair.split("=")
        yield consonants[2] + split.replace("+", ""), consonants[2] + sign, True, "sign in parts"
        yield consonants[2] + split.replace("+", ZWNJ), consonants[2] + sign, True, "sign in parts"
    for pair in has.typed.split():
        typed, letter = pair.split("=")
        yield typed + consonants[0], letter + consonants[0], True, "vowel letter in parts"
    for final in has.finals.split():
        if unicodedata.category(final)[0] == "M":
            yield consonants[3] + final + signs[0], consonants[3] + signs[0] + final, True, "order of marks"


def _spellings(language: str, has: Inventory) -> Rows:
    """Digits, punctuation, nasals, and what single languages have."""
    consonants, signs = has.consonants.split(), has.signs.split()
    word = consonants[5] + signs[0] + consonants[-1]
    for i, digit in enumerate(has.digits):
        yield digit, str(i), True, "digits"
    yield has.digits[1] + "," + has.digits[0] * 3, "1000", True, "digits in groups"
    for mark in ("।", "॥", ".", "?", "!", ",", "…", "“", "”", "—", ":"):
        yield word + mark, word, True, "punctuation"
    yield f"{word}-{word}", f"{word} {word}", True, "punctuation"
    sign = {"bn": "\u0982", "as": "\u0982"}.get(language) or (has.finals.split()[-2] if has.nasals else "")
    for nasal, *stops in has.nasals.split():
        for stop in stops:
            yield consonants[7] + nasal + has.virama + stop, consonants[7] + sign + stop, True, "nasal before its stop"
            yield consonants[7] + nasal + stop, consonants[7] + sign + stop, False, "nasal with a vowel"
    if language == "ml":
        for base, chillu in CHILLUS.split():
            yield "ക" + base + "്" + ZWJ, "ക" + chillu, True, "chillu"
            yield "ക" + base + "്" + ZWJ + "ക", "ക" + chillu + "ക", True, "chillu"
            yield "ക" + base + "്", "ക" + chillu, False, "chillu and virama"
            yield "ക" + base, "ക" + chillu, False, "chillu and letter"
            yield "ക" + base + "ു്", "ക" + base + "്", True, "half u"
    if language in ("bn", "as"):
        ra = "ৰ" if language == "as" else "র"
        for before in ("হ", "উ", "ম", "জগ"):
            yield before + "ত্" + ZWJ, before + "ৎ", True, "khanda ta"
            yield before + "ত", before + "ৎ", False, "khanda ta"
            yield before + "ত্", before + "ৎ", False, "khanda ta"
            yield before + ra + ZWJ + "্যা", before + ra + "্যা", False, "ra with ya-phala"
            yield before + ra + ZWJ + "্যা", before + ra + ZWNJ + "্যা", True, "ra with ya-phala"
        yield ra + ZWJ + "্যা", ra + "্যা", True, "ra with ya-phala at the beginning"
    if language == "hi":
        for first, sign in zip(consonants, ABOVE_THE_LINE, strict=False):
            yield first + sign + "ँ", first + sign + "ं", True, "candrabindu above the line"
    if language == "mr":
        for before in ("द", "सु", "आचा", "किना"):
            yield before + "र्" + ZWJ + "या", before + "ऱ्या", True, "eyelash ra"
            yield before + "र्" + ZWJ + "या", before + "र्या", False, "eyelash ra"
