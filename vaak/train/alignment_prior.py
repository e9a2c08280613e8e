"""Attention drawn, early in training, to the part of the text that is being said.

A language model has to find out by itself that speech says its text from left to right; on little data that is what it
learns last. A prior on the attention logits shows it: while code t of T is predicted, the logits of the transcript near its
place t/T (in bytes) are raised above those of the codes before, and those far from it are not. It is withdrawn during
training, since it knows how long the speech will be, and leaves an ordinary model. The idea is the alignment prior of
text-to-speech with attention (Badlani et al., 2021; Neekhara et al., 2024, in a language model); the form here is a
capped parabola in place of their beta-binomial, and raised, because here the text competes with the codes for attention.
docs/train.md has what it gained.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import PackedBatch

# What the logit is raised by at the place itself, and the bytes of text to either side at which it is a half lower.
RAISED = 8.0
WIDTH = 2.5
# The most that a logit is lowered by against the place itself.
DEEPEST = 10.0


def with_alignment_prior(
    batch: PackedBatch, strength: float, vocabulary: Vocabulary, text_bytes: NDArray[np.int64]
) -> PackedBatch:
    """`batch` with a `doc_bias` for each of its paired documents; `strength` 0 to 1 multiplies it.

    text_bytes: the bytes of each text id. A function of the documents alone: neither the cut into microbatches nor a
    resume changes it.
    """
    if strength == 0:
        return batch
    biases = []
    for ids, lengths in zip(batch.input_ids, batch.doc_lens, strict=True):
        documents = np.split(ids, np.cumsum(lengths)[:-1])
        biases.append([document_bias(one, strength, vocabulary, text_bytes) for one in documents])
    return dataclasses.replace(batch, doc_bias=biases)


def document_bias(
    ids: NDArray[np.int64], strength: float, vocabulary: Vocabulary, text_bytes: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """What is added to the attention logits of one document, float32[n, n] (query, key); None if it is not paired.

    Only logits between the places that predict codes or the stop and the transcript's tokens are changed, by
    `RAISED - min((distance / WIDTH)^2 / 2, DEEPEST)`, where the distance is in bytes of text.
    """
    starts = np.flatnonzero(ids == vocabulary.speech_start)
    if len(starts) != 1:
        return None
    start = int(starts[0])
    voice = np.flatnonzero(ids[:start] == vocabulary.voice_end)
    first = int(voice[-1]) + 1 if len(voice) else 0
    sizes = text_bytes[ids[first:start]]
    if sizes.sum() == 0:
        return None
    heard = (np.arange(start, len(ids)) - start + 0.5) / (len(ids) - start) * sizes.sum()
    middles = np.cumsum(sizes) - sizes / 2
    distance = (heard[:, None] - middles[None, :]) / WIDTH
    bias = np.zeros((len(ids), len(ids)), np.float32)
    bias[start:, first:start] = strength * (RAISED - np.minimum(distance**2 / 2, DEEPEST))
    return bias
