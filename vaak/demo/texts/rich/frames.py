"""Sentence frames with slots, filled with the words of a language: what is written and how it is said.

A slot is `{topic}`, `{topic2}` for another word of the topic, `{noun.means}` for the meaning of the word in `{noun}`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from vaak.demo.texts.rich.loans import LOANS, VENUES, loan_in
from vaak.demo.texts.rich.store import Store
from vaak.languages import LANGUAGES, SCRIPTS

_SLOT = re.compile(r"\{([a-z]+\d?)(?:\.([a-z]+))?\}")
_RANGES = {
    "day": range(1, 29),
    "ordinal": range(1, 29),
    "year": range(1950, 2031),
    "hour": range(1, 13),
    "count": range(2, 100),
    "number": range(101, 1000),
    "price": range(100, 20_000, 100),
}
# How often the digits of the language's own script are written; others write those of English.
_OWN_DIGITS = {"hi": 0.3, "mr": 0.5, "bn": 0.8, "as": 0.8, "gu": 0.4, "or": 0.4, "pa": 0.2}
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}


@dataclass(frozen=True)
class Word:
    """What stands in a slot: as it is written, as it is said, and what it means where a frame asks for that."""

    text: str
    spoken: str
    means: str = ""


def fill(frame: str, store: Store, rng: random.Random, chosen: dict[str, Word] | None = None) -> Word:
    """The frame with a word in each slot. `chosen` holds slots already filled, and gets those filled here."""
    chosen = {} if chosen is None else chosen
    own_digits = rng.random() < _OWN_DIGITS.get(store.language, 0.0)
    for name, _ in _SLOT.findall(frame):
        if name not in chosen:
            used = {word.text for slot, word in chosen.items() if slot.rstrip("2345") == name.rstrip("2345")}
            chosen[name] = _another(name.rstrip("2345"), store, rng, own_digits, used)

    def written(match: re.Match[str]) -> str:
        word = chosen[match[1]]
        return word.means if match[2] else word.text

    def said(match: re.Match[str]) -> str:
        word = chosen[match[1]]
        return word.means if match[2] else word.spoken

    return Word(_capital(_SLOT.sub(written, frame)), _capital(_SLOT.sub(said, frame)))


def _another(topic: str, store: Store, rng: random.Random, own_digits: bool, used: set[str]) -> Word:
    """A word of the topic that is not used yet."""
    while True:
        word = _draw(topic, store, rng, own_digits)
        if word.text not in used:
            return word


def _draw(topic: str, store: Store, rng: random.Random, own_digits: bool) -> Word:
    if topic in _RANGES:
        return _number(topic, store, rng, own_digits)
    if topic in ("loan", "venue"):
        english, hindi = rng.choice(list((LOANS if topic == "loan" else VENUES).items()))
        return Word(english, loan_in(store.language, hindi))
    if topic in store.meanings:
        word, means = rng.choice(store.meanings[topic])
        return Word(word, word, means)
    words = store.words.get(topic) or store.words["given"]  # Tamil has no surnames
    word = rng.choice(words)
    return Word(word, word)


def _number(topic: str, store: Store, rng: random.Random, own_digits: bool) -> Word:
    number = rng.choice([n for n in _RANGES[topic] if n in store.numbers])
    digits, spoken = str(number), store.numbers[number]
    if store.language == "en" and topic == "year":
        spoken = _english_year(number, store.numbers)
    elif topic == "ordinal":
        spoken = _english_ordinal(spoken)
    return Word(own_script(digits, store.language) if own_digits else digits, spoken)


def own_script(digits: str, language: str) -> str:
    """ASCII digits as the digits of the language's script, which stand at the same place in each Indic block."""
    first, _ = SCRIPTS[LANGUAGES[language].script]
    return "".join(chr(first + 0x66 + int(digit)) for digit in digits)


def _english_year(year: int, words: dict[int, str]) -> str:
    """1987 as nineteen eighty seven, 2015 as twenty fifteen, 2005 as two thousand and five."""
    century, rest = divmod(year, 100)
    return words[year] if rest < 10 else f"{words[century]} {words[rest]}"


def _english_ordinal(cardinal: str) -> str:
    head, _, last = cardinal.rpartition(" ")
    last = _IRREGULAR.get(last) or re.sub("ve$", "f", re.sub("y$", "ie", last)) + "th"
    return f"{head} {last}".strip()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
