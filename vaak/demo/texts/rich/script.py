"""From one Indic script to another, and to Latin letters as people type them.

The Unicode blocks of the nine scripts lie in the same order, 128 code points each, so a letter keeps its place in its
block. Where a block has no such letter, a table names the nearest.
"""

from __future__ import annotations

import re
import unicodedata

from vaak.languages import LANGUAGES, SCRIPTS

_DEVANAGARI = 0x0900
_VIRAMA = "\u094d"
ENDS_IN_VIRAMA = frozenset({"te", "kn", "ml", "ta", "or"})  # scripts whose last consonant keeps its vowel otherwise

# Devanagari letters that a script lacks or that its language writes otherwise.
_NO_CANDRA = {"ऑ": "आ", "ॉ": "ा", "ऍ": "ए", "ॅ": "े"}
_NEAREST: dict[str, dict[str, str]] = {
    "bn": {"ऑ": "अ", "ॉ": "", "ऍ": "अ", "ॅ": "े", "व": "भ", "य": "य\u093c"},
    "as": {"ऑ": "अ", "ॉ": "", "ऍ": "ए", "ॅ": "े", "य": "य\u093c"},
    "or": {**_NO_CANDRA, "य": "य\u093c", "व": "भ"},
    "pa": {**_NO_CANDRA, "ष": "स\u093c", "श": "स\u093c", "ृ": "\u094dर\u093f", "ऋ": "र\u093f", "ण": "न"},
    "te": _NO_CANDRA,
    "kn": _NO_CANDRA,
    "ml": {**_NO_CANDRA, "ॉ": "ो", "ऑ": "ओ"},
    "ta": {
        **_NO_CANDRA,
        **dict.fromkeys("खगघ", "क"),
        **dict.fromkeys("छझ", "ச"),
        **dict.fromkeys("ठडढ", "ट"),
        **dict.fromkeys("थदध", "त"),
        **dict.fromkeys("फबभ", "प"),
        **{"श": "ஷ", "ृ": "\u093fरु", "ं": "ன\u094d", "ँ": "ன\u094d"},
    },
    "gu": {},
    "mr": {},
    "hi": {},
}
_NUKTA = {"क़": "क", "ख़": "ख", "ग़": "ग", "ज़": "ज", "फ़": "फ", "ड़": "ड", "ढ़": "ढ"}


def from_devanagari(word: str, language: str) -> str:
    """A word as Hindi writes it, in the script of another language, letter for letter."""
    word = unicodedata.normalize("NFC", word)
    if language == "hi":
        return word
    for dotted, plain in _NUKTA.items():
        word = word.replace(unicodedata.normalize("NFC", dotted), plain)
    if language == "mr":
        return word
    if language in ("te", "kn", "pa"):  # a nasal before a stop is written as the anusvara
        word = re.sub("[नम]\u094d(?=[क-नप-भ])", "ं", word)
    elif language in ("bn", "as", "ml", "ta"):  # and here as the nasal letter
        word = re.sub("ं(?=[टठडढतथदध])", "न\u094d", word)
        word = re.sub("ं(?=[पफबभ])", "म\u094d", word)
    if language in ENDS_IN_VIRAMA and re.search("(?<!\u094d)[क-ह]$", word):
        word += _VIRAMA
    for old, new in _NEAREST[language].items():
        word = word.replace(old, new)
    if language == "ta":  # the other n, but at the start of a word and before t
        word = re.sub("(?<!^)न(?!\u094dत)", "ऩ", word)
    first, _ = SCRIPTS[LANGUAGES[language].script]
    shifted = "".join(chr(ord(c) - _DEVANAGARI + first) if "\u0900" <= c <= "\u0963" else c for c in word)
    if language == "as":
        shifted = shifted.replace("র", "ৰ").replace("\u09b5", "ৱ")
    if language == "pa":  # only h, r and v are joined below
        shifted = re.sub("\u0a4d(?![ਰਹਵ])", "", shifted)
        shifted = re.sub("(?<=[ਕ-ਹਿੁ])ਂ", "ੰ", shifted)
    if language == "ml":
        for letter, chillu in zip("നണരലള", "ൻൺർൽൾ", strict=True):
            shifted = re.sub(f"{letter}\u0d4d(?![യറ{letter}]|(?<=ന\u0d4d)[തഥദധട])", chillu, shifted)
        shifted = re.sub("മ\u0d4d$", "ം", shifted)
    return unicodedata.normalize("NFC", shifted).replace("\u0b2f\u0b3c", "\u0b5f")


# By the place of a letter in its block.
_CONSONANT_SOUNDS = "k kh g gh ng ch chh j jh n t th d dh n t th d dh n n p ph b bh m y r r l l zh v sh sh s h"
_VOWEL_SOUNDS = "a aa i ee u oo ri l e e e ai o o o au"
_SIGN_SOUNDS = "aa i ee u oo ri ri e e e ai o o o au"


def _from(first: int, sounds: str) -> dict[int, str]:
    return dict(enumerate(sounds.split(), start=first))


_CONSONANTS = _from(0x15, _CONSONANT_SOUNDS)
_VOWELS = _from(0x05, _VOWEL_SOUNDS)
_SIGNS = _from(0x3E, _SIGN_SOUNDS)
_OTHER = {
    "ৰ": "r", "ৱ": "w", "ৎ": "t", "ൺ": "n", "ൻ": "n", "ർ": "r", "ൽ": "l", "ൾ": "l", "ൿ": "k", "ੰ": "n", "ୱ": "w", "ଯ": "j",
}  # fmt: skip
_FLAPS = {
    "ड": "r",
    "ढ": "rh",
    "ড": "r",
    "ঢ": "rh",
    "ਡ": "r",
    "ଡ": "d",
    "ଢ": "dh",
    "ਸ": "sh",
    "ਜ": "z",
    "ज": "z",
    "फ": "f",
    "ਫ": "f",
}
_DROPS_FINAL = frozenset({"hi", "mr", "gu", "pa", "bn", "as"})  # languages that leave the last inherent vowel unsaid
_ENDS_IN_M = frozenset({"te", "kn", "ml"})  # languages whose anusvara is m unless a stop follows
_DROPS_INNER = frozenset({"hi", "mr", "gu", "pa"})


def romanise(text: str, language: str) -> str:
    """The text in Latin letters without diacritics, roughly as a person types it: `मेरा नाम` gives `mera naam`."""
    return re.sub(
        r"[\u0900-\u0963\u0970-\u0d7f\u200c\u200d]+", lambda match: _word(match.group(), language), text
    ).replace("।", ".")


def _word(word: str, language: str) -> str:
    """One word: its letters as syllables, then the inherent vowels that are not said taken out."""
    sounds: list[list[str]] = []  # consonant, vowel; an inherent vowel is "a?" until it is known to be said
    word = word.replace("\u200c", "").replace("\u200d", "")
    doubled = False
    for n, letter in enumerate(word):
        place = ord(letter) & 0x7F
        if letter in _OTHER:
            sounds.append([_OTHER[letter], "" if letter in "ൺൻർൽൾൿੰৎ" else "a?"])
        elif letter == "ੱ":
            doubled = True
        elif place == 0x3C and sounds:
            before = word[n - 1]
            sounds[-1][0] = "y" if before in "যଯ" else _FLAPS.get(before, sounds[-1][0])
        elif place == 0x4D and sounds:
            sounds[-1][1] = ""
        elif place in _SIGNS and sounds:
            sounds[-1][1] = _SIGNS[place]
        elif place in _VOWELS:
            sounds.append(["", _VOWELS[place]])
        elif place in _CONSONANTS:
            sound = "th" if place == 0x24 and language in ("ta", "ml") else _CONSONANTS[place]
            sounds.append([sound[0] + sound if doubled else sound, "a?"])
            doubled = False
        elif place in (0x01, 0x02):
            before_stop = n + 1 < len(word) and 0x15 <= ord(word[n + 1]) & 0x7F <= 0x2D
            sounds.append(["n" if before_stop or language not in _ENDS_IN_M else "m", ""])
    return _said(sounds, language)


def _said(sounds: list[list[str]], language: str) -> str:
    """The syllables joined, with the schwas dropped that the language drops and a short final vowel."""
    inherent = "o" if language in ("bn", "as") else "a"
    last = len(sounds) - 1
    for n, sound in enumerate(sounds):
        if sound[1] != "a?":
            continue
        before = n > 0 and sounds[n - 1][1] != ""
        final = n == last and n > 0 and language in _DROPS_FINAL
        inner = 0 < n < last and language in _DROPS_INNER and sounds[n + 1][0] and sounds[n + 1][1] not in ("", "a?")
        if before and (final or inner):
            sound[1] = ""
        else:
            sound[1] = inherent
    joined = "".join(consonant + vowel for consonant, vowel in sounds)
    if inherent == "o":  # people who write o for the inherent vowel write a for the long one
        joined = joined.replace("aa", "a")
    joined = re.sub("n(?=[pbm])", "m", re.sub("aa$", "a", re.sub("ee$", "i", re.sub("oo$", "u", joined))))
    return joined
