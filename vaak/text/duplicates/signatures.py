"""What two documents are compared by: a hash of their letters, and a MinHash signature of their words.

Both look at the text case-folded and reduced to its letters, marks and digits (Unicode categories L, M and N), so that
capitals, punctuation and spacing do not matter. The hash sees those characters in one row. The words of a signature are
its runs of them; characters that are not seen (category Cf: joiners, soft hyphens) neither count nor part a word.
The text should be normalised before: composed and decomposed letters are different letters here.

Word hashes and shingles are numpy over all characters of a batch; the signatures are those of `rensa`, whose R-MinHash
(Fast Similarity Sketching, Dahlgaard, Knudsen and Thorup 2017, arXiv:1704.04370) is an unbiased estimate of the Jaccard
similarity with at most the spread of MinHash.

A set does not see repetition: a text and the same text six times are one to the signature, not to the hash.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import pairwise
from unicodedata import category

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

SLOTS = 128

# Bytes of a text hash: among 10^9 documents two different ones share it with a chance of 10^-21.
HASH_BYTES = 16

# Code points that are worked on at once: arrays of that size stay in the cache. A longer text is a batch of its own.
_BATCH_POINTS = 1 << 16

_SEED = 20
_PART, _UNSEEN = 1, 2

# Odd, so that it has an inverse modulo 2^64.
_BASE = 0x9E3779B97F4A7C15
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)


def text_hash(text: str) -> bytes:
    """16 bytes: BLAKE2b of the case-folded letters, marks and digits of `text` in UTF-32 (little-endian).

    All texts without any share one hash. Lone surrogates are no letters.
    """
    points = np.frombuffer(_folded(text), "<u4")
    return blake2b(points[_kinds()[points] == _PART].data, digest_size=HASH_BYTES).digest()


def signatures(texts: Sequence[str]) -> NDArray[np.uint32]:
    """MinHash signatures (uint32 [n, 128]) of the shingles of `texts`; a text without words has all slots at 2^32 - 1.

    The share of equal slots of two rows estimates the Jaccard similarity of their sets of words and pairs of words.
    """
    return fingerprints(texts)[1]


def fingerprints(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """(`text_hash` of each text as uint64 [n, 2], `signatures`), which together cost little more than either."""
    hashes = np.empty((len(texts), 2), np.uint64)
    rows = np.empty((len(texts), SLOTS), np.uint32)
    start = 0
    for batch in _batches(texts):
        stop = start + len(batch)
        hashes[start:stop], rows[start:stop] = _fingerprints(batch)
        start = stop
    return hashes, rows


def agreement(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Share of equal slots of each pair of rows ([n, 128] both): the estimated Jaccard similarity, float32 [n]."""
    return np.count_nonzero(first == second, axis=1).astype(np.float32) / np.float32(first.shape[1])


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A permutation of the 64-bit numbers in which each bit depends on all others (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _folded(text: str) -> bytes:
    return text.casefold().encode("utf-32-le", "surrogatepass")


def _batches(texts: Sequence[str]) -> Iterator[list[bytes]]:
    batch, size = [], 0
    for text in texts:
        folded = _folded(text)
        if batch and size + len(folded) > 4 * _BATCH_POINTS:
            yield batch
            batch, size = [], 0
        batch.append(folded)
        size += len(folded)
    if batch:
        yield batch


def _fingerprints(folded: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    letters, starts, ends = _letters(folded)
    bounds = [0, *ends.tolist()]
    digests = b"".join(
        blake2b(letters[start:end].data, digest_size=HASH_BYTES).digest() for start, end in pairwise(bounds)
    )
    words = _words(letters, starts)
    shingles, shingle_ends = _shingles(words, np.searchsorted(starts, ends))
    offsets = np.concatenate([[0], shingle_ends]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, SLOTS, _SEED)
    # By way of `array`, which reads a list of numbers in half the time that numpy takes.
    rows = np.frombuffer(b"".join(array("I", row).tobytes() for row in matrix.to_rows()), np.uint32)
    return np.frombuffer(digests, np.uint64).reshape(-1, 2), rows.reshape(-1, SLOTS)


def _letters(folded: list[bytes]) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """(the characters of words of all texts, where in them each word starts, where each text ends)."""
    points = np.frombuffer(b"".join(folded), "<u4")
    ends = np.cumsum([len(one) // 4 for one in folded])
    kinds = _kinds().take(points, mode="clip")  # no code point is beyond it; "raise" looks twice
    unseen = np.flatnonzero(kinds == _UNSEEN)
    if len(unseen):
        points, kinds = np.delete(points, unseen), np.delete(kinds, unseen)
        ends = ends - np.searchsorted(unseen, ends)
    at = np.flatnonzero(kinds == _PART)
    ends = np.searchsorted(at, ends)
    begins = np.ones(len(at) + 1, bool)
    np.not_equal(at[1:], at[:-1] + 1, out=begins[1:-1])
    begins[ends] = True
    return points[at], np.flatnonzero(begins[:-1]), ends


def _words(letters: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash of each word: of c0 c1 c2 ... the sum of c_i B^i modulo 2^64, mixed.

    It is a sum of characters weighted by their place in the batch, times the inverse of the weight of the first place.
    """
    if len(starts) == 0:
        return np.empty(0, np.uint64)
    powers, inverses = _powers(max(_BATCH_POINTS, 1 << len(letters).bit_length()))
    return mixed(np.add.reduceat(letters * powers[: len(letters)], starts) * inverses[starts])


def _shingles(words: NDArray[np.uint64], word_ends: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """(hashes of each word and of it with the next, number of them up to the end of each text)."""
    shingles = np.repeat(words, 2)
    shingles[1:-1:2] = mixed(words[:-1] + words[1:] * _SECOND)
    # The last word of a text has no next one: it stands twice, which a set does not see.
    last = word_ends[word_ends > 0] - 1
    shingles[2 * last + 1] = words[last]
    return shingles, 2 * word_ends


@cache
def _kinds() -> NDArray[np.uint8]:
    """What each code point is: part of a word, not seen, or neither (0)."""
    kinds = np.zeros(sys.maxunicode + 1, np.uint8)
    for point in range(sys.maxunicode + 1):
        name = category(chr(point))
        if name[0] in "LMN":
            kinds[point] = _PART
        elif name == "Cf":
            kinds[point] = _UNSEEN
    return kinds


@lru_cache(2)
def _powers(n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(B^i, B^-i) modulo 2^64 for i below n."""
    inverse = pow(_BASE, -1, 1 << 64)
    steps = np.full((2, n), [[_BASE], [inverse]], np.uint64)
    steps[:, 0] = 1
    powers, inverses = np.cumprod(steps, axis=1, dtype=np.uint64)
    return powers, inverses
