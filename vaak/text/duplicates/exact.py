"""Documents with the same text hash: one of them stays, and those that stay are ranked by hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vaak.text.duplicates.disk import Column, Partitions, blocks, partition_bits, release

# Records that are sorted at once, and rows read at once.
PARTITION, BLOCK = 1 << 20, 1 << 18

_RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("number", "<i8")])


def rank_distinct(
    hashes: NDArray[np.uint64],
    keys: NDArray[np.uint8],
    key_ends: NDArray[np.int64],
    ranks: NDArray[np.int64],
    of: NDArray[np.int64],
    numbers: Column,
    work: Path,
) -> None:
    """Fill `ranks` and `of` [n], and append to `numbers` the documents that stay, in the order of their hashes.

    Of documents with equal `hashes` [n, 2] the one with the smallest key stays: its bytes are keys[key_ends[i - 1] :
    key_ends[i]]. It gets its place in `numbers` as rank; the others get rank -1 and its number in `of`.
    """
    bits = partition_bits(len(hashes), PARTITION)
    partitions = Partitions(work, _RECORD, 1 << bits)
    for block in blocks(len(hashes), BLOCK):
        high, low = hashes[block].T
        records = np.empty(len(high), _RECORD)
        records["high"], records["low"], records["number"] = high, low, np.arange(block.start, block.stop)
        part = high >> np.uint64(64 - bits) if bits else np.zeros(len(high), np.uint64)
        partitions.add(records, part.astype(np.uint16 if bits <= 16 else np.int64))
    start = 0
    for records in partitions.take():
        records = records[np.lexsort((records["low"], records["high"]))]
        fresh = np.ones(len(records), bool)
        fresh[1:] = (records["high"][1:] != records["high"][:-1]) | (records["low"][1:] != records["low"][:-1])
        group = np.cumsum(fresh) - 1
        stays = records["number"][fresh]
        shared = (np.bincount(group) > 1)[group]
        if shared.any():
            _smallest_key(records["number"][shared], group[shared], keys, key_ends, stays)
        of[records["number"]] = stays[group]
        ranks[records["number"]] = -1
        ranks[stays] = np.arange(start, start + len(stays))
        of[stays] = -1
        numbers.append(stays)
        start += len(stays)
        release(of, ranks, keys, key_ends)


def _smallest_key(
    members: NDArray[np.int64],
    group: NDArray[np.int64],
    keys: NDArray[np.uint8],
    key_ends: NDArray[np.int64],
    stays: NDArray[np.int64],
) -> None:
    """Set stays[g] to the member of group g with the smallest key (the smallest number, should two have one key)."""
    ends = key_ends[members]
    starts = np.where(members > 0, key_ends[members - 1], 0)
    sizes = ends - starts
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    at = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
    column = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(members), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(keys[at].tobytes())]
    )
    table = pa.table({"group": group, "key": column, "number": members})
    order = pc.sort_indices(table, [(name, "ascending") for name in table.column_names]).to_numpy()  # pyright: ignore[reportAttributeAccessIssue]
    group = group[order]
    first = np.concatenate([[True], group[1:] != group[:-1]])
    stays[group[first]] = members[order][first]
