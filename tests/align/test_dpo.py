"""What DPO does to a model: TRL's loss is the paper's over codes and the stop token, and a run goes on where it was left."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

from tests.align.test_pairs import pair, side
from tests.align.toy_alignment import TOKENIZER, VOCABULARY, make_model, make_recipe, step_rows
from vaak.align import run
from vaak.align.dpo import SpeechDPO
from vaak.align.log_probabilities import log_probabilities
from vaak.align.pairs import Pair, PairOrder, identity, open_pairs, write_pairs
from vaak.align.stage import AlignStage, continue_from
from vaak.checkpoint import list_checkpoints
from vaak.codec import open_codec
from vaak.errors import BadInput, Interrupted
from vaak.model.open import open_model
from vaak.recipe import AlignRecipe, save_recipe
from vaak.track import JsonlTracker
from vaak.train.optimizer import build_optimizer
from vaak.train.world import World

BETA = 0.1
PAIRS = [pair(n, [n, n + 1, n + 2], [40 + n, 30 + n], stopped=n % 2 == 0) for n in range(6)]


def dpo_recipe(**changes) -> AlignRecipe:
    fields = {"kind": "dpo", "pairs": "pairs", "kl": BETA, "prompts_per_step": 2, "microbatch": 4, "steps": 1,
              "checkpoints": {"every": 100, "model_only_every": None, "milestones": None}}  # fmt: skip
    return make_recipe(**{**fields, **changes})


def dpo_stage(folder: Path, recipe: AlignRecipe, pairs=None, model=None) -> AlignStage[PairOrder]:
    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / "recipe.yaml")
    if not (folder / "pairs").exists():
        words = identity("toy/0/0", VOCABULARY, TOKENIZER, open_codec("embedded"))
        write_pairs(folder / "pairs", pairs or PAIRS, {**words, "trusted": []})
    model = model or make_model()
    order = PairOrder(open_pairs(folder / "pairs"), VOCABULARY, recipe.seed)
    optimizer = build_optimizer(model, recipe.optimizer, recipe.schedule.peak_lr)
    return AlignStage(recipe, folder, World(), TOKENIZER, open_codec("embedded"), order, None, frozenset(), model, optimizer, 0,
                      {"parent": "toy/0/0"})  # fmt: skip


def run_stage(stage: AlignStage[PairOrder], reference=None, stop=lambda: False) -> list[dict]:
    """The rows of steps after `stage` has run to its end; the reference is a model as it was made, if none is given."""
    reference = reference or make_model()
    with ExitStack() as opened:
        opened.enter_context(patch("vaak.align.dpo.open_reference", lambda stage: reference.requires_grad_(False)))
        tracker = opened.enter_context(JsonlTracker(stage.folder / "metrics.jsonl", stage.step, lambda _: None))
        run.run_stage(stage, [tracker], None, stop, lambda _: None)
    return step_rows(stage.folder)


def by_hand(model, one: Pair) -> tuple[float, float]:
    """Log-probability of the chosen and of the rejected completion: full logits of one sequence at a time, and of these the
    softmax over codes and the stop token, written out."""
    allowed = [VOCABULARY.speech_end, *range(VOCABULARY.first_speech_id, VOCABULARY.size)]
    found = []
    for said in (one.chosen, one.rejected):
        ids = torch.tensor([*one.prompt.tolist(), *said.tolist()])
        with torch.no_grad():
            logits = model.lm(input_ids=ids[None]).logits[0].double()
        places = range(len(one.prompt), len(ids))
        found.append(sum(float(logits[i - 1, ids[i]] - logits[i - 1, allowed].logsumexp(0)) for i in places))
    return found[0], found[1]


def margin(model, one: Pair) -> float:
    with torch.no_grad():
        sums = [
            float(log_probabilities(model, [torch.from_numpy(one.prompt)], [torch.from_numpy(said)])[0].sum())
            for said in (one.chosen, one.rejected)
        ]
    return sums[0] - sums[1]


@pytest.mark.parametrize("microbatch", [2, 4])  # two microbatches of one pair, and one of two
def test_the_loss_is_that_of_the_paper_over_codes_and_the_stop_token(tmp_path, microbatch):
    stage = dpo_stage(tmp_path / "run", dpo_recipe(microbatch=microbatch), model=make_model(seed=2))
    before, reference = make_model(seed=2), make_model(seed=1)
    row = run_stage(stage, make_model(seed=1))[0]
    losses, chosen, rejected, logps = [], [], [], []
    for one in (stage.prompts[0], stage.prompts[1]):
        now, then = by_hand(before, one), by_hand(reference, one)
        chosen.append(BETA * (now[0] - then[0]))
        rejected.append(BETA * (now[1] - then[1]))
        losses.append(-F.logsigmoid(torch.tensor(chosen[-1] - rejected[-1])).item())
        logps.append(now[0])
    assert row["loss"] == pytest.approx(sum(losses) / 2, abs=1e-5)
    assert row["reward/chosen"] == pytest.approx(sum(chosen) / 2, abs=1e-5)
    assert row["reward/rejected"] == pytest.approx(sum(rejected) / 2, abs=1e-5)
    assert row["margin"] == pytest.approx((sum(chosen) - sum(rejected)) / 2, abs=1e-5)
    assert row["preferred"] == sum(c > r for c, r in zip(chosen, rejected, strict=True)) / 2
    assert row["logp/chosen"] == pytest.approx(sum(logps) / 2, abs=1e-3)


def test_at_its_parent_the_loss_is_log_two_and_one_step_prefers_the_chosen(tmp_path):
    stage = dpo_stage(tmp_path / "run", dpo_recipe())
    pairs = [stage.prompts[0], stage.prompts[1]]
    before = [margin(stage.model, one) for one in pairs]
    row = run_stage(stage)[0]
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert row["margin"] == pytest.approx(0, abs=1e-6)
    assert all(margin(stage.model, one) > was for one, was in zip(pairs, before, strict=True))


def test_a_step_in_microbatches_is_the_step_in_one(tmp_path):
    whole, parts = (dpo_stage(tmp_path / str(size), dpo_recipe(prompts_per_step=4, microbatch=size)) for size in (8, 2))
    rows = [run_stage(one)[0] for one in (whole, parts)]
    assert rows[0]["grad_norm"] == pytest.approx(rows[1]["grad_norm"], rel=1e-4)
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_equal_completions_leave_everything_finite(tmp_path):
    equal = [{**pair(0, [1, 2], [1, 2]), "rejected": side([1, 2])}]
    stage = dpo_stage(tmp_path / "run", dpo_recipe(steps=3), equal)
    rows = run_stage(stage)
    assert all(row["loss"] == pytest.approx(math.log(2), abs=1e-6) and math.isfinite(row["grad_norm"]) for row in rows)
    assert all(bool(torch.isfinite(one).all()) for one in stage.model.parameters())


def test_a_loss_that_is_not_finite_is_told_as_such_and_the_step_skipped(tmp_path, monkeypatch):
    stage = dpo_stage(tmp_path / "run", dpo_recipe(steps=2))
    compute = SpeechDPO._compute_loss

    def first_broken(self, model, inputs, *more):
        return compute(self, model, inputs, *more) * (float("nan") if self.state.global_step == 0 else 1.0)

    monkeypatch.setattr(SpeechDPO, "_compute_loss", first_broken)
    first, second = run_stage(stage)
    assert math.isnan(first["loss"]) and math.isfinite(second["loss"])
    assert first["skipped"] == second["skipped"] == 1


def test_it_learns_the_preference_and_tells_what_becomes_of_the_chosen_alone(tmp_path):
    stage = dpo_stage(tmp_path / "run", dpo_recipe(steps=20, schedule={"peak_lr": 3e-3, "min_lr": 3e-3, "warmup_ratio": 0.0}))  # fmt: skip
    rows = run_stage(stage)
    assert rows[-1]["margin"] > 0.5 and rows[-1]["preferred"] == 1.0 and rows[-1]["loss"] < rows[0]["loss"]
    assert all(row["logp/chosen"] < 0 and row["logp/rejected"] < 0 for row in rows)
    assert rows[-1]["logp/rejected"] < rows[0]["logp/rejected"]


def test_interrupted_and_resumed_it_is_the_run_that_was_not(tmp_path):
    """Bit for bit; the reference is the parent, not the model that the run stands at."""
    recipe = dpo_recipe(steps=6, schedule={"peak_lr": 3e-3, "min_lr": 1e-3, "warmup_ratio": 0.2})
    whole, broken = dpo_stage(tmp_path / "whole", recipe), dpo_stage(tmp_path / "broken", recipe)
    rows = run_stage(whole)
    with pytest.raises(Interrupted):
        run_stage(broken, stop=lambda: broken.step == 3)
    checkpoint = list_checkpoints(tmp_path / "broken")[-1]
    assert checkpoint.step == 3 and list_checkpoints(tmp_path / "broken")[0].step == 0
    again = dpo_stage(tmp_path / "broken", recipe, model=open_model(checkpoint.path))
    continue_from(again, checkpoint, lambda _: None)
    continued = run_stage(again)
    assert [row["step"] for row in continued] == [1, 2, 3, 4, 5, 6]
    for name in ("loss", "lr", "margin", "logp/chosen", "grad_norm"):
        assert [row[name] for row in continued] == [row[name] for row in rows], name
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_other_pairs_are_another_run(tmp_path):
    recipe = dpo_recipe(checkpoints={"every": 1, "model_only_every": None, "milestones": None})
    run_stage(dpo_stage(tmp_path / "run", recipe))
    checkpoint = list_checkpoints(tmp_path / "run")[-1]
    other = dpo_stage(tmp_path / "other", recipe, PAIRS[:4], open_model(checkpoint.path))
    with pytest.raises(BadInput, match="other prompts"):
        continue_from(other, checkpoint, lambda _: None)


def test_the_reference_of_a_continued_run_is_its_parent(tmp_path):
    from vaak.align.stage import open_reference

    recipe = dpo_recipe(checkpoints={"every": 1, "model_only_every": None, "milestones": None})
    stage = dpo_stage(tmp_path / "parent", recipe)
    run_stage(stage)
    parent = list_checkpoints(tmp_path / "parent")[-1]
    child = dpo_stage(tmp_path / "child", dpo_recipe(parent=str(parent.path)), model=make_model(seed=9))
    child.state["parent"] = parent.id
    reference = open_reference(child)
    assert all(torch.equal(a, b) for a, b in zip(reference.parameters(), stage.model.parameters(), strict=True))
    assert not any(one.requires_grad for one in reference.parameters())
    child.state["parent"] = "another/0/1"
    with pytest.raises(BadInput, match="name that one as the parent"):
        open_reference(child)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"microbatch": 3}, "even microbatch"),
        ({"prompts_per_step": 3}, "3 prompts of 2 completions do not divide by a microbatch of 4"),
        ({"updates_per_batch": 2, "steps": 2}, "each batch once"),
        ({"pairs": None}, "vaak align pairs"),
        ({"kl": 0.0}, "its beta"),
    ],
)
def test_a_recipe_that_says_nothing_for_pairs_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dpo_recipe(**changes)
