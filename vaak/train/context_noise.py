"""Codes of the context replaced by others while training, so that the model has to look at the text.

The codes before a code foretell most of it, and a small model first learns to read nothing else. Where some of them are
wrong, the transcript is worth more, and speech and text are aligned earlier; Tacotron's dropout before its decoder does
the same (Shen et al., 2018). Targets are never touched. docs/train.md has what it gained.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import PackedBatch


def with_context_noise(batch: PackedBatch, share: float, vocabulary: Vocabulary, seed: int) -> PackedBatch:
    """`batch` with that share of the codes in `input_ids` replaced, each by a code drawn from its own row.

    A function of the seed and the row numbers alone, so neither the cut into microbatches nor a resume changes it.
    """
    if share == 0:
        return batch
    noisy = batch.input_ids.copy()
    for ids, row in zip(noisy, batch.rows, strict=True):
        codes = np.flatnonzero(ids >= vocabulary.first_speech_id)
        rng = np.random.default_rng([seed, int(row)])
        hit = codes[rng.random(len(codes)) < share]
        if len(hit):
            ids[hit] = rng.choice(ids[codes], len(hit))
    return dataclasses.replace(batch, input_ids=noisy)
