"""Which documents of one language say what another says already: exact and near duplicates over all its sources.

Documents are numbered in the order in which they are added; what is decided does not depend on it. Of documents with
one text hash the one with the smallest key stays (its bytes compared: source, then document id). The ones that stay are
near duplicates if their signatures agree in `THRESHOLD` of the slots; near duplicates of near duplicates are one
component, and of a component the longest document stays, of several that long the one with the smallest hash. The
longest, because most copies are cut or have lost a part.

Memory does not grow with the number of documents, but for the largest bucket: signatures, keys and labels are mapped
files whose pages the system may take back, sorting goes a part of the records at a time. Own memory was 215 MiB at a
million and 248 MiB at four million documents, 353 MiB where two million had one band in common.
On disk a document has 544 bytes and its key; while `decide` works 376 more (21 band keys and 5 numbers), then 13.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vaak.errors import BadInput
from vaak.text.duplicates.bands import SCATTERED, pairs_of, sort_into_files
from vaak.text.duplicates.components import join, roots
from vaak.text.duplicates.disk import Column, array_file, blocks, release
from vaak.text.duplicates.exact import rank_distinct
from vaak.text.duplicates.signatures import SLOTS, agreement

KEPT, EXACT, NEAR = 0, 1, 2

# Estimated Jaccard similarity of the words and pairs of words. Documents with 10% of their words changed have 0.66 and
# more in 99 of 100 cases; of 10,892 documents that share no sentence one had as much with another (docs/log.md).
THRESHOLD = 0.6

# Documents looked at at once.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Decisions:
    """By number of document, mapped from `.npy` files: `reason` uint8 [n], `of` int64 [n], `similarity` float32 [n].

    `reason` is 0 for kept, 1 for an exact and 2 for a near duplicate. `of` is the number of the document that is kept
    for it, -1 where it is kept itself; `similarity` is the estimated Jaccard similarity with that one, 1 where kept. It
    may be below the threshold: a duplicate of a duplicate is not always like the one that stays.
    """

    reason: NDArray[np.uint8]
    of: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def counts(self) -> dict[str, int]:
        """How many were kept, and dropped for which reason."""
        names = {"kept": KEPT, "exact duplicate": EXACT, "near duplicate": NEAR}
        return {name: int(np.count_nonzero(self.reason == reason)) for name, reason in names.items()}


class DedupeStore:
    """What is known of the documents of one language, in the files of `folder`, which may hold some already."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._hashes = Column(folder / "hashes.bin", np.dtype("<u8"), 2)
        self._signatures = Column(folder / "signatures.bin", np.dtype("<u4"), SLOTS)
        self._lengths = Column(folder / "lengths.bin", np.dtype("<i8"))
        self._keys = Column(folder / "keys.bin", np.dtype("u1"))
        self._key_ends = Column(folder / "key_ends.bin", np.dtype("<i8"))
        sizes = {len(self._hashes), len(self._signatures), len(self._lengths), len(self._key_ends)}
        if len(sizes) > 1:
            raise BadInput(
                f"{folder} was left in the middle of an addition; remove the folder and add its documents again"
            )

    def __len__(self) -> int:
        return len(self._key_ends)

    def add(
        self,
        hashes: NDArray[np.uint64],
        signatures: NDArray[np.uint32],
        keys: Sequence[str],
        lengths: NDArray[np.int64],
    ) -> None:
        """Append n documents: text hashes [n, 2] and signatures [n, 128] (`fingerprints`), keys and lengths of texts.

        A key is the source, a NUL and the document id, and what tells documents with one id apart. Raises `ValueError`
        if the numbers of rows are not equal.
        """
        if not (
            hashes.shape == (len(keys), 2) and signatures.shape == (len(keys), SLOTS) and lengths.shape == (len(keys),)
        ):
            raise ValueError(
                f"{len(keys)} keys, but {hashes.shape} hashes, {signatures.shape} signatures, {lengths.shape} lengths"
            )
        encoded = [key.encode("utf-8", "surrogatepass") for key in keys]
        start = len(self._keys)
        self._keys.append(np.frombuffer(b"".join(encoded), np.uint8))
        self._hashes.append(hashes)
        self._signatures.append(signatures)
        self._lengths.append(lengths)
        self._key_ends.append(start + np.cumsum([len(key) for key in encoded], dtype=np.int64))

    def keys(self, numbers: NDArray[np.int64]) -> list[str]:
        """The keys of documents, by number."""
        keys, ends = self._keys.open(), self._key_ends.open()
        starts = np.where(numbers > 0, ends[np.maximum(numbers - 1, 0)], 0)
        return [
            keys[start:end].tobytes().decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends[numbers], strict=True)
        ]

    def decide(self) -> Decisions:
        """Look at all documents added so far. What an interrupted call left is removed by the next one."""
        n, work = len(self), self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        decisions = Decisions(
            array_file(self.folder / "reason.npy", np.uint8, n),
            array_file(self.folder / "of.npy", np.int64, n),
            array_file(self.folder / "similarity.npy", np.float32, n),
        )
        ranks = array_file(work / "ranks.npy", np.int64, n)
        order = Column(work / "numbers.bin", np.dtype("<i8"))
        keys, key_ends, signatures = self._keys.open(), self._key_ends.open(), self._signatures.open()
        rank_distinct(self._hashes.open(), keys, key_ends, ranks, decisions.of, order, work / "exact")
        numbers = order.open()
        labels = _components(signatures, ranks, numbers, work)
        leaders = _longest(labels, self._lengths.open(), numbers, work)
        _write(decisions, ranks, labels, leaders, numbers, signatures)
        shutil.rmtree(work)
        return decisions

    def check(self, decisions: Decisions) -> None:
        """Raises `BadInput` if decisions are not of this store: another number, or a duplicate of what is not kept."""
        if not len(decisions.reason) == len(decisions.of) == len(decisions.similarity) == len(self):
            raise BadInput(f"{self.folder} has {len(self)} documents, decided {len(decisions.reason)}; decide again")
        for block in blocks(len(self), _BLOCK):
            dropped = decisions.reason[block] != KEPT
            of = decisions.of[block]
            wrong = np.where(dropped, decisions.reason[np.where(dropped, of, 0)] != KEPT, of != -1)
            if wrong.any():
                number = block.start + int(np.argmax(wrong))
                raise BadInput(f"{self.folder}, document {number} is a duplicate of one that is not kept; decide again")


def _components(
    signatures: NDArray[np.uint32], ranks: NDArray[np.int64], numbers: NDArray[np.int64], work: Path
) -> NDArray[np.int64]:
    """For each rank the smallest rank of its component."""
    labels = array_file(work / "labels.npy", np.int64, len(numbers))
    for block in blocks(len(labels), _BLOCK):
        labels[block] = np.arange(block.start, block.stop)
    for records in sort_into_files(signatures, ranks, len(numbers), work / "bands").take():
        for first, second in pairs_of(records, signatures, numbers):
            for block in blocks(len(first), SCATTERED):
                _compare(labels, first[block], second[block], signatures, numbers)
        release(labels, numbers)
    for block in blocks(len(labels), _BLOCK):
        labels[block] = roots(labels, np.arange(block.start, block.stop))
        release(labels)
    return labels


def _compare(
    labels: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    signatures: NDArray[np.uint32],
    numbers: NDArray[np.int64],
) -> None:
    """Join the pairs that are alike. Those in one component already need no look."""
    apart = roots(labels, first) != roots(labels, second)
    first, second = first[apart], second[apart]
    alike = agreement(signatures[numbers[first]], signatures[numbers[second]]) >= THRESHOLD
    join(labels, first[alike], second[alike])
    release(signatures)


def _longest(
    labels: NDArray[np.int64], lengths: NDArray[np.int64], numbers: NDArray[np.int64], work: Path
) -> NDArray[np.int64]:
    """For each root the rank of the longest document of its component, the smallest of several that long."""
    longest = array_file(work / "longest.npy", np.int64, len(labels))
    leaders = array_file(work / "leaders.npy", np.int64, len(labels))
    for block in blocks(len(labels), _BLOCK):
        np.maximum.at(longest, labels[block], lengths[numbers[block]])
        leaders[block] = len(labels)
        release(longest, leaders, lengths)
    for block in blocks(len(labels), _BLOCK):
        root, rank = labels[block], np.arange(block.start, block.stop)
        best = lengths[numbers[block]] == longest[root]
        np.minimum.at(leaders, root[best], rank[best])
        release(longest, leaders, lengths, labels)
    return leaders


def _write(
    decisions: Decisions,
    ranks: NDArray[np.int64],
    labels: NDArray[np.int64],
    leaders: NDArray[np.int64],
    numbers: NDArray[np.int64],
    signatures: NDArray[np.uint32],
) -> None:
    """Fill the decisions; `decisions.of` has the document that stayed for each exact duplicate."""
    for block in blocks(len(ranks), SCATTERED):
        own, exact = np.arange(block.start, block.stop), ranks[block] < 0
        stayed = np.where(exact, decisions.of[block], own)
        kept = numbers[leaders[labels[ranks[stayed]]]]
        similarity = np.ones(len(own), np.float32)
        other = kept != stayed
        similarity[other] = agreement(signatures[own[other]], signatures[kept[other]])
        decisions.reason[block] = np.where(exact, EXACT, np.where(kept == own, KEPT, NEAR))
        decisions.of[block] = np.where(kept == own, -1, kept)
        decisions.similarity[block] = similarity
        release(decisions.reason, decisions.of, decisions.similarity, ranks, labels, leaders, numbers, signatures)
