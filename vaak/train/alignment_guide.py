"""A loss on attention itself: while speech is learned, attention learns to follow the text.

The prior (`alignment_prior`) puts attention where the text is being said, from outside, and what it shows is lost when it
goes. The guide asks for the same of the attention without the prior: of three heads in four of every layer, at each place
that predicts a code, the cross-entropy between a bell around what is being said and the attention to all that the place
sees. It knows how long the speech will be, the model need not: it learns the pace. The idea is the guided attention of
Tachibana et al. (2018) for text-to-speech; there it is a penalty on what is far, here a target, since the heads of a
language model would else rest on the codes. docs/train.md has what it gained.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import Guide, PackedBatch
from vaak.train.alignment_prior import spoken_path

# Standard deviation of the bell, in bytes of text: speech does not keep an even pace.
WIDTH = 4.0


def with_alignment_guide(
    batch: PackedBatch, strength: float, vocabulary: Vocabulary, text_bytes: NDArray[np.int64]
) -> PackedBatch:
    """`batch` with a `doc_guide` for each of its paired documents; `strength` 0 to 1 is its weight beside a code's loss."""
    if strength == 0:
        return batch
    guides = []
    for ids, lengths in zip(batch.input_ids, batch.doc_lens, strict=True):
        documents = np.split(ids, np.cumsum(lengths)[:-1])
        guides.append([document_guide(one, strength, vocabulary, text_bytes) for one in documents])
    return dataclasses.replace(batch, doc_guide=guides)


def document_guide(
    ids: NDArray[np.int64], strength: float, vocabulary: Vocabulary, text_bytes: NDArray[np.int64]
) -> Guide | None:
    """The guide of one document; None if it is not paired. A longer token has more of the bell, by its bytes."""
    path = spoken_path(ids, vocabulary, text_bytes)
    if path is None:
        return None
    depth = (path.distance / WIDTH) ** 2 / 2
    bell = np.exp(depth.min(axis=1, keepdims=True) - depth) * path.sizes
    return Guide(path.first, path.start, (strength * bell / bell.sum(axis=1, keepdims=True)).astype(np.float32))
