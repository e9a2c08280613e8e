"""Bytes of checkpoints against real ones, and what is kept against retention taken step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaak.checkpoint import due, model_due, save_checkpoint
from vaak.checkpoint.policy import kept
from vaak.grammar.vocabulary import Vocabulary
from vaak.launch.cost_model import Shape, parameters
from vaak.launch.cost_storage import bytes_per_token, full_bytes, model_bytes, most_kept
from vaak.model import ModelSettings, create_model
from vaak.recipe import Cadence, CheckpointSettings, load_recipe
from vaak.train.optimizer import build_optimizer, optimizer_tensors

CONFIG = {
    "model_type": "qwen3", "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 32, "intermediate_size": 384, "tie_word_embeddings": True,
}  # fmt: skip
VOCABULARY = Vocabulary(2000, 4096, 0)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_checkpoint_has_the_bytes_of_a_real_one(kind, tied, tmp_path):
    recipe = load_recipe("pt-s2-tiny", [f"optimizer={{kind: {kind}}}"])
    shape = Shape({**CONFIG, "tie_word_embeddings": tied}, VOCABULARY)
    model = create_model(ModelSettings(config=shape.config), VOCABULARY, 0)
    optimizer = build_optimizer(model, recipe.optimizer, 1e-4)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    numbers = parameters(shape, recipe)
    for tensors, expected in ((None, model_bytes), (optimizer_tensors(model, optimizer), full_bytes)):
        saved = save_checkpoint(tmp_path / f"{expected.__name__}", 1, model, state={}, tensors=tensors)
        held = sum(one.stat().st_size for one in saved.path.rglob("*.safetensors"))
        assert held == pytest.approx(expected(numbers, recipe), rel=0.01)


@dataclass(frozen=True)
class Saved:
    step: int
    full: bool


def one_by_one(policy: CheckpointSettings, steps: int) -> tuple[int, int]:
    """Every step of a stage in turn."""
    held, most = [], (0, 0)
    for step in range(1, steps + 1):
        if not (due(policy, step) or model_due(policy, step) or step == steps):
            continue
        held.append(Saved(step, due(policy, step) or step == steps))
        full = sum(one.full for one in held)
        most = max(most, (full, len(held) - full))
        whole, models = kept(held, policy)
        held = [Saved(one.step, one.full and one.step in whole) for one in held if one.step in whole | models]
    return most


POLICIES = st.builds(
    CheckpointSettings,
    every=st.one_of(
        st.integers(1, 40), st.just((Cadence(every=5, until=30), Cadence(every=20, until=100), Cadence(every=35)))
    ),
    model_only_every=st.one_of(st.none(), st.integers(1, 30)),
    milestones=st.one_of(st.none(), st.integers(20, 100)),
    keep_last_full=st.integers(1, 5),
    keep_last_model_only=st.integers(0, 6),
)


@given(POLICIES, st.integers(1, 400))
def test_what_is_kept_at_most_is_what_retention_leaves_step_by_step(policy, steps):
    assert most_kept(policy, steps) == one_by_one(policy, steps)


def test_a_long_stage_keeps_its_milestones_and_an_unknown_one_the_last_few():
    policy = CheckpointSettings()
    assert most_kept(policy, None) == (6, 20)
    # Seven milestones up to step 350,000, the last five whole ones and the one that is written.
    assert most_kept(policy, 381_470)[0] in (12, 13)


def test_a_token_of_a_row_has_two_bytes_of_codes_and_four_of_text():
    assert bytes_per_token(load_recipe("pt-s3").mixture) == 2.0
    assert np.isclose(bytes_per_token(load_recipe("pt-s1").mixture), 0.9 * 2 + 0.1 * 4)
