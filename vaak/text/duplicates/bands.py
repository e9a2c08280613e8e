"""Locality-sensitive hashing on disk: pairs of signatures that may be alike, found by sorting, linear in their number.

A signature of 128 slots has 21 bands of 6 slots. Two documents of similarity s have some band in common with chance
1 - (1 - s^6)^21: 0.98 at 0.75, 0.63 at 0.6, 10^-6 at 0.06, which two documents of one language have by common words.
The keys of all bands go to files by key; a file is sorted at a time. Documents with one key stand together there, in a
bucket. A small bucket is compared completely; of a large one each document is compared with the first and with those
next to it in several orders, by slots outside the band among others, which put what is alike together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaak.text.duplicates.disk import Partitions, blocks, partition_bits, release
from vaak.text.duplicates.signatures import SLOTS, mixed

BANDS, ROWS = 21, 6

# A document is compared with so many behind it: buckets of up to one more are compared completely.
NEIGHBOURS = 4
# So many further orders of a large bucket.
ORDERS = 3

# Records that are sorted at once, and documents read at once.
PARTITION, BLOCK = 1 << 22, 1 << 16

# Signatures looked up before their pages are let go: they stand anywhere, and with each the system maps what is near.
SCATTERED = 1 << 12

_RECORD = np.dtype([("key", "<u8"), ("rank", "<i8")])

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def band_keys(signatures: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Keys (uint64 [n, 21]) of signatures (uint32 [n, 128]): equal where all 6 slots of a band are."""
    halves = np.ascontiguousarray(signatures[:, : BANDS * ROWS]).view("<u8").reshape(-1, BANDS, ROWS // 2)
    keys = np.broadcast_to(np.arange(1, BANDS + 1, dtype=np.uint64), halves.shape[:2])
    for column in range(ROWS // 2):
        keys = mixed(mixed(keys) + halves[:, :, column])
    return keys


def sort_into_files(signatures: NDArray[np.uint32], ranks: NDArray[np.int64], distinct: int, work: Path) -> Partitions:
    """The band keys of all documents of rank 0 and up (`distinct` of them), in files by key."""
    bits = partition_bits(BANDS * distinct, PARTITION)
    partitions = Partitions(work, _RECORD, 1 << bits)
    for block in blocks(len(ranks), BLOCK):
        rank = ranks[block]
        keys = band_keys(signatures[block][rank >= 0])
        records = np.empty(keys.shape, _RECORD)
        records["key"], records["rank"] = keys, rank[rank >= 0, None]
        part = (keys & np.uint64((1 << bits) - 1)).ravel()
        partitions.add(records.ravel(), part.astype(np.uint16 if bits <= 16 else np.int64))
        release(signatures, ranks)
    return partitions


def pairs_of(records: NDArray, signatures: NDArray[np.uint32], numbers: NDArray[np.int64]) -> Iterator[Pairs]:
    """Blocks of pairs of ranks to be compared, of the records of one file. The same ones in whatever order they stand.

    `numbers` says for a rank which row of `signatures` it has.
    """
    records = records[np.argsort(records["key"])]
    key, rank = records["key"], records["rank"]
    same = key[1:] == key[:-1]
    shared = np.zeros(len(key), bool)
    shared[1:] |= same
    shared[:-1] |= same
    key, rank = key[shared], rank[shared]
    # An order of its own in each bucket, so that the same large bucket of another band has other neighbours.
    shuffled = mixed(rank.astype(np.uint64) ^ key)
    order = np.lexsort((shuffled, key))
    key, rank, shuffled = key[order], rank[order], shuffled[order]
    yield from _neighbours(rank, key)
    _, start, size = np.unique(key, return_index=True, return_counts=True)
    large = np.repeat(size > NEIGHBOURS + 1, size)
    if not large.any():
        return
    yield rank[large], np.repeat(rank[start], size)[large]
    key, rank, shuffled = key[large], rank[large], shuffled[large]
    for turn in range(ORDERS):
        slot = (mixed(key + np.uint64(turn)) % np.uint64(SLOTS)).astype(np.int64)
        value = np.empty(len(rank), np.uint32)
        for block in blocks(len(rank), SCATTERED):
            value[block] = signatures[numbers[rank[block]], slot[block]]
            release(signatures)
        order = np.lexsort((shuffled, value, key))
        yield from _neighbours(rank[order], key[order], value[order])


def _neighbours(rank: NDArray[np.int64], *equal: NDArray) -> Iterator[Pairs]:
    """Pairs of ranks that stand at most `NEIGHBOURS` apart and have all keys `equal`."""
    for apart in range(1, min(NEIGHBOURS, len(rank) - 1) + 1):
        at = np.flatnonzero(np.logical_and.reduce([key[apart:] == key[:-apart] for key in equal]))
        if len(at):
            yield rank[at], rank[at + apart]
