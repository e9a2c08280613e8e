"""Where the words of `indic-numtowords` 1.1.0 are wrong, misspelled or against usage, and the scales above the hundreds.

How the faults were found: the words of 0 to 99, of the hundreds and of round thousands, lakhs and crores were read one by
one in each language, and all of 0 to 9999 and the round lakhs and crores compared for distinctness (only Kannada failed). The kinds of fault:
- another number: kn 83 is the word of 82; kn 110, 120, 130, 150 … are cut to ನೂ, so that 10,198 numbers have 9,556 words;
- an ending that only stands before more words: kn ಸಾವಿರದ, ಲಕ್ಷದ for a round thousand or lakh;
- a word of another language or script: mr हज़ार (Hindi; Marathi हजार), as 29 to 48 with Bengali র for ৰ;
- letters missing or wrong: pa 59, 73, 75, or 20, ta 81, 89, 98, gu 60 with an anusvara, ml half of the words with a final ഉ;
- sandhi not done or done wrong: ml പത്തായിരം (10,000 is പതിനായിരം), ta ஒன்றாயிரம், te ఒకటి వేలు, pa and or "thousand hundred" for 1100;
- invisible characters: ta a joiner behind ஆயிரம், mr 74 with one inside, kn 501 and others end in a space;
- usage: en without hyphens, hi छः अट्ठारह सरसठ and others where the standard spelling is another.
Decimals, signs and numbers of ten digits or more raise in the library; `vaak.text.numbers.number_words` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass


def _numbered(first: int, words: str) -> dict[int, str]:
    return dict(enumerate(words.split(), first))


def _malayalam() -> dict[int, str]:
    """21 to 99 as one word each; the library has four ways to join them, and forms in ു beside those in ്."""
    tens = ["ഇരുപത്തി", "മുപ്പത്തി", "നാല്പത്തി", "അമ്പത്തി", "അറുപത്തി", "എഴുപത്തി", "എൺപത്തി", "തൊണ്ണൂറ്റി"]
    units = ["യൊന്ന്", "രണ്ട്", "മൂന്ന്", "നാല്", "യഞ്ച്", "യാറ്", "യേഴ്", "യെട്ട്", "യൊമ്പത്"]
    return {10 * ten + unit: stem + end for ten, stem in enumerate(tens, 2) for unit, end in enumerate(units, 1)}


# Numbers below 100.
UNITS: dict[str, dict[int, str]] = {
    "hi": {6: "छह", 18: "अठारह", 53: "तिरपन", 63: "तिरसठ", 66: "छियासठ", 67: "सड़सठ", 87: "सतासी", 95: "पंचानवे"},
    "bn": {16: "ষোলো", 19: "উনিশ", 29: "উনত্রিশ", 39: "উনচল্লিশ", 49: "উনপঞ্চাশ", 59: "উনষাট", 69: "উনসত্তর", 79: "উনআশি", 88: "অষ্টাশি", 89: "উননব্বই"},
    "ta": {81: "எண்பத்து ஒன்று", 89: "எண்பத்து ஒன்பது", 92: "தொண்ணூற்றிரண்டு", 98: "தொண்ணூற்றெட்டு"},
    "te": {},
    "mr": {33: "तेहतीस", 74: "चौऱ्याहत्तर", 76: "शहात्तर"},
    "gu": {42: "બેતાલીસ", 59: "ઓગણસાઠ", 60: "સાઠ", 62: "બાસઠ", 66: "છાસઠ", 72: "બોતેર", 73: "તોતેર", 74: "ચુમોતેર", 82: "બ્યાસી", 83: "ત્યાસી", 86: "છ્યાસી"},
    "kn": {83: "ಎಂಬತ್ತ್ಮೂರು"},
    "ml": {17: "പതിനേഴ്", 18: "പതിനെട്ട്", **_malayalam()},
    "pa": {
        31: "ਇਕੱਤੀ", 59: "ਉਨਾਹਠ", 63: "ਤਰੇਹਠ", 69: "ਉਨੱਤਰ", 73: "ਤਿਹੱਤਰ", 74: "ਚੁਹੱਤਰ", 75: "ਪਚਹੱਤਰ", 81: "ਇਕਾਸੀ", 89: "ਉਨਾਨਵੇਂ",
        **_numbered(91, "ਇਕਾਨਵੇਂ ਬਾਨਵੇਂ ਤਿਰਾਨਵੇਂ ਚੁਰਾਨਵੇਂ ਪਚਾਨਵੇਂ ਛਿਆਨਵੇਂ ਸਤਾਨਵੇਂ ਅਠਾਨਵੇਂ ਨੜਿੰਨਵੇਂ"),
    },
    "or": {0: "ଶୂନ୍ୟ", 20: "କୋଡ଼ିଏ", 70: "ସତୁରି"},
    "as": {
        **_numbered(29, "ঊনত্ৰিশ ত্ৰিশ একত্ৰিশ বত্ৰিশ তেত্ৰিশ চৌত্ৰিশ পঁয়ত্ৰিশ ছয়ত্ৰিশ সাতত্ৰিশ আঠত্ৰিশ"),
        45: "পঞ্চল্লিশ",
    },
}  # fmt: skip

# 100 to 900 when nothing follows, where the library's word is not right.
HUNDREDS: dict[str, dict[int, str]] = {
    "ta": {500: "ஐந்நூறு", 900: "தொள்ளாயிரம்"},
    "kn": {400: "ನಾನೂರು"},
    "ml": {200: "ഇരുനൂറ്", 600: "അറുനൂറ്", 700: "എഴുനൂറ്"},
    "pa": {100: "ਇੱਕ ਸੌ"},
    "hi": {600: "छह सौ"},
}

# What 100 to 900 become before more words, in the languages where they change: (ending, ending there), the longest first.
BEFORE: dict[str, tuple[tuple[str, str], ...]] = {
    "ta": (("நூறு", "நூற்று"), ("ஆயிரம்", "ஆயிரத்து"), ("யிரம்", "யிரத்து")),
    "te": (("వందలు", "వందల"), ("వంద", "నూట")),
    "mr": (("शंभर", "एकशे"),),
    "kn": (("ನೂರು", "ನೂರ"),),
    "ml": (("നൂറ്", "നൂറ്റി"), ("ഞ്ഞൂറ്", "ഞ്ഞൂറ്റി"), ("ന്നൂറ്", "ന്നൂറ്റി"), ("ണ്ണൂറ്", "ണ്ണൂറ്റി"), ("യിരം", "യിരത്തി")),
}

# The last word of a multiplier before a thousand, lakh or crore: (ending, ending there).
MULTIPLIERS: dict[str, tuple[tuple[str, str], ...]] = {
    "ta": (("ொன்று", "ொரு"), ("ஒன்று", "ஒரு")),
    "te": (("ఒకటి", "ఒక్క"),),
}
# Thousands that grow together with their multiplier: (ending, ending with the thousand), the first that fits.
JOINED_THOUSANDS: dict[str, tuple[tuple[str, str], ...]] = {
    "ta": (("ொன்று", "ோராயிரம்"), ("ஒன்று", "ஓராயிரம்"), ("ு", "ாயிரம்")),
    "ml": (
        ("പത്ത്", "പതിനായിരം"),
        ("പത്", "പതിനായിരം"),
        ("മൂന്ന്", "മൂവായിരം"),
        ("അഞ്ച്", "അയ്യായിരം"),
        ("യഞ്ച്", "യയ്യായിരം"),
        ("നഞ്ച്", "നയ്യായിരം"),
        ("എട്ട്", "എണ്ണായിരം"),
        ("െട്ട്", "െണ്ണായിരം"),
        ("്", "ായിരം"),
    ),
}
# Thousands that follow no rule.
THOUSANDS: dict[str, dict[int, str]] = {"ta": {5: "ஐயாயிரம்"}, "ml": {}}


@dataclass(frozen=True)
class Scale:
    """A thousand, lakh or crore: the whole phrase for one of it and the word behind a multiplier, last or before more."""

    one: str
    one_before: str
    many: str
    many_before: str


def _plain(one: str, scale: str) -> Scale:
    return Scale(f"{one} {scale}", f"{one} {scale}", scale, scale)


# Thousand, lakh, crore.
SCALES: dict[str, tuple[Scale, Scale, Scale]] = {
    "en": (_plain("one", "thousand"), _plain("one", "lakh"), _plain("one", "crore")),
    "hi": (_plain("एक", "हज़ार"), _plain("एक", "लाख"), _plain("एक", "करोड़")),
    "bn": (_plain("এক", "হাজার"), _plain("এক", "লাখ"), _plain("এক", "কোটি")),
    "mr": (_plain("एक", "हजार"), _plain("एक", "लाख"), _plain("एक", "कोटी")),
    "gu": (_plain("એક", "હજાર"), _plain("એક", "લાખ"), _plain("એક", "કરોડ")),
    "pa": (_plain("ਇੱਕ", "ਹਜ਼ਾਰ"), _plain("ਇੱਕ", "ਲੱਖ"), _plain("ਇੱਕ", "ਕਰੋੜ")),
    "or": (_plain("ଏକ", "ହଜାର"), _plain("ଏକ", "ଲକ୍ଷ"), _plain("ଏକ", "କୋଟି")),
    "as": (_plain("এক", "হাজাৰ"), _plain("এক", "লাখ"), _plain("এক", "কোটি")),
    "ta": (
        Scale("ஆயிரம்", "ஆயிரத்து", "", ""),
        Scale("ஒரு லட்சம்", "ஒரு லட்சத்து", "லட்சம்", "லட்சத்து"),
        Scale("ஒரு கோடி", "ஒரு கோடியே", "கோடி", "கோடியே"),
    ),
    "te": (
        Scale("వెయ్యి", "వెయ్యి", "వేలు", "వేల"),
        Scale("ఒక లక్ష", "ఒక లక్షా", "లక్షలు", "లక్షల"),
        Scale("ఒక కోటి", "ఒక కోటి", "కోట్లు", "కోట్ల"),
    ),
    "kn": (
        Scale("ಒಂದು ಸಾವಿರ", "ಒಂದು ಸಾವಿರದ", "ಸಾವಿರ", "ಸಾವಿರದ"),
        Scale("ಒಂದು ಲಕ್ಷ", "ಒಂದು ಲಕ್ಷದ", "ಲಕ್ಷ", "ಲಕ್ಷದ"),
        Scale("ಒಂದು ಕೋಟಿ", "ಒಂದು ಕೋಟಿ", "ಕೋಟಿ", "ಕೋಟಿ"),
    ),
    "ml": (
        Scale("ആയിരം", "ആയിരത്തി", "", ""),
        Scale("ഒരു ലക്ഷം", "ഒരു ലക്ഷത്തി", "ലക്ഷം", "ലക്ഷത്തി"),
        Scale("ഒരു കോടി", "ഒരു കോടി", "കോടി", "കോടി"),
    ),
}
