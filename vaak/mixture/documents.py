"""Paired samples as the documents that they become: how many prompt ids and codes each has, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaak.corpus import Group
from vaak.mixture.cells import BLOCK, Kept
from vaak.mixture.order import key_of, mix64
from vaak.mixture.transcripts import Transcripts

_VOICE_KEY = np.uint64(key_of("keep the voice description"))


@dataclass(frozen=True)
class Documents:
    """Some documents: sample number, whether the voice description is shown, prompt ids (its own marks counted), codes."""

    samples: NDArray[np.int64]
    voiced: NDArray[np.bool_]
    prompts: NDArray[np.int64]
    codes: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Ids of each, the start and end of speech counted."""
        return self.prompts + self.codes + 2

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, part: slice | NDArray[np.bool_]) -> Documents:
        return Documents(self.samples[part], self.voiced[part], self.prompts[part], self.codes[part])

    @classmethod
    def joined(cls, parts: Sequence[Documents]) -> Documents:
        return cls(
            np.concatenate([part.samples for part in parts]),
            np.concatenate([part.voiced for part in parts]),
            np.concatenate([part.prompts for part in parts]),
            np.concatenate([part.codes for part in parts]),
        )


@dataclass(frozen=True)
class Totals:
    """Sums over documents. `prompted` counts those that have a prompt at all."""

    documents: int
    tokens: int
    prompts: int
    codes: int
    prompted: int


class PairedDocuments:
    """The documents of some samples of a paired group that fit into a row of `context`, a block at a time.

    `kept` None stands for all samples; `given` is how many there are, `totals` the sums over those that fit.
    """

    def __init__(
        self, group: Group, kept: Kept | None, transcripts: Transcripts, voice_keep: float, context: int
    ) -> None:
        self._group, self._kept, self._transcripts = group, kept, transcripts
        self._voice_keep, self._context = voice_keep, context
        self.given = group.n_samples if kept is None else kept.n
        sums = np.zeros(5, np.int64)
        for block in self.blocks():
            prompts = block.prompts
            each = (block.samples >= 0, block.lengths, prompts, block.codes, prompts > 0)
            sums += [int(values.sum()) for values in each]
        self.totals = Totals(*sums.tolist())

    def blocks(self) -> Iterator[Documents]:
        """The documents in the order of the samples."""
        for samples in self._samples():
            voice = self._transcripts.voice_lengths_of(samples)
            voiced = (voice > 0) & keeps_voice(samples, self._voice_keep)
            prompts = self._transcripts.lengths_of(samples) + np.where(voiced, voice + 2, 0)
            found = Documents(samples, voiced, prompts, self._group.lengths_of(samples))
            fits = found.lengths <= self._context
            yield found if fits.all() else found[fits]

    def _samples(self) -> Iterator[NDArray[np.int64]]:
        if self._kept is not None:
            return self._kept.blocks()
        n = self._group.n_samples
        return (np.arange(first, min(first + BLOCK, n)) for first in range(0, n, BLOCK))


def keeps_voice(samples: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which samples show their voice description: a fixed draw per sample number, `share` of them on average (bool[n])."""
    draw = mix64(samples.astype(np.uint64) ^ _VOICE_KEY) >> np.uint64(11)
    return draw.astype(np.float64) / 2.0**53 < share
