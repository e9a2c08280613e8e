"""Endings that are written straight behind a figure (5वीं, 21st, 10-ാം) and what number and ending become together.

A suffix may follow a hyphen (5-ാം). An ending that is in no table is not guessed: its figure stays a figure.
"""

from __future__ import annotations

from vaak.score.numbers import IRREGULAR_ORDINALS
from vaak.text.numbers.number_words import cardinal


def _forms(ending_of: dict[str, str], words: dict[int, str]) -> dict[tuple[int, str], str]:
    """Numbers with a word of their own, over the endings that change with gender and case: `*` in the word is the ending."""
    return {(n, suffix): word.replace("*", end) for n, word in words.items() for suffix, end in ending_of.items()}


# Suffixes that are put behind the cardinal as they are, or as another one.
_REGULAR: dict[str, dict[str, str]] = {  # not gu માં: also the locative (2020માં)
    "hi": {"वाँ": "वाँ", "वां": "वाँ", "वीं": "वीं", "वें": "वें"},
    "mr": {"वा": "वा", "वी": "वी", "वे": "वे", "व्या": "व्या"},
    "gu": {"મો": "મો", "મી": "મી", "મું": "મું", "મા": "મા"},
    "pa": {"ਵਾਂ": "ਵਾਂ", "ਵੀਂ": "ਵੀਂ", "ਵੇਂ": "ਵੇਂ"},
    "bn": {"তম": "তম", "টি": "টি", "টা": "টা", "জন": " জন", "টির": "টির", "টায়": "টায়", "টার": "টার", "জনের": " জনের"},
    "as": {"তম": "তম", "টা": "টা", "জন": " জন", "খন": "খন", "টি": "টি"},
    "or": {"ତମ": "ତମ", "ଟି": "ଟି", "ଟା": "ଟା", "ଟାରେ": "ଟାରେ", "ଜଣ": " ଜଣ"},
}

_IRREGULAR: dict[str, dict[tuple[int, str], str]] = {
    "hi": {
        **_forms({"वाँ": "ा", "वां": "ा", "वीं": "ी", "वें": "े"}, {1: "पहल*", 2: "दूसर*", 3: "तीसर*", 4: "चौथ*", 6: "छठ*"}),
        **_forms({"ला": "ा", "ली": "ी", "ले": "े"}, {1: "पहल*"}),
        **_forms({"रा": "ा", "री": "ी", "रे": "े"}, {2: "दूसर*", 3: "तीसर*"}),
        **_forms({"था": "ा", "थी": "ी", "थे": "े"}, {4: "चौथ*"}),
        **_forms({"ठा": "ा", "ठी": "ी", "ठे": "े"}, {6: "छठ*"}),
    },
    "mr": {
        **_forms({"ला": "ा", "ली": "ी", "ले": "े", "ल्या": "्या"}, {1: "पहिल*"}),
        **_forms({"रा": "रा", "री": "री", "रे": "रे", "ऱ्या": "ऱ्या"}, {2: "दुस*", 3: "तिस*"}),
        **_forms({"था": "ा", "थी": "ी", "थे": "े", "थ्या": "्या"}, {4: "चौथ*"}),
        **_forms({"वा": "वा", "वी": "वी", "वे": "वे", "व्या": "व्या"}, {6: "सहा*", 9: "नव*"}),
    },
    "gu": {
        **_forms({"લો": "ો", "લી": "ી", "લું": "ું", "લા": "ા"}, {1: "પહેલ*"}),
        **_forms({"જો": "ો", "જી": "ી", "જું": "ું", "જા": "ા"}, {2: "બીજ*", 3: "ત્રીજ*"}),
        **_forms({"થો": "ો", "થી": "ી", "થું": "ું", "થા": "ા"}, {4: "ચોથ*"}),
        **_forms({"ઠ્ઠો": "ો", "ઠ્ઠી": "ી", "ઠ્ઠું": "ું", "ઠ્ઠા": "ા", "ઠો": "ો", "ઠી": "ી"}, {6: "છઠ્ઠ*"}),
    },
    "pa": {
        **_forms({"ਲਾ": "ਾ", "ਲੀ": "ੀ", "ਲੇ": "ੇ"}, {1: "ਪਹਿਲ*"}),
        **_forms({"ਜਾ": "ਾ", "ਜੀ": "ੀ", "ਜੇ": "ੇ"}, {2: "ਦੂਜ*", 3: "ਤੀਜ*"}),
        **_forms({"ਥਾ": "ਾ", "ਥੀ": "ੀ", "ਥੇ": "ੇ"}, {4: "ਚੌਥ*"}),
        **_forms({"ਵਾਂ": "ਵਾਂ", "ਵੀਂ": "ਵੀਂ", "ਵੇਂ": "ਵੇਂ"}, {9: "ਨੌ*"}),
    },
    "bn": {
        (1, "ম"): "প্রথম", (2, "য়"): "দ্বিতীয়", (3, "য়"): "তৃতীয়", (4, "র্থ"): "চতুর্থ", (5, "ম"): "পঞ্চম", (6, "ষ্ঠ"): "ষষ্ঠ",
        (7, "ম"): "সপ্তম", (8, "ম"): "অষ্টম", (9, "ম"): "নবম", (10, "ম"): "দশম",
        # Days of the month.
        (1, "লা"): "পয়লা", (2, "রা"): "দোসরা", (3, "রা"): "তেসরা", (4, "ঠা"): "চৌঠা",
        (2, "টি"): "দুটি", (2, "টা"): "দুটো", (2, "জন"): "দুজন", (1, "জন"): "একজন",
        **{(n, "ই"): cardinal(n, "bn") + "ই" for n in range(5, 19)},
        **{(n, "শে"): cardinal(n, "bn") + "ে" for n in range(19, 32) if cardinal(n, "bn").endswith("শ")},
    },
    "as": {
        (1, "ম"): "প্ৰথম", (2, "য়"): "দ্বিতীয়", (3, "য়"): "তৃতীয়", (4, "ৰ্থ"): "চতুৰ্থ", (5, "ম"): "পঞ্চম", (6, "ষ্ঠ"): "ষষ্ঠ",
        (7, "ম"): "সপ্তম", (8, "ম"): "অষ্টম", (9, "ম"): "নৱম", (10, "ম"): "দশম",
        (1, "জন"): "এজন", (2, "জন"): "দুজন", (1, "টা"): "এটা", (2, "টা"): "দুটা", (1, "খন"): "এখন", (2, "খন"): "দুখন",
        (1, "টি"): "এটি", (2, "টি"): "দুটি",
    },
    "or": {
        (1, "ମ"): "ପ୍ରଥମ", (2, "ୟ"): "ଦ୍ୱିତୀୟ", (3, "ୟ"): "ତୃତୀୟ", (4, "ର୍ଥ"): "ଚତୁର୍ଥ", (5, "ମ"): "ପଞ୍ଚମ", (6, "ଷ୍ଠ"): "ଷଷ୍ଠ",
        (7, "ମ"): "ସପ୍ତମ", (8, "ମ"): "ଅଷ୍ଟମ", (9, "ମ"): "ନବମ", (10, "ମ"): "ଦଶମ",
        (1, "ଟି"): "ଗୋଟିଏ", (2, "ଟି"): "ଦୁଇଟି", (1, "ଜଣ"): "ଜଣେ",
    },
    "ta": {(1, suffix): "முதலாம்" for suffix in ("ஆம்", "ம்", "ாம்")} | {(1, s): "முதலாவது" for s in ("வது", "ஆவது", "ாவது")},
    "te": {(1, "వ"): "మొదటి"},
    "kn": {(1, suffix): "ಮೊದಲನೇ" for suffix in ("ನೇ", "ನೆ")} | {(1, "ನೆಯ"): "ಮೊದಲನೆಯ"},
}  # fmt: skip

# The Dravidian suffixes take the last vowel of the number away: suffix as written, and (ending, ending with the suffix).
_SANDHI: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {
    "ta": {
        **dict.fromkeys(("ஆம்", "ம்", "ாம்"), (("ு", "ாம்"), ("யிரம்", "யிரமாம்"), ("ி", "ியாம்"))),
        **dict.fromkeys(("ஆவது", "வது", "ாவது"), (("ு", "ாவது"), ("யிரம்", "யிரமாவது"), ("ி", "ியாவது"))),
    },
    "te": {"వ": (("ు", "వ"), ("ి", "వ"), ("ై", "య్యవ"), ("వంద", "వందవ"))},
    "kn": {
        "ನೇ": (("ು", "ನೇ"), ("ಸಾವಿರ", "ಸಾವಿರನೇ")),
        "ನೆ": (("ು", "ನೇ"), ("ಸಾವಿರ", "ಸಾವಿರನೇ")),
        "ನೆಯ": (("ು", "ನೆಯ"), ("ಸಾವಿರ", "ಸಾವಿರನೆಯ")),
    },
    "ml": {
        **dict.fromkeys(("ാം", "ആം"), (("്", "ാം"),)),
        **dict.fromkeys(("ാമത്", "ആമത്"), (("്", "ാമത്"),)),
        **dict.fromkeys(("ാമത്തെ", "ആമത്തെ"), (("്", "ാമത്തെ"),)),
    },
}


def suffixes(language: str) -> list[str]:
    """Every suffix that `with_suffix` knows, the longest first."""
    if language == "en":
        return ["st", "nd", "rd", "th"]
    own = {suffix for _, suffix in _IRREGULAR.get(language, {})}
    own |= {*_REGULAR.get(language, {}), *_SANDHI.get(language, {})}
    return sorted(own, key=lambda suffix: (-len(suffix), suffix))


def with_suffix(number: int, suffix: str, language: str) -> str | None:
    """Number and suffix in words; None where the pair is not said (3st, 7ला)."""
    if language == "en":
        return _english(number, suffix.lower())
    irregular = _IRREGULAR.get(language, {}).get((number, suffix))
    if irregular is not None:
        return irregular
    said = cardinal(number, language)
    regular = _REGULAR.get(language, {}).get(suffix)
    if regular is not None:
        return said + regular
    for ending, changed in _SANDHI.get(language, {}).get(suffix, ()):
        if said.endswith(ending):
            return said[: len(said) - len(ending)] + changed
    return None


def _english(number: int, suffix: str) -> str | None:
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    if suffix != {1: "st", 2: "nd", 3: "rd"}.get(last, "th"):
        return None
    said = cardinal(number, "en")
    cut = max(said.rfind(" "), said.rfind("-")) + 1
    head, word = said[:cut], said[cut:]
    if word in IRREGULAR_ORDINALS:
        return head + IRREGULAR_ORDINALS[word]
    return head + (word[:-1] + "ieth" if word.endswith("y") else word + "th")
