"""A part of the samples examined, in this process or another: each is read, asked every check, and becomes a few figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from vaak.audit.checks import ITEM_CHECKS
from vaak.audit.facts import FACT, Facts, fact, hashed
from vaak.audit.finding import PASSED_BY, UNKNOWN, Finding
from vaak.audit.item import Item
from vaak.audit.workers import Opened
from vaak.corpus import Sample

# Samples of a part: few enough that two processes end together, many enough that a row group is seldom read twice.
PART = 2048

# A group's number, its key, and the rows (int64[n], ascending) of it that are examined.
Part = tuple[int, tuple[str, str, str], np.ndarray]


@dataclass
class Asked:
    """What one check said of some samples: how many it judged and could not, the ids at fault, the first one's fault."""

    judged: int = 0
    unknown: int = 0
    at_fault: list[str] = field(default_factory=list)
    words: str = ""

    def add(self, other: Asked) -> None:
        self.judged += other.judged
        self.unknown += other.unknown
        self.at_fault += other.at_fault
        self.words = self.words or other.words

    def finding(self) -> Finding:
        unknown = f"unknown for {self.unknown:,} samples" if self.unknown else ""
        detail = "; ".join(part for part in (self.words, unknown) if part)
        return Finding(self.judged, tuple(self.at_fault), detail)


@dataclass
class Examined:
    """What is known of a part: `ids` and `rows` as in `Facts`, what each check said, and which codes each source has how often.

    `code_counts` has, per source and language, the codes that occur (ascending) and how often each does.
    """

    ids: pa.Array
    rows: np.ndarray
    names: dict[int, str]
    asked: dict[str, Asked]
    code_counts: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def parts_of(drawn: Iterable[tuple[tuple[str, str, str], np.ndarray]]) -> list[Part]:
    """The drawn rows of each group, cut into parts."""
    return [
        (number, key, rows[start : start + PART])
        for number, (key, rows) in enumerate(drawn)
        for start in range(0, len(rows), PART)
    ]


def examine_part(opened: Opened, part: Part) -> Examined:
    """Read and ask; tokens are read from the memory map, one sample at a time."""
    number, key, rows = part
    group = opened.corpus.groups[key]
    asked: dict[str, Asked] = defaultdict(Asked)
    ids, facts, names, seen = [], [], {}, defaultdict(list)
    for row, sample in zip(rows.tolist(), group.samples_at(rows), strict=True):
        item = read_item(opened, key[0], sample, group.tokens(row))
        ask(item, opened, asked)
        ids.append(sample.sample_id)
        facts.append(fact(item, number, row))
        names.update((hashed(name), name) for name in (sample.speaker, sample.source) if name)
        if item.is_audio:
            seen[sample.source, sample.language].append(item.tokens)
    return Examined(
        pa.array(ids, pa.string()),
        np.array(facts, FACT),
        names,
        dict(asked),
        {source: _counted(tokens) for source, tokens in seen.items()},
    )


def read_item(opened: Opened, stream: str, sample: Sample, tokens: np.ndarray) -> Item:
    """The sample with its text: its transcript, or its document decoded if the tokenizer is known."""
    tokenizer, text = opened.around.tokenizer, sample.transcript or ""
    if stream == "text" and not text and tokenizer is not None:
        # Ids beyond the tokenizer are another check's finding and would break the decoder.
        inside = tokens[(tokens < tokenizer.size) & (tokens != tokenizer.end_of_text_id)]
        text = tokenizer.decode(inside.tolist())
    return Item(stream, sample, tokens, text)


def ask(item: Item, opened: Opened, asked: dict[str, Asked]) -> None:
    """Every check about this stream."""
    for check, streams in ITEM_CHECKS.items():
        if item.stream not in streams:
            continue
        said = check(item, opened.around, opened.limits[check.__name__])
        if said is PASSED_BY:
            continue
        about = asked[check.__name__]
        if said is UNKNOWN:
            about.unknown += 1
            continue
        about.judged += 1
        if isinstance(said, str):
            about.at_fault.append(item.sample.sample_id)
            about.words = about.words or f"{item.sample.sample_id}: {said}"


def _counted(tokens: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(np.concatenate(tokens))
    codes = np.flatnonzero(counts)
    return codes.astype(np.uint16), counts[codes].astype(np.uint32)


class Gathered:
    """The parts put together as they come: `facts()` and what each check said of all of them."""

    def __init__(self, groups: Iterable[tuple[str, str, str]]) -> None:
        self.groups = tuple(groups)
        self.asked: dict[str, Asked] = defaultdict(Asked)
        self._ids: list[pa.Array] = []
        self._rows: list[np.ndarray] = []
        self._names: dict[int, str] = {}
        self._code_counts: dict[tuple[str, str], np.ndarray] = {}

    def add(self, part: Examined) -> None:
        self._ids.append(part.ids)
        self._rows.append(part.rows)
        self._names |= part.names
        for check, asked in part.asked.items():
            self.asked[check].add(asked)
        for source, (codes, counts) in part.code_counts.items():
            # A quarter of a megabyte for each source and language of a codebook of 65,536, however many samples it has.
            total = self._code_counts.setdefault(source, np.zeros(1 << 16, np.uint32))
            total[codes] += counts

    def facts(self) -> Facts:
        rows = np.concatenate(self._rows) if self._rows else np.empty(0, FACT)
        ids = pa.chunked_array(self._ids, pa.string()).combine_chunks()
        return Facts(ids, rows, self.groups, self._names, self._code_counts)
