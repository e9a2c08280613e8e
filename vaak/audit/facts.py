"""Small figures of every examined sample, about 120 bytes each: what checks of the whole corpus and histograms are made from.

Codes and transcripts stay where they were read; here are their digests, of 64 bits. Of a million samples two that differ have the
same with a chance of 1 to 40 million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import SupportsInt
from unicodedata import category, normalize

import numpy as np
import pyarrow as pa

from vaak.audit.item import Item, has_words
from vaak.corpus.samples import TRANSCRIPT_KINDS

KINDS = ("unknown", *TRANSCRIPT_KINDS)

# One sample. `group` is the number of its group in the corpus; hashes are 0 where the field is unknown.
FACT = np.dtype(
    [
        ("group", np.uint32),
        ("row", np.int64),  # of the sample in its group
        ("tokens", np.int32),
        ("seconds", np.float64),  # as stated; NaN: unknown
        ("characters", np.int32),  # without white space; 0 where there is no word
        ("kind", np.uint8),  # of the transcript, in KINDS
        ("held_out", np.bool_),
        ("codes", np.uint64),  # digest of the tokens
        ("text", np.uint64),  # digest of the transcript without case, points and spaces
        ("letters", np.int32),  # characters of that
        ("speaker", np.uint64),
        ("source", np.uint64),
        ("recording", np.uint64),  # the source and its source id
        ("start", np.int64),  # milliseconds in the recording; -1: unknown
        ("end", np.int64),
    ]
)


@dataclass(frozen=True)
class Facts:
    """`rows` has a `FACT` per examined sample, `ids` their sample ids, in the order of the corpus.

    `groups` are (stream, language, tier) by their number, `names` what the hashes of speakers and sources stand for, and
    `code_counts` a histogram (uint32[65536]) per source and language.
    """

    ids: pa.Array
    rows: np.ndarray
    groups: tuple[tuple[str, str, str], ...]
    names: Mapping[int, str] = field(default_factory=dict)
    code_counts: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @property
    def streams(self) -> np.ndarray:
        return np.array([stream for stream, *_ in self.groups])[self.rows["group"]]

    @property
    def languages(self) -> np.ndarray:
        return np.array([language for _, language, _ in self.groups])[self.rows["group"]]

    def id(self, at: SupportsInt) -> str:
        return self.ids[int(at)].as_py()

    def name(self, hashed: SupportsInt) -> str:
        return self.names.get(int(hashed), "unknown")

    def named(self, at: Iterable[int]) -> tuple[str, ...]:
        """The ids of these samples, in the order of the corpus."""
        return tuple(self.ids.take(pa.array(sorted(map(int, at)), pa.int64())).to_pylist())


def fact(item: Item, group: int, row: int) -> tuple:
    """A row of `FACT`."""
    sample = item.sample
    text = same_text(sample.transcript) if sample.transcript else ""
    stated = item.stated_seconds
    return (
        group,
        row,
        len(item.tokens),
        float("nan") if stated is None else stated,
        item.characters if item.is_audio and has_words(item.text) else 0,
        KINDS.index(sample.transcript_kind or KINDS[0]),
        sample.held_out,
        digest(item.tokens.tobytes()),
        digest(text.encode()) if text else 0,
        len(text),
        hashed(sample.speaker),
        hashed(sample.source),
        hashed(f"{sample.source}\n{sample.source_id}") if sample.source_id else 0,
        -1 if sample.start_ms is None else sample.start_ms,
        -1 if sample.end_ms is None else sample.end_ms,
    )


def digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


@lru_cache(maxsize=1 << 16)
def hashed(name: str | None) -> int:
    """The number that stands for a name; 0 for none."""
    return digest(name.encode()) if name else 0


class _Letters(dict[int, int | None]):
    """A table for `str.translate` that keeps letters, marks and numbers, and learns as it is asked."""

    def __missing__(self, point: int) -> int | None:
        self[point] = point if category(chr(point))[0] in "LMN" else None
        return self[point]


_LETTERS = _Letters()


def same_text(text: str) -> str:
    """Texts that differ only in case, punctuation, spaces or Unicode form become equal."""
    return normalize("NFC", text.casefold()).translate(_LETTERS)


def labels(*columns: np.ndarray) -> np.ndarray:
    """int64[n]: equal where all columns are equal, from 0."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values, numbers = np.unique(column, return_inverse=True)
        # Small again after each column, so that no product of their sizes overflows.
        found = np.unique(found * len(values) + numbers, return_inverse=True)[1]
    return found


def alike(*columns: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of the samples that agree in all columns, one array (ascending) per combination that there is."""
    if len(columns[0]):
        label = labels(*columns)
        order = np.argsort(label, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
