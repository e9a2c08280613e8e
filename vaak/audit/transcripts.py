"""Checks of the written side: words at all, the script of the language, the kind that the sample says it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaak.audit.codes import longest_repeat
from vaak.audit.finding import HOLDS, PASSED_BY, UNKNOWN, Around, Verdict
from vaak.audit.item import Item, has_words
from vaak.languages import LANGUAGES

# Assamese and Bengali share a script but not these letters.
_ASSAMESE_ONLY = frozenset("ৰৱ")
_BENGALI_RA = "র"

# A phrase of so many words is looked for when a transcript repeats itself.
_PHRASE_WORDS = 8


def transcript_has_words(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A transcript holds letters or digits, not just space and punctuation."""
    text = item.sample.transcript or ""
    return HOLDS if has_words(text) else f"the transcript is {text!r}"


def transcript_does_not_loop(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No word or phrase of a transcript is repeated many times in a row, as recognisers that lost their way write."""
    words = (item.sample.transcript or "").split()
    # A word that is repeated so often takes at least so many from the different ones.
    if len(words) - len(set(words)) < limit["times"] - 1:
        return HOLDS
    numbers: dict[str, int] = {}
    coded = np.array([numbers.setdefault(word, len(numbers)) for word in words])
    length, period = longest_repeat(coded, _PHRASE_WORDS)
    if length < limit["times"] * period:
        return HOLDS
    return f"{length // period} times the same {'word' if period == 1 else f'{period} words'}"


def script_matches_language(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Native transcripts and text documents stand mostly in the script of their language tag; some foreign words may."""
    sample = item.sample
    if sample.transcript_kind not in (None, "native") or sample.language not in LANGUAGES or not item.text:
        return PASSED_BY
    wanted = LANGUAGES[sample.language].script
    share = item.scripts.get(wanted, 0.0)
    if not item.scripts or share >= limit["own_script"]:
        return HOLDS  # a text of digits has no script
    other = max(item.scripts, key=lambda script: item.scripts[script])
    return f"{share:.0%} {wanted} for {sample.language}, mostly {other}"


def letters_match_language(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Assamese is not written with Bengali's ra, nor Bengali with Assamese's ra and wa: their script alone cannot tell."""
    language, text = item.sample.language, item.text
    if language not in ("as", "bn") or not text:
        return PASSED_BY
    assamese = not _ASSAMESE_ONLY.isdisjoint(text)
    if language == "as" and _BENGALI_RA in text and not assamese:
        return "tagged Assamese, written with Bengali's ra"
    return "tagged Bengali, written with Assamese letters" if language == "bn" and assamese else HOLDS


def kind_matches_script(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A native transcript is not half Latin, a romanised one is Latin, a code-mixed one both; English is none of these two."""
    kind, language = item.sample.transcript_kind, item.sample.language
    if kind is None or language not in LANGUAGES:
        return UNKNOWN
    own = LANGUAGES[language].script
    if kind == "tagged" or (kind == "native" and own == "Latin"):
        return PASSED_BY
    if own == "Latin":
        return f"{kind} {language}, which is written in Latin anyway"
    latin, native = item.scripts.get("Latin", 0.0), item.scripts.get(own, 0.0)
    if kind == "native":
        what = "romanised" if native == 0 else "code-mixed"
        return f"native, but {latin:.0%} Latin, so {what}" if latin > limit["native_latin"] else HOLDS
    if kind == "romanised":
        return f"romanised, but {latin:.0%} Latin" if latin < limit["romanised_latin"] else HOLDS
    mixed = min(latin, native) >= limit["mixed_least"]
    return HOLDS if mixed else f"code-mixed, but {latin:.0%} Latin and {native:.0%} {own}"
