"""English sentences of the example, drawn from the grammar in `english_grammar`."""

from __future__ import annotations

import random
import re

from vaak.demo.texts.english_grammar import FULL_VERBS, RULES, VERB_PHRASES

SHORTEST, LONGEST = 4, 11  # words
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_FORMS = {"base": 0, "s": 1, "past": 2, "ing": 3}
_FULL_VERB_PHRASES = tuple(phrase for phrase in VERB_PHRASES if phrase[0][0] in FULL_VERBS)
# Symbols that stay the same through one document, so that it is about somebody and somewhere.
_DOCUMENT_THEMES = {"name": 2, "relation": 1, "job": 1, "city": 1, "place": 2, "animal": 1, "weekday": 1, "idea": 2}


def sentences(rng: random.Random, n: int, question_share: float = 0.2) -> list[str]:
    """`n` distinct sentences of 4 to 11 words, with the capitals and signs of ordinary text."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[_sentence(rng, "question_sentence" if rng.random() < question_share else "statement", {})] = None
    return list(found)


def questions(rng: random.Random, n: int) -> list[str]:
    """`n` distinct questions."""
    return sentences(rng, n, question_share=1.0)


def long_form(rng: random.Random, n: int, n_sentences: tuple[int, int] = (3, 5)) -> list[str]:
    """`n` distinct passages of several sentences about the same people and places, some 10 to 18 seconds aloud."""
    return [" ".join(_passage(rng, rng.randint(*n_sentences))) for _ in range(n)]


def documents(rng: random.Random, n: int) -> list[str]:
    """`n` texts of 5 to 12 sentences (at least 128 characters), each about its own few people and places."""
    return [" ".join(_passage(rng, rng.randint(5, 12))) for _ in range(n)]


def _passage(rng: random.Random, n_sentences: int) -> list[str]:
    themes = {symbol: tuple(rng.sample(RULES[symbol], count)) for symbol, count in _DOCUMENT_THEMES.items()}
    kinds = ("question_sentence" if rng.random() < 0.1 else "statement" for _ in range(n_sentences))
    return list(dict.fromkeys(_sentence(rng, kind, themes) for kind in kinds))


def _sentence(rng: random.Random, kind: str, themes: dict[str, tuple[str, ...]]) -> str:
    while True:
        words = _expand(rng, rng.choice(RULES[kind]), themes)
        content = [word.lower().strip(",") for word in words.split() if len(word.strip(",")) > 3]
        if SHORTEST <= len(words.split()) <= LONGEST and len(set(content)) == len(content):
            break
    return words[0].upper() + words[1:] + ("?" if kind == "question_sentence" else ".")


def _expand(rng: random.Random, template: str, themes: dict[str, tuple[str, ...]]) -> str:
    def replace(match: re.Match[str]) -> str:
        symbol, form = match.groups()
        if symbol == "do":
            forms, tail = rng.choice(VERB_PHRASES if form in ("base", "past") else _FULL_VERB_PHRASES)
            return f"{forms[_FORMS[form]]} {_expand(rng, tail, themes)}"
        # A theme holds three times out of four: a text about nothing but its theme would repeat itself.
        choices = themes[symbol] if symbol in themes and rng.random() < 0.75 else RULES[symbol]
        return _expand(rng, rng.choice(choices), themes)

    return _SLOT.sub(replace, template)
