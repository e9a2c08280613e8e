"""What one step of GRPO does to a model: the better likelier, the worse less likely, and nothing where nothing was learned."""

from __future__ import annotations

import math

import pytest
import torch

from tests.align.toy_alignment import SetJudges, make_prompt, make_recipe, make_stage, run_stage, said
from vaak.align.grpo import SpeechGRPO
from vaak.align.log_probabilities import log_probabilities
from vaak.align.rollouts import completion_ids
from vaak.errors import Interrupted
from vaak.model.layers import recompute_layers
from vaak.model.open import open_model

GOOD, BAD = said(1, 2, 3, 4), said(9, 8, 7)


def alternating(prompts, limits, seeds):
    """Of every pair of completions the first is good and the second bad."""
    return [(GOOD, BAD)[i % 2] for i in range(len(prompts))]


def likelihoods(model, prompt) -> list[float]:
    """Of the good and of the bad completion, summed over their tokens, in nats."""
    ids = torch.from_numpy(prompt.ids)
    with torch.no_grad():
        return [
            float(log_probabilities(model, [ids], [torch.tensor(completion_ids(model.vocabulary, one))])[0].sum())
            for one in (GOOD, BAD)
        ]


def parameters(model) -> list[torch.Tensor]:
    return [one.detach().clone() for one in model.parameters()]


@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_one_prompt_and_two_completions_move_as_they_were_rewarded(tmp_path, kl):
    prompt = make_prompt("one two three")
    recipe = make_recipe(prompts_per_step=1, group=2, microbatch=2, steps=1, kl=kl, checkpoints={"every": 1, "model_only_every": None, "milestones": None})  # fmt: skip
    stage = make_stage(tmp_path / "run", recipe, [prompt])
    before = likelihoods(stage.model, prompt)
    run_stage(stage, SetJudges(lambda _, one: 1.0 if one is GOOD else 0.0), alternating)
    after = likelihoods(stage.model, prompt)
    assert after[0] > before[0] and after[1] < before[1]


def test_the_other_way_round_they_move_the_other_way(tmp_path):
    prompt = make_prompt("one two three")
    stage = make_stage(tmp_path / "run", make_recipe(prompts_per_step=1, group=2, microbatch=2), [prompt])
    before = likelihoods(stage.model, prompt)
    run_stage(stage, SetJudges(lambda _, one: 0.0 if one is GOOD else 1.0), alternating)
    after = likelihoods(stage.model, prompt)
    assert after[0] < before[0] and after[1] > before[1]


@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_a_dropped_group_leaves_no_trace(tmp_path, kl):
    """A step of which every group was dropped changes no parameter."""
    prompt = make_prompt("one two three")
    stage = make_stage(tmp_path / "dropped", make_recipe(kl=kl), [prompt])
    before = parameters(stage.model)
    rows = run_stage(stage, SetJudges(lambda *_: None), alternating)
    assert all(torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))
    assert [row["skipped"] for row in rows] == [1, 2] and all(row["dropped"] == 1.0 for row in rows)
    assert "reward" not in rows[0]  # it is not zero: nobody said anything


def test_groups_that_are_dropped_do_not_dilute_the_others(tmp_path):
    alive, dropped = make_prompt("one two three"), make_prompt("red blue green")

    def word(prompt, one):
        return None if prompt.item == dropped.item else float(one is GOOD)

    both = make_stage(tmp_path / "both", make_recipe(microbatch=8, steps=1, checkpoints={"every": 1}), [alive, dropped])
    assert {both.prompts[0].item, both.prompts[1].item} == {alive.item, dropped.item}
    run_stage(both, SetJudges(word), alternating)
    alone = make_stage(
        tmp_path / "alone", make_recipe(prompts_per_step=1, microbatch=4, steps=1, checkpoints={"every": 1}), [alive]
    )
    run_stage(alone, SetJudges(word), alternating)
    for a, b in zip(both.model.parameters(), alone.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("recomputed", ["none", "selective", "full"])
def test_the_divergence_is_from_the_parent_whatever_is_recomputed(tmp_path, recomputed):
    """What is logged is the k3 estimate by hand, of the policy against the parent as it came; and the parent did not move."""
    prompt = make_prompt("one two three")
    recipe = make_recipe(
        kl=0.1, steps=3, prompts_per_step=1, microbatch=4, checkpoints={"every": 3},
        schedule={"peak_lr": 1e-2, "min_lr": 1e-2, "warmup_ratio": 0.0},
    )  # fmt: skip
    stage = make_stage(tmp_path / "run", recipe, [prompt])
    recompute_layers(stage.model, recomputed)
    parent, seen = open_model(stage.recipe.parent), []

    def draw(prompts, limits, seeds):
        ids = torch.from_numpy(prompt.ids)
        said = [torch.tensor(completion_ids(stage.model.vocabulary, one)) for one in (GOOD, BAD)]
        with torch.no_grad():
            policy, reference = (log_probabilities(one, [ids] * 2, said)[0] for one in (stage.model, parent))
        away = reference - policy
        seen.append(float((away.exp() - away - 1).mean()))
        return alternating(prompts, limits, seeds)

    rows = run_stage(stage, SetJudges(lambda _, one: float(one is GOOD)), draw)
    assert [row["kl"] for row in rows] == pytest.approx(seen, rel=1e-3, abs=1e-6) and seen[2] > 1e-3


def test_a_step_that_is_not_finite_is_skipped_and_saved(tmp_path, monkeypatch):
    stage = make_stage(tmp_path / "run", make_recipe(), [make_prompt("one two three")])
    before = parameters(stage.model)
    monkeypatch.setattr("vaak.align.grpo.SpeechGRPO._compute_loss",
                        lambda self, model, inputs: sum(one.sum() for one in model.parameters()) * float("nan"))  # fmt: skip
    rows = run_stage(stage, SetJudges(lambda _, one: float(one is GOOD)), alternating)
    assert rows[-1]["skipped"] == 2 and all(math.isnan(row["loss"]) for row in rows)
    assert all(torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))


def test_after_a_loss_that_is_not_finite_the_next_ones_are_told_as_they_are(tmp_path, monkeypatch):
    stage = make_stage(tmp_path / "run", make_recipe(steps=3), [make_prompt("one two three")])
    compute = SpeechGRPO._compute_loss

    def first_broken(self, model, inputs):
        return compute(self, model, inputs) * (float("inf") if self.state.global_step == 0 else 1.0)

    monkeypatch.setattr(SpeechGRPO, "_compute_loss", first_broken)
    rows = run_stage(stage, SetJudges(lambda _, one: float(one is GOOD)), alternating)
    assert [math.isfinite(row["loss"]) for row in rows] == [False, True, True]
    assert [row["skipped"] for row in rows] == [1, 1, 1]


def test_equal_rewards_teach_nothing_and_are_counted(tmp_path):
    stage = make_stage(tmp_path / "run", make_recipe(), [make_prompt("one two three")])
    before = parameters(stage.model)
    rows = run_stage(stage, SetJudges(lambda *_: 0.5), alternating)
    assert all(torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))
    assert rows[0]["dead"] == 1.0 and rows[0]["dropped"] == 0.0 and rows[0]["reward"] == 0.5


def test_the_model_learns_what_is_rewarded(tmp_path):
    """With its own draws: a reward for stopping early makes the speech shorter."""
    stage = make_stage(
        tmp_path / "run",
        make_recipe(steps=30, prompts_per_step=4, schedule={"peak_lr": 3e-3, "min_lr": 3e-3, "warmup_ratio": 0.0}),
        [make_prompt(text) for text in ("one two", "red blue", "old new", "big ten")],
    )
    rows = run_stage(stage, SetJudges(lambda _, one: 1.0 - len(one.codes) / 12))
    first, last = (sum(row["codes"] for row in rows[part]) / 5 for part in (slice(5), slice(-5, None)))
    assert last < first - 3
    assert all(math.isfinite(row["loss"]) and row["logp_difference_most"] < 1e-4 for row in rows)


def test_several_updates_of_one_batch_clip_and_use_old_probabilities(tmp_path):
    stage = make_stage(
        tmp_path / "run",
        make_recipe(steps=8, updates_per_batch=4, checkpoints={"every": 4}, clip=0.01,
                    schedule={"peak_lr": 1e-2, "min_lr": 1e-2, "warmup_ratio": 0.0}),
        [make_prompt("one two three")],
    )  # fmt: skip
    rows = run_stage(stage, SetJudges(lambda _, one: float(one is GOOD)), alternating)
    assert len(rows) == 8 and rows[0]["clipped"] == 0.0
    assert max(row["clipped"] for row in rows[1:4]) > 0


def test_the_figures_of_a_batch_are_told_once_however_many_steps_it_serves(tmp_path):
    """So that what all rows sum up to is what happened; the counts of the judges go on in every row."""
    recipe = make_recipe(steps=4, updates_per_batch=2)
    stage = make_stage(tmp_path / "run", recipe, [make_prompt("one two three")])
    rows = run_stage(stage, SetJudges(lambda _, one: float(one is GOOD)), alternating)
    of_a_batch = {"reward", "reward/language/en", "gated", "gated/short", "dropped", "codes", "drawing_s", "judging_s"}
    assert [of_a_batch & row.keys() for row in rows] == [of_a_batch, set(), of_a_batch, set()]
    assert all({"loss", "grad_norm", "lr", "judges/groups", "judges/judged"} <= row.keys() for row in rows)


@pytest.mark.parametrize(("kl", "updates"), [(0.0, 1), (0.1, 1), (0.0, 3)])
def test_interrupted_and_resumed_it_is_the_run_that_was_not(tmp_path, kl, updates):
    """Bit for bit, with the optimizer's state and the rates; the rows follow each other."""
    from vaak.align.stage import continue_from
    from vaak.checkpoint import list_checkpoints

    prompts = [make_prompt(text) for text in ("one two", "red blue", "old new")]
    recipe = make_recipe(steps=6, kl=kl, updates_per_batch=updates,
                         checkpoints={"every": 3, "model_only_every": None, "milestones": None},
                         schedule={"peak_lr": 3e-3, "min_lr": 1e-3, "warmup_ratio": 0.2})  # fmt: skip
    judges = SetJudges(lambda _, one: 1.0 - len(one.codes) / 12)
    whole = make_stage(tmp_path / "whole", recipe, prompts)
    rows = run_stage(whole, judges)
    broken = make_stage(tmp_path / "broken", recipe, prompts)
    with pytest.raises(Interrupted):
        run_stage(broken, judges, stop=lambda: broken.step == 3)
    checkpoint = list_checkpoints(tmp_path / "broken")[-1]
    assert checkpoint.step == 3
    again = make_stage(tmp_path / "broken", recipe, prompts, open_model(checkpoint.path))
    continue_from(again, checkpoint, lambda _: None)
    continued = run_stage(again, judges)
    assert [row["step"] for row in continued] == [1, 2, 3, 4, 5, 6]
    for name in ("reward", "lr", "codes", "grad_norm", "loss"):
        assert [row.get(name) for row in continued] == [row.get(name) for row in rows], name
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
