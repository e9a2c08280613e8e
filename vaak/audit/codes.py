"""Checks of the tokens themselves: codes that no codec wrote, text ids that no tokenizer has, sound that does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vaak.audit.finding import Around, Finding, judged
from vaak.audit.sampling import Item
from vaak.errors import BadInput


def codes_in_range(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Every code is below the codebook's size."""
    size = around.codebook_size or 0

    def at_fault(item: Item) -> str | None:
        high = int(item.tokens.max(initial=0))
        return f"code {high} where the codebook has {size}" if high >= size else None

    return judged((item for item in items if item.is_audio), at_fault)


def codes_in_vocabulary(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Every code becomes a speech token of the vocabulary that training builds, and comes back as itself."""
    vocabulary = around.vocabulary

    def at_fault(item: Item) -> str | None:
        assert vocabulary is not None
        try:
            back = vocabulary.codes(vocabulary.speech_ids(item.tokens))
        except BadInput as error:
            return str(error)
        return None if np.array_equal(back, item.tokens) else "codes change on their way through the vocabulary"

    if vocabulary is None:
        return Finding(0)
    return judged((item for item in items if item.is_audio), at_fault)


def codec_is_the_same(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """The codes were written by the codec that will turn generated ones into sound."""
    if around.codec is None:
        return Finding(0, detail="no codec was given")
    codec = around.codec
    known = [item for item in items if item.is_audio and item.sample.codec_hash is not None]

    def at_fault(item: Item) -> str | None:
        other = str(item.sample.codec_hash)
        return f"codec {other[:12]}, not {codec.name} {codec.hash[:12]}" if other != codec.hash else None

    unknown = sum(item.is_audio for item in items) - len(known)
    return judged(known, at_fault, f"codec unknown for {unknown} samples" if unknown else "")


def duration_matches_codes(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """The stated duration is that of the codes, to one code and a few milliseconds."""
    tolerance = limit["codes"] / around.tokens_per_second + limit["milliseconds"] / 1000

    def at_fault(item: Item) -> str | None:
        stated, held = stated_seconds(item), len(item.tokens) / around.tokens_per_second
        # A nanosecond of grace: a duration exactly at the tolerance must not fail by rounding.
        wrong = stated is not None and abs(stated - held) > tolerance + 1e-9
        return f"{stated:.3f} s stated, {held:.3f} s of codes" if wrong else None

    audio = [item for item in items if item.is_audio]
    known = [item for item in audio if stated_seconds(item) is not None]
    unknown = len(audio) - len(known)
    return judged(known, at_fault, f"duration unknown for {unknown} samples" if unknown else "")


def stated_seconds(item: Item) -> float | None:
    """The duration that the sample's fields give: its own, else that of its place in the source; None if unknown."""
    sample = item.sample
    if sample.duration_s is not None:
        return sample.duration_s
    if sample.start_ms is not None and sample.end_ms is not None:
        return (sample.end_ms - sample.start_ms) / 1000
    return None


def no_repeated_codes(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """No code, and no short pattern of codes, is repeated for seconds."""

    def at_fault(item: Item) -> str | None:
        length, period = longest_repeat(item.tokens, limit["longest_period"])
        return f"{length} codes repeat with period {period}" if length >= limit["codes"] else None

    return judged((item for item in items if item.is_audio), at_fault)


def longest_repeat(codes: np.ndarray, longest_period: int) -> tuple[int, int]:
    """(codes, period) of the longest stretch in which every code equals the one `period` before it."""
    best = (min(1, len(codes)), 1)
    for period in range(1, min(longest_period, len(codes) - 1) + 1):
        same = np.concatenate([[False], codes[period:] == codes[:-period], [False]])
        edges = np.flatnonzero(same[1:] != same[:-1])
        if len(edges):
            best = max(best, (int((edges[1::2] - edges[::2]).max()) + period, period), key=lambda found: found[0])
    return best


def text_ids_in_tokenizer(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """Text ids are ids of the tokenizer that training uses, which is the one that wrote them."""
    if around.tokenizer is None:
        return Finding(0, detail="no tokenizer was given")
    size, same = around.tokenizer.size, around.tokenizer_hash == around.tokenizer.hash

    def at_fault(item: Item) -> str | None:
        high = int(item.tokens.max(initial=0))
        if high >= size:
            return f"id {high} where the tokenizer has {size}"
        return None if same else f"ids of tokenizer {str(around.tokenizer_hash)[:12]}, not of the one given"

    return judged((item for item in items if not item.is_audio), at_fault)


def text_documents_end(items: Sequence[Item], around: Around, limit: Mapping[str, Any]) -> Finding:
    """A text document ends with the end-of-text id, and has it nowhere else."""
    if around.tokenizer is None:
        return Finding(0, detail="no tokenizer was given")
    end = around.tokenizer.end_of_text_id

    def at_fault(item: Item) -> str | None:
        found = np.flatnonzero(item.tokens == end)
        if len(found) == 0 or found[-1] != len(item.tokens) - 1:
            return "no end-of-text id at its end"
        return f"{len(found) - 1} end-of-text ids inside" if len(found) > 1 else None

    return judged((item for item in items if not item.is_audio), at_fault)
