"""What a sentence of the rich texts may hold: its own script, plain punctuation, nothing offensive, 4 to 18 words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from vaak.languages import LANGUAGES, SCRIPTS

SHORTEST, LONGEST = 4, 18  # words of a sentence
DANDA = frozenset({"hi", "bn", "or", "pa", "as"})  # languages that end a statement with the danda

_JOINERS = "\u200c\u200d"
_DROPPED = dict.fromkeys(map(ord, '\u200b\u200e\u200f\u2060\ufeff\u00ad\u202a\u202b\u202c"“”„«»*'))
_SAME = str.maketrans({"’": "'", "‘": "'", "\u00a0": " ", "\u202f": " ", "‑": "-", "…": "."})
# Malayalam before Unicode 5.1 wrote a chillu as letter, virama and joiner.
_CHILLU = {"ന്\u200d": "ൻ", "ണ്\u200d": "ൺ", "ര്\u200d": "ർ", "ല്\u200d": "ൽ", "ള്\u200d": "ൾ", "ക്\u200d": "ൿ"}

# Stems; a text that has one of them at the start of a word is left out.
_BLOCKED_ENGLISH = (
    "sex|rape|rapis|kill|murder|suicid|whore|prostit|nazi|negro|nigg|slave|slut|bitch|bastard|damn|hell\\b|fuck|shit|"
    "fart\\b|piss|urin|feces|faec|excre|vomit|genital|penis|vagin|breast|nipple|nude|naked|porn|erot|orgas|mastur|incest|"
    "homosex|lesbian|gay\\b|queer|fag|drunk|cocaine|heroin|marij|opium|addict|tortur|behead|strangl|stab(s|bed|bing)?\\b|corpse|terror|"
    "bomb|massacre|genocid|lynch|jew(s|ish)?\\b|christ\\b|muslim|islam|hindu|catholic|protestant|black people|blacks|indians?\\b|"
    "gyps|oriental|savage|retard|cripple|idiot|moron|stupid|fool|bosom|buttock|anus|anal\\b|rectum|testic|womb\\b|abort|"
    "seduc|lust(s|ful)?\\b|mistress|harlot|brothel|virgin|copulat|intercourse|condom|hitler|crap|ass\\b|asses\\b|arse|butt\\b|"
    "grope|molest|pervert|assault|execut|hang(ed|ing)? him|gun|shot|shoot|blood|dead|die[ds]?\\b|dying|death|fat\\b|ugly|insane|lunatic|"
    "cannibal|poison|knife|wound|war criminal|clinton|nixon|reagan|bush\\b|stalin|lenin\\b|saddam|bin laden|"
    "kennedy|israel|palestin|iraq|vietnam|arabs?\\b|russians|germans|japs?\\b|mexic|african|eskimo|tribes|chinese god|"
    "handicap|mock(s|ed|ing)?\\b|loose wom|undress|drugs?\\b|drugged|narcotic|carter\\b|patricia roberts"
)
_BLOCKED = {
    "en": re.compile(rf"\b(?:{_BLOCKED_ENGLISH})", re.IGNORECASE),
    "hi": re.compile("सेक्स|पोर्न|अश्लील|यौन|हत्या|आत्महत्या|आतंक|बलात्कार|नग्न|बंदूक|हथियार|शराब"),
    "mr": re.compile("सेक्स|पोर्न|अश्लील|लैंगिक|हत्या|दहशत|बलात्कार|नग्न|बंदूक|शस्त्र|दारू"),
    "bn": re.compile("সেক্স|পর্ন|অশ্লীল|যৌন|হত্যা|সন্ত্রাস|ধর্ষণ|নগ্ন|বন্দুক|অস্ত্র"),
    "as": re.compile("যৌন|অশ্লীল|হত্যা|সন্ত্ৰাস|ধৰ্ষণ|নগ্ন|বন্দুক"),
    "ta": re.compile("செக்ஸ்|ஆபாச|பாலியல்|கொலை|பயங்கரவாத|நிர்வாண|துப்பாக்கி"),
    "te": re.compile("సెక్స్|అశ్లీల|లైంగిక|హత్య|ఉగ్రవాద|నగ్న|తుపాకీ"),
    "kn": re.compile("ಸೆಕ್ಸ್|ಅಶ್ಲೀಲ|ಲೈಂಗಿಕ|ಕೊಲೆ|ಭಯೋತ್ಪಾದ|ನಗ್ನ|ಬಂದೂಕು"),
    "ml": re.compile("സെക്സ്|അശ്ലീല|ലൈംഗിക|കൊലപാതക|ഭീകര|നഗ്ന|തോക്ക്"),
    "gu": re.compile("સેક્સ|અશ્લીલ|જાતીય|હત્યા|આતંક|નગ્ન|બંદૂક"),
    "pa": re.compile("ਸੈਕਸ|ਅਸ਼ਲੀਲ|ਜਿਨਸੀ|ਹੱਤਿਆ|ਅੱਤਵਾਦ|ਨੰਗ|ਬੰਦੂਕ"),
    "or": re.compile("ଯୌନ|ଅଶ୍ଳୀଳ|ହତ୍ୟା|ଆତଙ୍କ|ନଗ୍ନ|ବନ୍ଧୁକ"),
}


@cache
def letters(language: str) -> str:
    """The inside of a regular expression's class for the letters and marks of a language's script, digits left out."""
    if language == "en":
        return "A-Za-z"
    first, last = SCRIPTS[LANGUAGES[language].script]
    kept = [chr(code) for code in range(first, last + 1) if unicodedata.category(chr(code)) in ("Lo", "Mc", "Mn", "Lm")]
    return "".join(kept) + _JOINERS


def tidy(text: str, language: str) -> str:
    """NFC, straight quotes, one space between words, joiners only inside a word, the letters that the language uses."""
    text = unicodedata.normalize("NFC", text).translate(_DROPPED).translate(_SAME)
    for old, new in _CHILLU.items():
        text = text.replace(old, new)
    text = re.sub(f"[{_JOINERS}]+(?![\u0900-\u0d7f])|(?<![\u0900-\u0d7f])[{_JOINERS}]+", "", text)
    if language == "as":
        text = text.replace("র", "ৰ")
    if language in ("as", "bn"):
        text = text.replace("\u09cd\u09af\u09bc", "\u09cd\u09af")  # a ya-phala never takes the dot
    text = re.sub(r"(?<![^\s,.?।(])'", "", text)  # an apostrophe stands inside a word, else it is a quotation mark
    if language != "en":
        text = re.sub(r"'(?=[\s,.?।]|$)", "", text)
    text = re.sub(r"\s+([,.?।])", r"\1", re.sub(r"\s+", " ", text))
    return text.strip(" -,")


def is_clean(text: str, language: str) -> bool:
    """Whether a tidied text is only letters of its script, spaces and `, . ? ' -` (and the danda), and not offensive."""
    if language == "bn" and re.search("[ৰৱ]", text):
        return False
    return not re.search(rf"[^{letters(language)} ,.?।'-]", text) and not is_blocked(text, language)


def is_blocked(text: str, language: str) -> bool:
    """Whether a text has a word that the example would rather not say."""
    return bool(_BLOCKED[language].search(text))


def ended(text: str, language: str) -> str:
    """The text with the mark that its language ends a statement with, if it is no question."""
    if text.endswith("?"):
        return text
    return text.rstrip(" .।!") + ("।" if language in DANDA else ".")


def sentences_in(text: str, language: str) -> Iterator[str | None]:
    """The sentences of a text in order, tidied; None stands for one that cannot be used."""
    for part in re.split(r"(?<=[.?!।])\s+|\n+", text):
        if part.strip():
            yield usable(part, language)


def usable(text: str, language: str) -> str | None:
    """The sentence tidied and ended, or None if it has other characters, too few or too many words, or no end."""
    text = tidy(text, language)
    if not text or text[-1] not in ".?!।" or text.endswith(".."):
        return None
    text = ended(text, language)
    inside = text[:-1]
    if re.search("[.?।]|,,| -|- ", inside) or not SHORTEST <= len(text.split()) <= LONGEST:
        return None
    return text if is_clean(text, language) else None
