"""Which cell a row has, and which content: closed forms of the row number, so that resuming is opening at a number.

Row n of a plan of N rows has the *slot* (n·A + B) mod N, and every cell owns as many neighbouring slots as it has rows.
A is coprime to N, so over the whole plan every cell gets exactly its rows; A/N is close to the golden ratio and has
small partial quotients, so any window holds each run of neighbouring cells to within a few rows of its share. How many
rows of a cell lie before row n is a floor sum, evaluated in O(log N).

Within a cell the k-th visit is row (k mod R) of epoch (k div R), passed through a Feistel bijection keyed by seed, cell
and epoch. A cell of more rows than a *window* is gone through window by window (`permute_near`), so that what is served
together lies together and a corpus can be staged. Changing anything here changes what every plan serves:
`tests/mixture/test_order.py` freezes it, and `ORDER_VERSION` must rise with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

ORDER_VERSION = 1
FEISTEL_ROUNDS = 8
# Rows of a cell are shuffled in stretches of so many tokens: as many as a full shard has, 745 hours at 50 a second.
WINDOW_TOKENS = 1 << 27
_GOLDEN = 0.6180339887498949
_GOLDEN_64 = np.uint64(0x9E3779B97F4A7C15)
# How many nearby multipliers are compared; their largest partial quotient was 3 to 7 for N from 2,400 to 1e9.
_CANDIDATES = 64


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014), element by element over a uint64 array."""
    z = values + _GOLDEN_64
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def key_of(*words: object) -> int:
    """64 bits from the SHA-256 of the words; the words are separated, so ("ab", "c") and ("a", "bc") differ."""
    text = "\x1f".join(str(word) for word in words)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def permute(index: NDArray[np.int64], size: NDArray[np.int64], key: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Image of `index` (each in 0..size-1) under the bijection of 0..size-1 that `key` names; arrays of one length.

    An unbalanced Feistel network over the next power of two (at least 4), walked along its cycle until the
    image falls inside the domain: fewer than two walks on average for sizes above 2.
    """
    index, size = np.atleast_1d(index).astype(np.int64), np.atleast_1d(size).astype(np.int64)
    key = np.broadcast_to(np.atleast_1d(key).astype(np.uint64), index.shape)
    size = np.broadcast_to(size, index.shape)
    bits = np.array([max(2, int(s - 1).bit_length()) for s in np.unique(size)], dtype=np.uint64)
    bits = bits[np.searchsorted(np.unique(size), size)]
    out = _feistel(index.astype(np.uint64), bits, key)
    outside = np.flatnonzero(out >= size.astype(np.uint64))
    while outside.size:
        out[outside] = _feistel(out[outside], bits[outside], key[outside])
        outside = outside[out[outside] >= size[outside].astype(np.uint64)]
    return out.astype(np.int64)


def permute_near(
    index: NDArray[np.int64], size: NDArray[np.int64], key: NDArray[np.uint64], window: int
) -> NDArray[np.int64]:
    """Like `permute`, but any `window` indexes from a multiple of it stay together: their images are neighbours.

    The order of the windows is permuted, and each of them within itself; what is left behind the last whole window
    comes last. A domain that is no larger than the window is permuted as `permute` does.
    """
    if (size <= window).all():
        return permute(index, size, key)
    number, place = index // window, index % window
    target = _window_at(number, size, key, window)
    inner = np.where(target * window + window <= size, window, size - target * window)
    scrambled = np.where(size > window, mix64(key ^ mix64(target.astype(np.uint64))), key)
    return target * window + permute(place, inner, scrambled)


def window_of(visit: int, size: int, key: int, window: int) -> tuple[int, int, int]:
    """The window that a visit of an epoch falls into: where it ends, as a visit, and its images [first, stop)."""
    number = visit // window
    one = np.array([number]), np.array([size]), np.array([key], dtype=np.uint64)
    target = int(_window_at(*one, window)[0])
    return min((number + 1) * window, size), target * window, min((target + 1) * window, size)


def _window_at(
    number: NDArray[np.int64], size: NDArray[np.int64], key: NDArray[np.uint64], window: int
) -> NDArray[np.int64]:
    """Which window comes as number `number` of an epoch."""
    whole = size // window
    moves = number < whole
    found = permute(np.where(moves, number, 0), np.maximum(whole, 1), mix64(key))
    return np.where(moves, found, number)


def _feistel(values: NDArray[np.uint64], bits: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One pass of the network over `bits`-bit values; an even number of rounds, so the halves end as they began."""
    one = np.uint64(1)
    left_bits = bits >> one
    right_bits = bits - left_bits
    left, right = values >> right_bits, values & ((one << right_bits) - one)
    for number in range(FEISTEL_ROUNDS):
        mask = (one << left_bits) - one
        scrambled = mix64(right ^ mix64(key + np.uint64(number)))
        left, right = right, left ^ (scrambled & mask)
        left_bits, right_bits = right_bits, left_bits
    return (left << right_bits) | right


def floor_sum(n: int, modulus: int, slope: int, offset: int) -> int:
    """Sum over i in 0..n-1 of floor((slope·i + offset) / modulus), for non-negative integers, in O(log modulus).

    Euclid's algorithm on lattice points under a line (Graham, Knuth & Patashnik, Concrete Mathematics, 3.32 and on).
    """
    total = 0
    while n > 0:
        if slope >= modulus:
            total += (n - 1) * n // 2 * (slope // modulus)
            slope %= modulus
        if offset >= modulus:
            total += n * (offset // modulus)
            offset %= modulus
        top = slope * n + offset
        if top < modulus:
            return total
        # Count the same points column by column instead of row by row.
        n, offset = top // modulus, top % modulus
        modulus, slope = slope, modulus
    return total


@lru_cache(maxsize=64)
def multiplier(rows: int) -> int:
    """The multiplier A for a plan of `rows` rows: coprime, near rows/φ, with the smallest sum of partial quotients.

    The sum of the partial quotients of A/N bounds the discrepancy of any window of the sequence.
    """
    if rows <= 2:
        return 1
    centre = round(rows * _GOLDEN)
    best = (sum(_partial_quotients(1, rows)), 1)
    found = 0
    for step in range(rows):
        for candidate in {centre + step, centre - step}:
            if 0 < candidate < rows and gcd(candidate, rows) == 1:
                best = min(best, (sum(_partial_quotients(candidate, rows)), candidate))
                found += 1
        if found >= _CANDIDATES:
            break
    return best[1]


def _partial_quotients(numerator: int, denominator: int) -> list[int]:
    quotients = []
    while numerator:
        quotients.append(denominator // numerator)
        numerator, denominator = denominator % numerator, numerator
    return quotients


@dataclass(frozen=True)
class Interleave:
    """The balanced sequence of cells. `rows[c]` is how many rows cell c has in one round of the plan (int64[C])."""

    rows: NDArray[np.int64]
    seed: int

    @property
    def total(self) -> int:
        return int(self.rows.sum())

    @property
    def _shift(self) -> int:
        return key_of("interleave", self.seed) % self.total

    def cells(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cell of each row number (int64[n] to int64[n]); row numbers go on past the plan, round after round."""
        total = self.total
        # Both factors are below 3e9 for any plan that fits the earth, so the product stays inside int64.
        slots = ((numbers % total) * multiplier(total) + self._shift) % total
        return np.searchsorted(np.cumsum(self.rows), slots, side="right").astype(np.int64)

    def counts(self, number: int) -> NDArray[np.int64]:
        """How many rows of each cell come before row `number` (int64[C]); constant time in the row number."""
        total, shift = self.total, self._shift
        rounds, rest = divmod(number, total)
        slope = multiplier(total)
        whole = floor_sum(rest, total, slope, shift)
        below = [0]
        for edge in np.cumsum(self.rows).tolist():
            below.append(whole - floor_sum(rest, total, slope, shift + total - edge) + rest)
        return rounds * self.rows + np.diff(np.array(below, dtype=np.int64))

    def visits(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cell and visit number (how often that cell came before) of every row in [start, stop): two int64 arrays."""
        cells = self.cells(np.arange(start, stop, dtype=np.int64))
        order = np.argsort(cells, kind="stable")
        ranked = cells[order]
        first = np.searchsorted(ranked, ranked, side="left")
        within = np.empty_like(order)
        within[order] = np.arange(len(order)) - first
        return cells, self.counts(start)[cells] + within


def apportion(weights: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole rows for real-valued weights that sum to anything: int64[C] with sum `total`.

    Rounds the running sum, so not only each cell but each run of neighbouring cells (a stream, a language within a
    stream) is within one row of its exact share.
    """
    edges = np.floor(np.cumsum(weights) / weights.sum() * total + 0.5).astype(np.int64)
    edges[-1] = total
    return np.diff(edges, prepend=0)
