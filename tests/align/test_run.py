"""A whole alignment of the shipped model, a few steps long: its folder, its figures, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from tests.align.toy_alignment import step_rows
from tests.train.on_ranks import ended, start_ranks
from vaak.align.run import align
from vaak.checkpoint import export_model, list_checkpoints, load_state
from vaak.errors import BadInput, Interrupted
from vaak.model.open import open_model
from vaak.recipe import load_align_recipe

SMALL = ["steps=2", "prompts_per_step=2", "group=2", "microbatch=2", "checkpoints.every=1", "prompts.most_seconds=2.5",
         "prompts.languages={en: 0.5, hi: 0.5}", "judges.asr=pocketsphinx"]  # fmt: skip


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("aligned") / "run"
    align(load_align_recipe("grpo-tiny", SMALL), run, say=quiet)
    return run


@pytest.mark.slow
def test_a_run_leaves_what_every_run_leaves(done):
    assert json.loads((done / "DONE.json").read_text())["step"] == 2
    assert [(one.step, one.complete, one.full) for one in list_checkpoints(done)] == [
        (0, True, True),
        (1, True, True),
        (2, True, True),
    ]
    rows = step_rows(done)
    assert [row["step"] for row in rows] == [1, 2] and rows[-1]["judges/groups"] == 4
    assert {"reward", "reward/similarity", "reward/quality", "grad_norm", "lr", "entropy", "drawing_s"} <= rows[
        0
    ].keys()
    assert "reward/content" not in rows[0]  # without a pack nobody has measured the recogniser
    assert max(row["logp_difference_most"] for row in rows) < 1e-4
    state = load_state(list_checkpoints(done)[-1].path)
    assert state["kind"] == "grpo" and state["trusted"] == [] and state["last"]["reward"] == rows[-1]["reward"]


@pytest.mark.slow
def test_step_0_is_the_model_as_it_came_and_the_last_is_another(done):
    import vaak.demo

    came = open_model(vaak.demo.model_folder())
    first, last = (open_model(list_checkpoints(done)[place].path) for place in (0, -1))
    for a, b in zip(came.parameters(), first.parameters(), strict=True):
        assert torch.equal(a, b)
    assert any(not torch.equal(a, b) for a, b in zip(came.parameters(), last.parameters(), strict=True))


@pytest.mark.slow
def test_a_checkpoint_becomes_an_export_that_speaks(done, tmp_path):
    from vaak.speak.speech import open_speaker, speak

    export_model(list_checkpoints(done)[-1].path, tmp_path / "export")
    card = (tmp_path / "export" / "README.md").read_text(encoding="utf-8")
    assert "alignment by rewards (GRPO)" in card and "Languages: English, Hindi." in card
    assert "| `reward` |" in card and "nats per token" not in card
    model, tokenizer, codec = open_speaker(tmp_path / "export")
    wave, generation = speak(model, tokenizer, codec, "The blue boat is near the old bridge.")
    assert generation.stopped and len(wave) > codec.output_rate


@pytest.mark.slow
def test_a_finished_run_is_not_run_again_and_another_recipe_is_refused(done):
    before = (done / "metrics.jsonl").read_bytes()
    align(load_align_recipe("grpo-tiny", SMALL), done, say=quiet)
    assert (done / "metrics.jsonl").read_bytes() == before
    with pytest.raises(BadInput, match=r"began with clip = 0\.2, the recipe now says 0\.1"):
        align(load_align_recipe("grpo-tiny", [*SMALL, "clip=0.1"]), done, say=quiet)
    with pytest.raises(BadInput, match="already holds a run"):
        align(load_align_recipe("grpo-tiny", SMALL), done, resume=False, say=quiet)


@pytest.mark.slow
def test_asked_to_stop_it_saves_and_goes_on_to_the_same_model(done, tmp_path):
    asked = []
    with pytest.raises(Interrupted, match="stopped after step 1 of 2"):
        align(load_align_recipe("grpo-tiny", SMALL), tmp_path / "run", stop=lambda: bool(asked),
              on_step=lambda *_: asked.append(True), say=quiet)  # fmt: skip
    align(load_align_recipe("grpo-tiny", SMALL), tmp_path / "run", say=quiet)
    whole, again = (open_model(list_checkpoints(run)[-1].path) for run in (done, tmp_path / "run"))
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    counts = [step_rows(run)[-1]["judges/groups"] for run in (done, tmp_path / "run")]
    assert counts[0] == counts[1] == 4


ON_RANKS = """
import sys
import torch
torch.set_num_threads(1)
from vaak.align.run import align
from vaak.recipe import load_align_recipe
align(load_align_recipe("grpo-tiny", sys.argv[2:]), sys.argv[1], say=lambda _: None)
"""


@pytest.mark.slow
def test_two_processes_do_what_one_does(done, tmp_path):
    """The same prompts, draws and rewards, and gradients that are summed over both: the same step but for rounding."""
    ranks = start_ranks(2, "-c", ON_RANKS, str(tmp_path / "run"), *SMALL)
    assert [code for code, _ in ended(ranks)] == [0, 0]
    one, two = (step_rows(run) for run in (done, tmp_path / "run"))
    assert two[0]["reward"] == pytest.approx(one[0]["reward"], abs=1e-5)
    assert two[0]["judges/groups"] == one[0]["judges/groups"]
    # A mean over microbatches here and over all tokens there, so not the same to the last digit.
    assert two[0]["entropy"] == pytest.approx(one[0]["entropy"], rel=1e-2)
    assert two[0]["grad_norm"] == pytest.approx(one[0]["grad_norm"], rel=1e-2)
    a, b = (open_model(list_checkpoints(run)[1].path) for run in (done, tmp_path / "run"))
    for left, right in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=2e-4, rtol=0)


def test_what_does_not_fit_is_said_in_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="do not divide by a microbatch of 7"):
        load_align_recipe("grpo-tiny", ["microbatch=7"])
    with pytest.raises(BadInput, match="did you mean 'prompts_per_step'"):
        load_align_recipe("grpo-tiny", ["prompt_per_step=7"])
    with pytest.raises(BadInput, match="vllm_server and server belong together"):
        load_align_recipe("grpo-tiny", ["rollouts.engine=vllm_server"])
    with pytest.raises(BadInput, match="holds no complete checkpoint"):
        align(load_align_recipe("grpo-tiny", [f"parent={tmp_path}"]), tmp_path / "run", say=quiet)
    assert sorted(os.listdir(tmp_path / "run")) == [".lock", "recipe.yaml"]
