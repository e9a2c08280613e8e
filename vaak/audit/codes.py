"""Checks of the tokens themselves: codes that no codec wrote, text ids that no tokenizer has, sound that does not move."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from vaak.audit.finding import HOLDS, PASSED_BY, UNKNOWN, Around, Verdict
from vaak.audit.item import Item
from vaak.errors import BadInput


def codes_in_range(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Every code is below the codebook's size."""
    size, high = around.codebook_size or 0, int(item.tokens.max(initial=0))
    return f"code {high} where the codebook has {size}" if high >= size else HOLDS


def codes_in_vocabulary(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Every code becomes a speech token of the vocabulary that training builds, and comes back as itself."""
    vocabulary = around.vocabulary
    if vocabulary is None:
        return UNKNOWN
    try:
        back = vocabulary.codes(vocabulary.speech_ids(item.tokens))
    except BadInput as error:
        return str(error)
    return HOLDS if np.array_equal(back, item.tokens) else "codes change on their way through the vocabulary"


def codec_is_the_same(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """The codes were written by the codec that will turn generated ones into sound."""
    codec, other = around.codec, item.sample.codec_hash
    if codec is None or other is None:
        return UNKNOWN
    return f"codec {other[:12]}, not {codec.name} {codec.hash[:12]}" if other != codec.hash else HOLDS


def duration_matches_codes(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """The stated duration is that of the codes, to one code and a few milliseconds."""
    stated, held = item.stated_seconds, len(item.tokens) / around.tokens_per_second
    if stated is None:
        return UNKNOWN
    tolerance = limit["off_codes"] / around.tokens_per_second + limit["off_milliseconds"] / 1000
    # A nanosecond of grace: a duration exactly at the tolerance must not fail by rounding.
    wrong = abs(stated - held) > tolerance + 1e-9
    return f"{stated:.3f} s stated, {held:.3f} s of codes" if wrong else HOLDS


def no_repeated_codes(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No code, and no short pattern of codes, is repeated for seconds."""
    length, period = longest_repeat(item.tokens, limit["longest_period"], limit["run_codes"])
    return f"{length} codes repeat with period {period}" if length >= limit["run_codes"] else HOLDS


def longest_repeat(codes: np.ndarray, longest_period: int, least: int = 0) -> tuple[int, int]:
    """(codes, period) of the longest stretch in which every code equals the one `period` before it.

    One shorter than `least` need not be found: (1, 1) then.
    """
    best = (min(1, len(codes)), 1)
    for period in range(1, min(longest_period, len(codes) - 1) + 1):
        same = codes[period:] == codes[:-period]
        # Nearly all speech ends here: so few are equal anywhere that no stretch can be long enough.
        if np.count_nonzero(same) + period <= max(best[0], least - 1):
            continue
        different = np.flatnonzero(~same)
        # The stretches of equal ones lie between those that differ, and at both ends.
        edges = np.concatenate([[-1], different, [len(same)]])
        equal = int((edges[1:] - edges[:-1]).max()) - 1
        if equal and equal + period > best[0]:
            best = (equal + period, period)
    return best


def no_repeated_phrase(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """No stretch of codes stands twice in one sample: nobody says a second of speech the same way again."""
    found = repeated_phrase(item.tokens, limit["phrase_codes"], limit["short_period"])
    if found is None:
        return HOLDS
    first, second = found
    return f"the {limit['phrase_codes']} codes from {first} on stand again from {second} on"


def repeated_phrase(codes: np.ndarray, length: int, short_period: int) -> tuple[int, int] | None:
    """Where `length` codes begin that stand in `codes` again, and where again: the first that is found; None if none does.

    A phrase that itself repeats with a period of at most `short_period` (silence, a hum) is another check's. Windows are
    compared by a polynomial hash mod 2^64 (Karp and Rabin, 1987), equal ones code by code.
    """
    if len(codes) <= length:
        return None
    windows = _window_hashes(codes, length)
    order = np.argsort(windows, kind="stable")
    twice = np.flatnonzero(windows[order[1:]] == windows[order[:-1]])
    if len(twice) == 0:
        return None
    for first, second in sorted(zip(order[twice].tolist(), order[twice + 1].tolist(), strict=True)):
        phrase = codes[first : first + length]
        hums = any((phrase[p:] == phrase[:-p]).all() for p in range(1, short_period + 1))
        if not hums and np.array_equal(phrase, codes[second : second + length]):
            return first, second
    return None


# An odd multiplier has an inverse mod 2^64, so that a window's hash can be moved to the same place as every other's.
_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 1 << 64)


@lru_cache(maxsize=32)
def _powers(factor: int, room: int) -> np.ndarray:
    factors = np.full(room, factor, np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


def _window_hashes(codes: np.ndarray, length: int) -> np.ndarray:
    """uint64[n - length + 1]: a hash of each window, equal for equal windows."""
    room = 1 << len(codes).bit_length()  # few sizes, so that powers are seldom computed
    powers, back = _powers(_FACTOR, room), _powers(_INVERSE, room)
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum((codes.astype(np.uint64) + np.uint64(1)) * powers[: len(codes)], out=sums[1:])
    return (sums[length:] - sums[:-length]) * back[: len(codes) - length + 1]


def codes_vary(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A sample uses many codes, none of them most of the time: its histogram has not collapsed."""
    n = len(item.tokens)
    if n < limit["vary_codes"]:
        return PASSED_BY
    counts = np.unique(item.tokens, return_counts=True)[1]
    most, used = counts.max() / n, effective(counts) / min(n, around.codebook_size or n)
    if most > limit["one_code"]:
        return f"one code is {most:.0%} of {n}"
    return f"{n} codes are worth {effective(counts):.1f} different ones" if used < limit["effective"] - 1e-9 else HOLDS


def effective(counts: np.ndarray) -> float:
    """2^entropy of a histogram: so many equally frequent codes would be as varied."""
    shares = counts[counts > 0] / counts.sum()
    return float(2 ** -(shares * np.log2(shares)).sum())


def text_ids_in_tokenizer(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """Text ids are ids of the tokenizer that training uses, which is the one that wrote them."""
    if around.tokenizer is None:
        return UNKNOWN
    size, high = around.tokenizer.size, int(item.tokens.max(initial=0))
    if high >= size:
        return f"id {high} where the tokenizer has {size}"
    same = around.tokenizer_hash == around.tokenizer.hash
    return HOLDS if same else f"ids of tokenizer {str(around.tokenizer_hash)[:12]}, not of the one given"


def text_documents_end(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A text document ends with the end-of-text id, and has it nowhere else."""
    if around.tokenizer is None:
        return UNKNOWN
    if around.pieces:
        return PASSED_BY  # they are cut anywhere, and keep the ends of their documents inside
    found = np.flatnonzero(item.tokens == around.tokenizer.end_of_text_id)
    if len(found) == 0 or found[-1] != len(item.tokens) - 1:
        return "no end-of-text id at its end"
    return f"{len(found) - 1} end-of-text ids inside" if len(found) > 1 else HOLDS


def text_documents_have_length(item: Item, around: Around, limit: Mapping[str, Any]) -> Verdict | str:
    """A text document is neither a scrap nor a whole library."""
    n = len(item.tokens)
    return HOLDS if limit["shortest_ids"] <= n <= limit["longest_ids"] else f"{n:,} ids"
