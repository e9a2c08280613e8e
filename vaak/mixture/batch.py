"""A packed batch, and the meter of the token mass that batches really carried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaak.grammar.prompt import IGNORED
from vaak.mixture.plan import Plan


@dataclass(frozen=True)
class PackedBatch:
    """B rows of L tokens, each a run of whole documents or pieces of documents.

    `labels` are already shifted: `labels[b, t]` is predicted at position t; -100 is ignored. `position_ids` restart at
    each document. Per row, `doc_lens` (int32, sum L) lists the documents, a trailing padding document included, and
    `doc_stream`, `doc_language`, `doc_source` (int16) index into `streams`, `languages`, `sources`; -1 is padding.
    `rows` are the row numbers within the plan. `doc_bias` has, per row and document, float32[n, n] to add to the
    attention logits (query, key) of the document, or None.
    """

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    doc_lens: list[NDArray[np.int32]]
    doc_stream: list[NDArray[np.int16]]
    doc_language: list[NDArray[np.int16]]
    doc_source: list[NDArray[np.int16]]
    rows: NDArray[np.int64]
    n_targets: int
    streams: tuple[str, ...]
    languages: tuple[str, ...]
    sources: tuple[str, ...]
    doc_bias: list[list[NDArray[np.float32] | None]] | None = None


@dataclass
class RealisedMass:
    """Sums what batches carried: target tokens per stream, language and source, masked prompts, and padding.

    `targets` and `prompts` are keyed by (stream, language, source). Its state is one small dict, for checkpoints.
    """

    targets: dict[tuple[str, str, str], int] = field(default_factory=dict)
    prompts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    tokens: int = 0
    padding: int = 0

    def add(self, batch: PackedBatch) -> None:
        counted = batch.labels != IGNORED
        for b, lengths in enumerate(batch.doc_lens):
            starts = np.cumsum(lengths) - lengths
            per_document = np.add.reduceat(counted[b].astype(np.int64), starts)
            self.tokens += int(lengths.sum())
            keys = zip(batch.doc_stream[b], batch.doc_language[b], batch.doc_source[b], strict=True)
            documents = zip(keys, starts.tolist(), lengths.tolist(), per_document.tolist(), strict=True)
            for key, start, length, targets in documents:
                if key[0] < 0:
                    self.padding += length
                    continue
                name = (batch.streams[key[0]], batch.languages[key[1]], batch.sources[key[2]])
                self.targets[name] = self.targets.get(name, 0) + targets
                # A document whose first label is masked has a masked prompt; the others only miss their last label.
                masked = targets > 0 and not counted[b, start]
                self.prompts[name] = self.prompts.get(name, 0) + (length - targets if masked else 0)

    def shares(self, by: Literal["stream", "language", "source"]) -> dict[str, float]:
        """Share of the target tokens served so far by name, sorted; empty before the first batch."""
        place = ("stream", "language", "source").index(by)
        total = sum(self.targets.values())
        found: dict[str, float] = {}
        for name, tokens in self.targets.items():
            found[name[place]] = found.get(name[place], 0.0) + tokens / total
        return dict(sorted(found.items()))

    @property
    def padding_ratio(self) -> float:
        """Share of all tokens that were padding."""
        return self.padding / self.tokens if self.tokens else 0.0

    def beside(self, plan: Plan, by: Literal["stream", "language", "source"]) -> dict[str, tuple[float, float]]:
        """`{name: (wanted share, realised share)}` against a plan."""
        served = self.shares(by)
        return {name: (wanted, served.get(name, 0.0)) for name, (wanted, _) in plan.shares(by).items()}

    def epochs(self, plan: Plan, by: Literal["stream", "language", "source"]) -> dict[str, float]:
        """How often the target tokens that a plan has of each stream, language or source were served so far."""
        served = self.shares(by)
        total = sum(self.targets.values())
        available: dict[str, int] = {}
        for one in plan.cells:
            name = getattr(one.cell, by)
            available[name] = available.get(name, 0) + one.available_tokens
        return {name: served.get(name, 0.0) * total / tokens for name, tokens in sorted(available.items())}

    def state(self) -> dict[str, Any]:
        return {
            "targets": [[*name, count] for name, count in sorted(self.targets.items())],
            "prompts": [[*name, count] for name, count in sorted(self.prompts.items())],
            "tokens": self.tokens,
            "padding": self.padding,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RealisedMass:
        targets = {(one[0], one[1], one[2]): int(one[3]) for one in state["targets"]}
        prompts = {(one[0], one[1], one[2]): int(one[3]) for one in state["prompts"]}
        return cls(targets, prompts, int(state["tokens"]), int(state["padding"]))


def realised_mass() -> RealisedMass:
    """An empty meter; `.add(batch)` each batch that was trained on."""
    return RealisedMass()
