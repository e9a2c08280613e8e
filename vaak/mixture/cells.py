"""Cells, and the parts of corpora that fill them: what is kept, and how many rows and targets it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Corpus, Group
from vaak.errors import BadInput
from vaak.mixture.settings import MixtureSettings


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


def selected(
    corpora: list[Corpus], settings: MixtureSettings, excluded_ids: set[str], left_out: LeftOut
) -> Iterator[tuple[Corpus, Group, str, NDArray[np.int64] | None]]:
    """Every (corpus, group, source) that the settings let in, with its samples (int64, sorted) or None for all of them.

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
            keep = _kept(group, settings, stream, excluded_ids, left_out)
            for source, samples in _by_source(group, keep):
                seen.add(source)
                if rule.sources is None or rule.sources.get(source, 0.0) > 0:
                    yield corpus, group, source, samples
                else:
                    left_out.add(
                        group, f"source {source} has no share", group.n_samples if samples is None else len(samples)
                    )
        for source, share in (rule.sources or {}).items():
            if share > 0 and source not in seen:
                raise BadInput(
                    f"the {stream} stream has nothing of source {source!r} after the filters; its sources are "
                    f"{', '.join(sorted(seen)) or 'none'}"
                )


def _groups_of(corpus: Corpus, stream: str) -> list[Group]:
    return [group for key, group in sorted(corpus.groups.items()) if key[0] == stream]


def _kept(
    group: Group, settings: MixtureSettings, stream: str, excluded_ids: set[str], left_out: LeftOut
) -> NDArray[np.bool_]:
    """Which samples of a group pass every filter (bool[n])."""
    keep = np.ones(group.n_samples, dtype=bool)

    def drop(out: Any, reason: str) -> None:
        out = np.asarray(out, dtype=bool) & keep
        left_out.add(group, reason, int(out.sum()))
        keep[out] = False

    drop(group.column("held_out"), "held out for evaluation")
    if excluded_ids:
        drop([sample in excluded_ids for sample in group.column("sample_id")], "in the gold pack")
    if stream == "paired":
        allowed = set(settings.transcript_kinds)
        kinds = group.column("transcript_kind")
        drop([kind not in allowed for kind in kinds], f"transcript is not {' or '.join(settings.transcript_kinds)}")
    if settings.streams[stream].long_form_only:
        drop(~np.asarray(group.column("long_form"), dtype=bool), "not long form")
    return keep


def _by_source(group: Group, keep: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.int64] | None]]:
    sources = np.asarray(group.column("source"), dtype=object)
    names = sorted(set(sources.tolist()))
    if len(names) == 1 and keep.all():
        yield names[0], None
        return
    for name in names:
        samples = np.flatnonzero((sources == name) & keep)
        if len(samples):
            yield name, samples
