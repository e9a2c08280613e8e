"""Checks of the written side: words at all, the script of the language, the kind that the sample says it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from vaak.audit.finding import Around, Finding, judged
from vaak.audit.sampling import Item
from vaak.languages import LANGUAGES, script_of

# Assamese and Bengali share a script but not these letters.
_ASSAMESE_ONLY = frozenset("ৰৱ")
_BENGALI_RA = "র"


def transcript_has_words(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """A transcript holds letters or digits, not just space and punctuation."""

    def at_fault(item: Item) -> str | None:
        text = item.sample.transcript or ""
        return None if has_words(text) else f"the transcript is {text!r}"

    return judged((item for item in items if item.stream == "paired"), at_fault)


def has_words(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in text)


def script_matches_language(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Native transcripts and text documents stand mostly in the script of their language tag; some foreign words may."""
    least = limit["own_script"]

    def at_fault(item: Item) -> str | None:
        wanted, shares = LANGUAGES[item.sample.language].script, script_of(text_of(item, around))
        share = shares.get(wanted, 0.0)
        if not shares or share >= least:
            return None  # a text of digits has no script
        other = max(shares, key=lambda script: shares[script])
        return f"{share:.0%} {wanted} for {item.sample.language}, mostly {other}"

    return judged(
        (item for item in items if item.sample.transcript_kind in (None, "native") and _readable(item, around)),
        at_fault,
    )


def letters_match_language(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Assamese is not written with Bengali's ra, nor Bengali with Assamese's ra and wa: their script alone cannot tell."""

    def at_fault(item: Item) -> str | None:
        text = text_of(item, around)
        assamese = any(char in _ASSAMESE_ONLY for char in text)
        if item.sample.language == "as" and _BENGALI_RA in text and not assamese:
            return "tagged Assamese, written with Bengali's ra"
        return "tagged Bengali, written with Assamese letters" if item.sample.language == "bn" and assamese else None

    return judged(
        (item for item in items if item.sample.language in ("as", "bn") and _readable(item, around)), at_fault
    )


def kind_matches_script(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """A romanised transcript is in Latin script, a code-mixed one in Latin and its own, and neither is English."""

    def at_fault(item: Item) -> str | None:
        sample = item.sample
        shares, own = script_of(sample.transcript or ""), LANGUAGES[sample.language].script
        if own == "Latin":
            return f"{sample.transcript_kind} {sample.language}, which is written in Latin anyway"
        latin, native = shares.get("Latin", 0.0), shares.get(own, 0.0)
        if sample.transcript_kind == "romanised":
            return f"romanised, but {latin:.0%} Latin" if latin < limit["romanised_latin"] else None
        mixed = min(latin, native) >= limit["mixed_least"]
        return None if mixed else f"code-mixed, but {latin:.0%} Latin and {native:.0%} {own}"

    kinds = ("romanised", "code_mixed")
    return judged(
        (item for item in items if item.stream == "paired" and item.sample.transcript_kind in kinds), at_fault
    )


def _readable(item: Item, around: Around) -> bool:
    known = item.sample.language in LANGUAGES
    return known and (bool(item.sample.transcript) or (item.stream == "text" and around.tokenizer is not None))


def text_of(item: Item, around: Around) -> str:
    """The transcript, or the text document decoded; empty where there is neither."""
    if item.sample.transcript or item.stream != "text" or around.tokenizer is None:
        return item.sample.transcript or ""
    tokenizer = around.tokenizer
    # Ids beyond the tokenizer are another check's finding and would break the decoder.
    inside = item.tokens[(item.tokens < tokenizer.size) & (item.tokens != tokenizer.end_of_text_id)]
    return tokenizer.decode(inside.tolist())
