"""A small model to save."""

from __future__ import annotations

import pytest

from vaak.grammar.vocabulary import Vocabulary
from vaak.model import ModelSettings, create_model


@pytest.fixture(scope="session")
def model():
    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8)
    settings = ModelSettings(config={"model_type": "qwen3", **sizes, "intermediate_size": 16})
    return create_model(settings, Vocabulary(base_size=300, codebook_size=40, end_of_text_id=299), seed=0)
