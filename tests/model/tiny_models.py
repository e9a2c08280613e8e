"""Small models and packed batches for the tests of this room."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from vaak.grammar.vocabulary import Vocabulary
from vaak.model import ModelSettings

VOCABULARY = Vocabulary(base_size=60, codebook_size=100, end_of_text_id=0)


def architecture(kind: str = "qwen3", **more) -> ModelSettings:
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8)
    return ModelSettings(
        config={"model_type": kind, **sizes, "intermediate_size": 48, "max_position_embeddings": 128, **more}
    )


def batch(lens: list[list[int]], seed: int = 0, masked: float = 0.0) -> SimpleNamespace:
    """A packed batch with random ids: documents of `lens` per row, a share of the labels taken out."""
    random = np.random.default_rng(seed)
    ids = random.integers(0, VOCABULARY.size, (len(lens), sum(lens[0])))
    labels = np.roll(ids, -1, axis=1)
    for row, row_lens in zip(labels, lens, strict=True):
        row[np.cumsum(row_lens) - 1] = -100
    labels[random.random(labels.shape) < masked] = -100
    positions = np.stack([np.concatenate([np.arange(n) for n in row]) for row in lens])
    doc_lens = [np.array(row, np.int32) for row in lens]
    return SimpleNamespace(input_ids=ids, labels=labels, position_ids=positions, doc_lens=doc_lens, doc_bias=None)
