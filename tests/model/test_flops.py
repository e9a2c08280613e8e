"""Operations as counted by hand are those that torch sees being done."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from tests.model.tiny_models import VOCABULARY, architecture
from vaak.model.flops import matrix_parameters, training_flops
from vaak.model.open import create_model


def counted(lm, n: int) -> int:
    """What torch counts of one document, all of whose positions have a target, through full logits."""
    ids = torch.arange(n)[None] % VOCABULARY.size
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        lm(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@pytest.mark.parametrize("n", [7, 32])
def test_operations_are_those_that_torch_counts(kind, n):
    model = create_model(architecture(kind), VOCABULARY, 0)
    config = model.config
    lm = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    # Torch multiplies whole squares, of which a document needs the lower half with its diagonal.
    width = config.num_hidden_layers * config.num_attention_heads * config.head_dim
    square, needed = 12 * width * n * n, 12 * width * n * (n + 1) // 2
    own = training_flops(config, VOCABULARY.padded_size, [n], n)
    assert counted(lm, n) == own - needed + square


def test_documents_are_counted_apart_and_the_head_by_targets():
    config = create_model(architecture(), VOCABULARY, 0).config
    both = training_flops(config, VOCABULARY.size, [5, 9], 12)
    apart = training_flops(config, VOCABULARY.size, [5], 4) + training_flops(config, VOCABULARY.size, [9], 8)
    assert both == apart < training_flops(config, VOCABULARY.size, [14], 12)
    masked = training_flops(config, VOCABULARY.size, [5, 9], 2)
    assert both - masked == 6 * config.hidden_size * VOCABULARY.size * 10


def test_the_matrices_are_those_of_the_model():
    model = create_model(architecture(), VOCABULARY, 0)
    held = sum(p.numel() for name, p in model.lm.named_parameters() if p.ndim == 2 and "embed_tokens" not in name)
    assert matrix_parameters(model.config) == held
