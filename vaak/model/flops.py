"""How many floating-point operations a training step has to do, whatever way it does them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def matrix_parameters(config: Any) -> int:
    """Numbers in the matrices of all layers: those that every token is multiplied with. Embedding and head are not among them.

    config: a transformers configuration of a dense Qwen3 or Llama.
    """
    hidden, width = config.hidden_size, config.head_dim
    queries, keys = config.num_attention_heads * width, config.num_key_value_heads * width
    attention = hidden * queries + 2 * hidden * keys + queries * hidden
    return config.num_hidden_layers * (attention + 3 * hidden * config.intermediate_size)


def training_flops(config: Any, vocabulary_size: int, doc_lens: Iterable[int], n_targets: int) -> int:
    """Model FLOPs of one forward and backward pass over documents, a multiplication and an addition counted as two.

    A matrix takes 2 operations a token and number forward and 4 backward (Kaplan et al., arXiv:2001.08361); the head takes
    them at the `n_targets` positions that have a target only, an embedding lookup takes none. Attention is counted by
    document and causally: token t of a document sees t + 1 tokens, each at 4 operations a layer, head and number of a
    head forward (its logit and its value) and 8 backward. Nothing that is computed again is counted (the convention of
    PaLM's MFU, arXiv:2204.02311, appendix B), nor norms, activations, softmax and optimizer.

    doc_lens: lengths of the documents, without padding. vocabulary_size: rows of the head that take part.
    """
    lens = [int(n) for n in doc_lens]
    matrices = 6 * matrix_parameters(config) * sum(lens)
    head = 6 * config.hidden_size * vocabulary_size * n_targets
    pairs = sum(n * (n + 1) // 2 for n in lens)
    attention = 12 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * pairs
    return matrices + head + attention
