"""Cells, and the parts of corpora that fill them: what is kept, and how many rows and targets it makes."""

# pyarrow makes its compute functions at import time, so type checkers cannot see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.errors import BadInput
from vaak.mixture.settings import MixtureSettings

# Samples that are looked at together: a plan's memory holds so many, whatever the corpus has.
BLOCK = 1 << 14


@dataclass(frozen=True, order=True)
class Cell:
    """What one row is made of. The order of the fields is the order of cells in a plan."""

    stream: str
    language: str
    source: str
    tier: str

    def __str__(self) -> str:
        return f"{self.stream}/{self.language}/{self.source}/{self.tier}"


@dataclass(frozen=True)
class Part:
    """One corpus's contribution to a cell, made into rows; counts are those of one epoch.

    `folder` names its index arrays inside the plan's cache, or is empty where a whole group is cut into windows and
    needs none. `digest` is the SHA-256 over those arrays. `targets` are labels that count, `prompt_tokens` the ids of
    transcripts and voice descriptions, `codes` audio codes (0 for text), `samples` documents.
    """

    corpus_id: str
    rows: int
    samples: int
    tokens: int
    targets: int
    prompt_tokens: int
    codes: int
    folder: str = ""
    transcripts: str = ""
    digest: str = ""


@dataclass
class LeftOut:
    """How many samples stayed outside, by stream, language and reason."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, group: Group, reason: str, samples: int) -> None:
        if samples:
            self.counts[group.stream, group.language, reason] += int(samples)

    def notes(self) -> list[str]:
        """One sentence for each stream and reason, with the languages that lose samples."""
        found: dict[tuple[str, str], list[str]] = {}
        for (stream, language, reason), samples in sorted(self.counts.items()):
            found.setdefault((stream, reason), []).append(f"{language} {samples:,}")
        return [f"{stream}: left out, {reason}: {', '.join(each)}" for (stream, reason), each in found.items()]


class Kept:
    """Some samples of a group: those whose mark (int32[samples], mapped) is `mark`. Their numbers come in blocks."""

    def __init__(self, marks: NDArray[np.int32], mark: int) -> None:
        self._marks, self._mark = marks, mark
        self.n = sum(len(numbers) for numbers in self.blocks())

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """The numbers of the samples, ascending: those among some thousands after the other, none of them empty."""
        for first in range(0, len(self._marks), BLOCK):
            numbers = np.flatnonzero(self._marks[first : first + BLOCK] == self._mark)
            if len(numbers):
                yield numbers + first


def selected(
    corpora: list[Corpus], settings: MixtureSettings, excluded_ids: set[str], left_out: LeftOut
) -> Iterator[tuple[Corpus, Group, str, Kept | None]]:
    """Every (corpus, group, source) that the settings let in, with its samples, or None for all of them.

    Held-out samples never train, and those that a gold pack excludes leave by id.
    """
    for stream, rule in settings.streams.items():
        if rule.share == 0:
            continue
        groups = [(corpus, group) for corpus in corpora for group in _groups_of(corpus, stream)]
        if not groups:
            raise BadInput(
                f"the mixture wants {rule.share:.0%} {stream}, but no corpus has that stream; add one or drop it"
            )
        tiers = sorted({group.tier for _, group in groups})
        for tier in rule.tiers or ():
            if tier not in tiers:
                raise BadInput(f"the {stream} stream has no tier {tier!r}; its tiers are {', '.join(tiers)}")
        seen: set[str] = set()
        for corpus, group in groups:
            if rule.tiers is not None and group.tier not in rule.tiers:
                continue
            for source, samples in _by_source(group, settings, excluded_ids, left_out):
                seen.add(source)
                if rule.sources is None or rule.sources.get(source, 0.0) > 0:
                    yield corpus, group, source, samples
                else:
                    left_out.add(
                        group, f"source {source} has no share", group.n_samples if samples is None else samples.n
                    )
        for source, share in (rule.sources or {}).items():
            if share > 0 and source not in seen:
                raise BadInput(
                    f"the {stream} stream has nothing of source {source!r} after the filters; its sources are "
                    f"{', '.join(sorted(seen)) or 'none'}"
                )


def _groups_of(corpus: Corpus, stream: str) -> list[Group]:
    return [group for key, group in sorted(corpus.groups.items()) if key[0] == stream]


def _by_source(
    group: Group, settings: MixtureSettings, excluded_ids: set[str], left_out: LeftOut
) -> Iterator[tuple[str, Kept | None]]:
    """The samples of each source that pass every filter, sources sorted by name."""
    numbers: dict[str, int] = {}
    columns, filters = _filters(settings, group.stream, excluded_ids)
    # On disk, in a file without a name: a group may have more samples than memory has bytes to spare.
    with TemporaryFile() as file:
        whole = True
        for batch in group.rows(["source", *columns]):
            coded = batch.column(0).dictionary_encode()
            names = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
            kept = np.ones(len(batch), bool)
            for reason, drops in filters:
                out = drops(batch) & kept
                left_out.add(group, reason, int(out.sum()))
                kept &= ~out
            whole &= bool(kept.all())
            # The number of its source for each sample, -1 for those that are left out.
            file.write(np.where(kept, np.array(names, np.int32)[coded.indices.to_numpy()], np.int32(-1)).tobytes())
        file.flush()
        marks = np.memmap(file, np.int32, "r").view(np.ndarray)
    if len(numbers) == 1 and whole:
        yield next(iter(numbers)), None
        return
    for name, number in sorted(numbers.items()):
        found = Kept(marks, number)
        if found.n:
            yield name, found


Filter = tuple[str, Callable[[pa.RecordBatch], NDArray[np.bool_]]]


def _filters(settings: MixtureSettings, stream: str, excluded_ids: set[str]) -> tuple[list[str], list[Filter]]:
    """The columns that the filters of a stream look at; and of each filter its reason, and which rows it drops."""

    def flagged(name: str, dropped: bool) -> Callable[[pa.RecordBatch], NDArray[np.bool_]]:
        return lambda batch: batch.column(name).to_numpy(zero_copy_only=False) == dropped

    def among(name: str, values: Iterable[str], dropped: bool) -> Callable[[pa.RecordBatch], NDArray[np.bool_]]:
        known = pa.array(sorted(values), pa.string())
        return lambda batch: pc.is_in(batch.column(name), known).to_numpy(zero_copy_only=False) == dropped

    columns, filters = ["held_out"], [("held out for evaluation", flagged("held_out", True))]
    if excluded_ids:
        columns.append("sample_id")
        filters.append(("in the gold pack", among("sample_id", excluded_ids, True)))
    if stream == "paired":
        kinds = settings.transcript_kinds
        columns.append("transcript_kind")
        filters.append((f"transcript is not {' or '.join(kinds)}", among("transcript_kind", kinds, False)))
    if settings.streams[stream].long_form_only:
        columns.append("long_form")
        filters.append(("not long form", flagged("long_form", False)))
    return columns, filters
