"""Gradients that are too strange to step along: which they are, that nothing of them stays, and what is written down."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.train.toy_stage import make_recipe
from vaak.checkpoint import load_state
from vaak.errors import CheckFailed
from vaak.model.speech_lm import SpeechLM
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train
from vaak.train.spikes import FEWEST, SIGMAS, SKIPS_IN_A_ROW, WINDOW, SpikeGuard


def quiet(_):
    pass


def test_a_norm_is_a_spike_six_deviations_above_the_last_ones():
    guard = SpikeGuard()
    norms = np.random.default_rng(0).normal(2.0, 0.5, 200).clip(0.5)
    assert [guard.judge(norm, 1.0) for norm in norms] == [None] * 200
    window = norms[-WINDOW:]
    limit = window.mean() + SIGMAS * window.std()
    assert guard.limit == pytest.approx(limit)
    assert guard.judge(limit * 1.01, 1.0) == "spike"
    assert guard.limit == pytest.approx(limit)  # what is skipped does not move what is usual
    assert guard.judge(limit * 0.99, 1.0) is None


def test_nothing_is_a_spike_before_the_usual_is_known():
    guard = SpikeGuard()
    for _ in range(FEWEST):
        assert guard.judge(1.0, 1.0) is None
        if len(guard.norms) < FEWEST:
            assert guard.limit == math.inf
    assert guard.judge(1.5, 1.0) is None  # of norms that are all alike the deviation is a tenth of them at least
    assert guard.judge(2.0, 1.0) == "spike"


@given(st.lists(st.sampled_from([1.0, 1.2, math.nan, math.inf]), max_size=300))
def test_what_is_not_finite_is_counted_and_never_in_the_window(norms):
    guard = SpikeGuard()
    for norm in norms:
        assert guard.judge(norm, 1.0) == (None if math.isfinite(norm) else "nonfinite")
    assert all(map(math.isfinite, guard.norms))
    assert guard.nonfinite == guard.skipped == sum(not math.isfinite(norm) for norm in norms)
    again = SpikeGuard.from_state(json.loads(json.dumps(guard.state())))
    assert again == guard and again.limit == guard.limit


def test_a_run_of_bad_steps_ends_and_a_good_one_between_begins_anew():
    guard = SpikeGuard()
    for _ in range(SKIPS_IN_A_ROW - 1):
        guard.judge(math.nan, 1.0)
    guard.check((0, 7))
    guard.judge(1.0, 1.0)
    guard.judge(1.0, math.nan)
    guard.check((8, 15))
    for _ in range(SKIPS_IN_A_ROW - 1):
        guard.judge(math.inf, 1.0)
    with pytest.raises(CheckFailed, match=rf"{SKIPS_IN_A_ROW} steps in a row .* rows 16 to 23"):
        guard.check((16, 23))


@pytest.fixture
def spoiled(monkeypatch):
    """Multiplies the loss of chosen rows, in which gradients are then not finite or far too large."""
    good, factors = SpeechLM.forward_loss, {}

    def forward_loss(self, batch):
        output = good(self, batch)
        factor = next((factors[row] for row in batch.rows if row in factors), 1.0)
        return replace(output, sum=output.sum * factor) if torch.is_grad_enabled() else output

    monkeypatch.setattr(SpeechLM, "forward_loss", forward_loss)
    return factors


def test_a_skipped_step_is_written_down_so_that_its_rows_can_be_looked_at(toy, tmp_path, spoiled):
    spoiled[20] = math.nan  # in the third step
    spoiled[8 * 40 + 3] = 1e4  # in step 41, when the usual is known
    said = []
    final = train(make_recipe(toy, pack=None, length={"steps": 45}), tmp_path / "run", say=said.append)
    dumps = {path.name: json.loads(path.read_text()) for path in (tmp_path / "run" / "skipped").iterdir()}
    assert {name: dump["fault"] for name, dump in dumps.items()} == {
        "step-00000003.json": "nonfinite",
        "step-00000041.json": "spike",
    }
    spike = dumps["step-00000041.json"]
    assert [one["row"] for one in spike["rows"]] == list(range(320, 328))
    assert spike["grad_norm"] > spike["limit"] and all(one["loss"] > 0 for one in spike["rows"])
    assert sum("was skipped" in sentence for sentence in said) == 2
    rows = {row["step"]: row for row in read_jsonl(tmp_path / "run" / "metrics.jsonl") if "loss" in row}
    assert [rows[step]["skipped"] for step in (2, 3, 40, 41, 45)] == [0, 1, 1, 2, 2]
    assert (rows[45]["nonfinite"], rows[45]["spikes"]) == (1, 1)
    assert load_state(final)["guard"]["spikes"] == 1


def test_a_skipped_step_changes_no_weight_and_no_moment(served, toy):
    from vaak.model import create_model
    from vaak.train.optimizer import build_optimizer, optimizer_tensors
    from vaak.train.step import Stepper

    data, batches = served
    recipe = make_recipe(toy)
    model = create_model(recipe.model, data.vocabulary, 0)
    stepper = Stepper(model, build_optimizer(model, recipe.optimizer, 1e-3), 1.0, "fp32")
    assert stepper.step(batches(8), 1e-3).fault is None
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moments = {name: tensor.clone() for name, tensor in optimizer_tensors(model, stepper.optimizer).items()}
    stepper.guard.norms.clear()
    stepper.guard.norms.extend([1e-6] * FEWEST)
    assert stepper.step(batches(8), 1e-3).fault == "spike"
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    after = optimizer_tensors(model, stepper.optimizer)
    assert all(torch.equal(after[name], tensor) for name, tensor in moments.items())
