"""One encoding: cases by hand for every language (escapes where a sign cannot be seen), and what holds for any string."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vaak.languages import LANGUAGES
from vaak.text.normalising.normalise import normalise

ZWNJ, ZWJ = "\u200c", "\u200d"

CHANGED = [
    # language, written, normalised
    ("en", "“curly” ‘single’ «guillemets» ‹x› 5′ 6″", "\"curly\" 'single' \"guillemets\" 'x' 5' 6\""),
    ("en", "1990–95, a – b, word—word, end —", "1990-95, a - b, word - word, end -"),
    ("en", "10—12 and —— twice", "10-12 and - twice"),
    ("en", "wait… no\u00a0break\u2009thin\u3000wide", "wait... no break thin wide"),
    ("en", "ＡＢＣ　１２３！", "ABC 123!"),
    ("en", "soft\u00adhyphen zero\u200bwidth \ufeffmark \u202aleft\u202c", "softhyphen zerowidth mark left"),
    ("en", "e\u0301tude oﬀer ﬁne", "\u00e9tude offer fine"),
    ("en", "bell\x07 and lone \ud800 half", "bell and lone  half"),
    ("en", "a" + "\u0301" * 50, "\u00e1" + "\u0301" * 29),
    ("hi", "\u0958\u093c\u0932\u092e", "\u0915\u093c\u0932\u092e"),  # क़ in one code point, and a second nukta
    ("hi", "ज\u093e\u093cत", "ज\u093c\u093eत"),  # the nukta after the vowel sign
    ("hi", "अा अो अौ अॉ एे उु", "आ ओ औ ऑ ऐ ऊ"),
    ("hi", "क\u093e\u0947ट", "कोट"),
    ("hi", "नही\u0902\u0902 कि\u093fताब क\u094d\u094dया", "नहीं किताब क्या"),
    ("hi", "म\u0902\u0947", "में"),  # the anusvara typed before the vowel sign
    ("hi", "वह आया| वह गया |", "वह आया। वह गया ।"),
    ("hi", "वह गया |\nफिर आया ||", "वह गया ।\nफिर आया ॥"),
    ("hi", "राम राम।। श्लोक||", "राम राम॥ श्लोक॥"),
    ("hi", "दु:ख, अत: छ: लोग", "दुःख, अतः छः लोग"),
    ("hi", "वे हैंः 10ः30", "वे हैं: 10:30"),
    ("hi", f"नमस्ते{ZWNJ} राम{ZWJ} बाल{ZWNJ}कांड राम{ZWNJ}को", "नमस्ते राम बालकांड रामको"),
    ("hi", f"क्{ZWJ} क्{ZWJ}{ZWJ}ष", f"क् क्{ZWJ}ष"),
    ("mr", f"दर्{ZWJ}या वाऱ्या", "दऱ्या वाऱ्या"),
    ("mr", "अॅप अॉफिस", "ॲप ऑफिस"),
    ("bn", "\u09dc\u09a1\u09bc \u09df \u09ac\u09bc", "\u09a1\u09bc\u09a1\u09bc \u09af\u09bc \u09b0"),
    ("bn", f"হঠাত্{ZWJ} উত্{ZWJ}সব", "হঠাৎ উৎসব"),
    ("bn", "ক\u09c7\u09bePass", "কোPass"),
    ("bn", "আমি যাই৷ সে যায়| অামি", "আমি যাই। সে যায়। আমি".replace("য়", "\u09af\u09bc")),
    ("bn", "দু:খ নি:শ্বাস", "দুঃখ নিঃশ্বাস"),
    ("bn", f"র{ZWNJ}্যাব", f"র{ZWJ}্যাব"),
    ("as", "অসমৰ মানুহর কথাৰ", "অসমৰ মানুহৰ কথাৰ"),
    ("as", f"হঠাত্{ZWJ} ম’হ", "হঠাৎ ম'হ"),
    ("pa", "ਪ\u0a71\u0a41ਤ ਗ\u0a70\u0a41ਮ", "ਪੁੱਤ ਗੁੰਮ"),
    ("pa", "ਅਾ ੲਿ ੳੁ \u0a5e\u0a3c", "ਆ ਇ ਉ \u0a2b\u0a3c"),
    ("pa", "ਉਹ ਆਇਆ| \u0a64", "ਉਹ ਆਇਆ। ।"),
    ("gu", "અા અો ક\u0abe\u0ac7", "આ ઓ કો"),
    ("gu", "દુ:ખ નિ:શુલ્ક", "દુઃખ નિઃશુલ્ક"),
    ("or", "\u0b5c \u0b2f\u0b3c ଅା ସେ ଗଲା|", "\u0b21\u0b3c \u0b5f ଆ ସେ ଗଲା।"),
    ("or", "କ\u0b47\u0b3e କ\u0b47\u0b57", "କୋ କୌ"),
    ("ta", "க\u0bc6\u0bbe க\u0bc7\u0bbe க\u0bc6\u0bd7", "கொ கோ கௌ"),
    ("ta", f"அவர்{ZWNJ} வந்தார்{ZWNJ}.", "அவர் வந்தார்."),
    ("te", "ఆ౦ధ్ర క\u0c46\u0c56", "ఆంధ్ర కై"),
    ("te", f"రామ్{ZWNJ} ఒౕ", "రామ్ ఓ"),
    ("kn", "ಕ೦ನಡ ಕ\u0cbf\u0cd5 ಕ\u0cc6\u0cc2\u0cd5", "ಕಂನಡ ಕೀ ಕೋ"),
    ("kn", f"ಉಾಟ ರಾಮ್{ZWNJ}.", "ಊಟ ರಾಮ್."),
    ("ml", f"അവന്{ZWJ} അവള്{ZWJ} അവര്{ZWJ} പാല്{ZWJ} കണ്{ZWJ}", "അവൻ അവൾ അവർ പാൽ കൺ"),
    ("ml", "എൻ\u0d4dറെ ക\u0d46\u0d46 എെക്യം", "എന്റെ കൈ ഐക്യം"),
    ("ml", f"അവന്{ZWNJ} ദു:ഖം", "അവന് ദുഃഖം"),
]  # fmt: skip

# The joiner, nukta or sign makes another word or is rightly written: each text stays as it is.
KEPT = [
    ("en", 'don\'t "quote" a - b -- c | d ||  two  spaces # * ~ <b> & `x`'),
    ("en", "＜b＞＆｜｀＃＊～"),  # full-width signs of markup
    ("en", "नमस्ते\tCafé\r\nnaïve\u2028line"),
    ("hi", "राज़ राज"),  # secret, rule
    ("hi", "फ़न फन"),  # art, hood of a snake
    ("hi", f"वाङ्{ZWNJ}मय क्{ZWJ}ष"),
    ("hi", "हँस हंस नाम:राम समय: 10 बजे"),
    ("hi", "होम | खेल | राज्य"),
    ("hi", "| क | ख |"),
    ("hi", "पहला २५ ५ हिन्दी हिंदी"),
    ("hi", f"दर्{ZWJ}या"),  # the eyelash ra is Marathi
    ("mr", "दर्या दऱ्या"),  # sea, valleys
    ("bn", f"র{ZWJ}্যাব র্যাব"),
    ("bn", "ৎ ত্ সত্ সৎ"),
    ("bn", "ৰাম কথা"),  # an Assamese word quoted
    ("bn", f"উদ্{ZWNJ}যোগ"),
    ("as", "আমার সোনার বাংলা"),  # Bengali, whatever the source says: told by its র
    ("as", "ম'হ মহ"),  # buffalo, mosquito
    ("as", "ৱ ব"),
    ("pa", "ਸ਼ਹਿਰ ਖ਼ਬਰ".replace("ਸ਼", "\u0a38\u0a3c").replace("ਖ਼", "\u0a16\u0a3c")),
    ("pa", "ਸਿੰਘ ੴ ੨੫"),
    ("gu", "શું છે? સો સૉ"),
    ("gu", "ઘર| બાર"),  # Gujarati ends sentences with a full stop
    ("or", "ଓଡ଼ିଆ ବଡ ବଡ଼".replace("ଡ଼", "\u0b21\u0b3c")),
    ("ta", "ஃபோன் ஸ்ரீ ஔ ௨௫"),
    ("te", f"సాఫ్ట్{ZWNJ}వేర్ ౨౦ ౧౦"),
    ("te", "A౦ ౦౧"),
    ("kn", f"ಸಾಫ್ಟ್{ZWNJ}ವೇರ್ ರ{ZWJ}್ಯಾಲಿ ೨೦"),
    ("kn", "ಫ಼ ಫ ಜ಼"),
    ("ml", "അവൻ അവന് അവനു്"),  # he, to him, the old spelling of it
    ("ml", "ഹെൻറി കൗതുകം കൌതുകം"),
    ("ml", f"മ്{ZWJ}ന"),  # of a letter without a chillu
]


@pytest.mark.parametrize(("language", "written", "expected"), CHANGED)
def test_one_encoding(language: str, written: str, expected: str):
    assert normalise(written, language) == expected


@pytest.mark.parametrize(("language", "text"), KEPT)
def test_meaning_stays(language: str, text: str):
    assert normalise(text, language) == text


def test_every_language_has_cases_of_both_kinds():
    assert {language for language, *_ in CHANGED} == {language for language, _ in KEPT} == set(LANGUAGES)


def test_other_scripts_are_normalised_too():
    assert normalise(f"He said അവന്{ZWJ} and अा", "en") == "He said അവൻ and आ"


NASTY = [
    *"<&|`\t\n\r\"'’“—–…।॥:ः়़্്ംംാെേ൦౦ଂੱੰু", ZWJ, ZWNJ, "\u200b", "\ufeff", "\u0338", "\u0301", "\u1fef", "\u00a0", "\ud800", "\U000e0041", "\x00",
    "अा", "ാ", "െെ", "ോ", "র্", "\u200c্য", "ত্", "ন্\u200d", "ൻ്റ", "দু:খ", "अत:", " |", "||", "।।", "＜", "ﬁ", "\u09e4", "\u0344", "ৰ", "র", "दर्\u200dया", "ாே",
]  # fmt: skip
ANY_TEXT = st.lists(
    st.sampled_from(NASTY) | st.text(max_size=4) | st.text(st.characters(min_codepoint=0x900, max_codepoint=0xD7F), max_size=6)
).map("".join)  # fmt: skip


@settings(max_examples=600)
@given(ANY_TEXT, st.sampled_from([*sorted(LANGUAGES), "unknown"]))
@example("\u0338<\u200b\u0338", "en")
@example("<\u200b\u0338", "hi")
def test_twice_is_once_and_no_markup_appears(text: str, language: str):
    once = normalise(text, language)
    assert normalise(once, language) == once
    assert unicodedata.is_normalized("NFC", once)
    for sign in "<&|`\t\n\r\x0b\x0c\x85\u2028#*~>":
        assert once.count(sign) <= text.count(sign)


@pytest.mark.parametrize(
    "unit",
    [
        *NASTY,
        "क",
        "ा़",
        "ंा",
        "क्\u200d",
        "क| ",
        "क |\n",
        "దు:",
        "అ౦",
        "\u0301\u0323",
        "\U0001d165",
        "ு்",
        "  ",
        "र\u200c्य",
    ],
)
def test_a_long_row_of_one_thing(unit: str):
    """Nothing quadratic: a row of this length would take minutes."""
    text = unit * (200_000 // len(unit))
    once = normalise(text, "hi")
    assert normalise(once, "hi") == once
