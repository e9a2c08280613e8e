"""Losses by stream, language, source and kind of token, as means over target tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import PackedBatch, Plan, RealisedMass
from vaak.train.world import World

AUDIO, TEXT = "audio", "text"


@dataclass
class LossMeter:
    """Sums of losses and counts of targets by name.

    `audio` counts targets that are codes or speech_end, `text` those of the base tokenizer; the other control tokens
    are in the total alone.
    """

    vocabulary: Vocabulary
    losses: dict[str, float] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)

    def add(self, batch: PackedBatch, per_token: NDArray[np.float32]) -> None:
        """per_token: float32[B, L], nats, 0 where there is no target."""
        labels = batch.labels.reshape(-1)
        losses = per_token.reshape(-1).astype(np.float64)
        counted = labels >= 0
        self._sum("", losses, counted)
        audio = (labels >= self.vocabulary.first_speech_id) | (labels == self.vocabulary.speech_end)
        self._sum(AUDIO, losses, audio)
        self._sum(TEXT, losses, counted & (labels < self.vocabulary.base_size))
        lengths = np.concatenate(batch.doc_lens)
        for kind, tags, names in (
            ("stream", batch.doc_stream, batch.streams),
            ("language", batch.doc_language, batch.languages),
            ("source", batch.doc_source, batch.sources),
        ):
            # Padding has tag -1; shifted by one it falls into a first bin that nobody reads.
            place = np.repeat(np.concatenate(tags).astype(np.int64) + 1, lengths)
            sums = np.bincount(place, weights=losses, minlength=len(names) + 1)
            counts = np.bincount(place, weights=counted, minlength=len(names) + 1)
            for name, loss, count in zip(names, sums[1:], counts[1:], strict=True):
                self._put(f"{kind}/{name}", float(loss), int(count))

    def means(self, total: str = "loss", prefix: str = "loss/") -> dict[str, float]:
        """`{total: mean, prefix + name: mean}` over everything that had a target."""
        return {
            (prefix + name if name else total): self.losses[name] / count
            for name, count in self.targets.items()
            if count
        }

    def vector(self) -> NDArray[np.float64]:
        """Sums and counts in a fixed order: ranks whose batches come from one plan have the same names in the same order."""
        return np.array([*self.losses.values(), *self.targets.values()], np.float64)

    def with_vector(self, vector: NDArray[np.float64]) -> LossMeter:
        """A meter of the same names with the sums and counts of a vector, say that of all ranks."""
        n = len(self.losses)
        losses = dict(zip(self.losses, vector[:n].tolist(), strict=True))
        targets = dict(zip(self.targets, vector[n:].astype(np.int64).tolist(), strict=True))
        return LossMeter(self.vocabulary, losses, targets)

    def _sum(self, name: str, losses: NDArray[np.float64], where: NDArray[np.bool_]) -> None:
        self._put(name, float(losses[where].sum()), int(where.sum()))

    def _put(self, name: str, loss: float, count: int) -> None:
        self.losses[name] = self.losses.get(name, 0.0) + loss
        self.targets[name] = self.targets.get(name, 0) + count


def total_mass(own: RealisedMass, plan: Plan, world: World) -> RealisedMass:
    """The sum over all ranks of what each served of a plan; all ranks call this."""
    if world.size == 1:
        return own
    names = sorted({(cell.cell.stream, cell.cell.language, cell.cell.source) for cell in plan.cells})
    counted = (*(own.targets.get(name, 0) for name in names), *(own.prompts.get(name, 0) for name in names))
    found = [round(number) for number in world.total([*counted, own.tokens, own.padding])]
    n = len(names)
    targets = {name: count for name, count in zip(names, found[:n], strict=True) if count}
    prompts = {name: count for name, count in zip(names, found[n : 2 * n], strict=True) if name in targets}
    return RealisedMass(targets, prompts, found[-2], found[-1])
