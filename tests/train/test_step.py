"""One step means the same however its rows are cut, and labels stand where they belong."""

import numpy as np
import pytest
import torch

from tests.train.toy_stage import SFT, make_recipe
from vaak.mixture import open_loader
from vaak.model import create_model
from vaak.recipe import plan_recipe
from vaak.train.meters import LossMeter
from vaak.train.optimizer import build_optimizer
from vaak.train.stage import open_data
from vaak.train.step import Stepper, gradients


@pytest.fixture(scope="module", params=["pretrain", "sft"])
def served(request, toy, tmp_path_factory):
    """Data, plan and a fresh model of a stage."""
    recipe = make_recipe(toy, **(SFT if request.param == "sft" else {}))
    data = open_data(recipe)
    plan = plan_recipe(
        recipe, data.corpora, tokenizer=data.tokenizer, vocabulary=data.vocabulary,
        cache_folder=tmp_path_factory.mktemp("cache"), excluded_ids=data.pack.excluded_ids if data.pack else (),
    )  # fmt: skip
    return recipe, data, plan, create_model(recipe.model, data.vocabulary, recipe.seed)


def batches(served, rows, microbatch):
    _, data, plan, _ = served
    loader = open_loader(plan, data.corpora, data.vocabulary, data.tokenizer, microbatch_rows=microbatch)
    return [next(loader) for _ in range(rows // microbatch)]


@pytest.mark.parametrize("microbatch", [1, 2, 4])
def test_gradients_do_not_depend_on_the_microbatch(served, microbatch):
    model = served[3]
    found = []
    for size in (8, microbatch):
        model.zero_grad()
        cut = batches(served, 8, size)
        assert len({one.n_targets for one in cut}) > 1 or size == 8  # uneven targets, or the test says nothing
        loss, _ = gradients(model, cut, "fp32")
        found.append((loss, {name: p.grad.clone() for name, p in model.named_parameters()}))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for name, gradient in found[0][1].items():
        assert (gradient - found[1][1][name]).norm() <= 1e-5 * gradient.norm(), name


def test_losses_by_group_add_up_to_the_total(served):
    batch = batches(served, 8, 8)[0]
    losses = np.random.default_rng(0).random(batch.labels.shape, np.float32) * (batch.labels >= 0)
    meter = LossMeter(served[1].vocabulary)
    meter.add(batch, losses)
    assert meter.targets[""] == batch.n_targets
    assert meter.means()["loss"] == pytest.approx(losses.sum() / batch.n_targets, rel=1e-6)
    for kind in ("stream/", "language/", "source/"):
        assert sum(n for name, n in meter.targets.items() if name.startswith(kind)) == batch.n_targets
        assert sum(v for name, v in meter.losses.items() if name.startswith(kind)) == pytest.approx(
            losses.sum(), rel=1e-5
        )
    one = (np.repeat(batch.doc_language[0], batch.doc_lens[0]) == batch.languages.index("hi")) & (batch.labels[0] >= 0)
    single = LossMeter(served[1].vocabulary)
    single.add(batches(served, 1, 1)[0], losses[:1])
    if one.any():
        assert single.means()["loss/language/hi"] == pytest.approx(losses[0][one].mean(), rel=1e-5)


def test_after_a_few_steps_the_next_token_is_the_one_that_is_predicted_best(toy, served):
    """A label shifted once too often would make the token after the next one the best."""
    recipe, data, _, _ = served
    model = create_model(recipe.model, data.vocabulary, seed=5)
    stepper = Stepper(model, build_optimizer(model, recipe.optimizer, 1e-2), 1.0, "fp32")
    rows = batches(served, 32, 8)
    for _ in range(6):
        for batch in rows:
            stepper.step([batch], 1e-2)
    batch = rows[0]
    with torch.no_grad():
        lens = [list(map(int, one)) for one in batch.doc_lens]
        states = model.hidden(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.position_ids), lens)
        logp = torch.log_softmax(states @ model.head[: data.vocabulary.size].t(), dim=-1)
    losses = {}
    for shift in (0, 1, 2):
        found = []
        for b, row_lens in enumerate(lens):
            start = 0
            for n, tag in zip(row_lens, batch.doc_stream[b], strict=True):
                places = np.arange(start, start + n - 2)
                places = places[batch.labels[b, places] >= 0] if tag >= 0 else places[:0]
                found.append(-logp[b, places, batch.input_ids[b, places + shift]])
                start += n
        losses[shift] = float(torch.cat(found).mean())
    assert losses[1] < min(losses[0], losses[2]) - 0.5


def test_decay_is_on_matrices_only(served):
    model = served[3]
    optimizer = build_optimizer(model, served[0].optimizer, 1e-3)
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    for name, parameter in model.named_parameters():
        wanted = name.endswith("proj.weight")
        assert (id(parameter) in decayed) == wanted, name


def test_lanes_give_the_gradients_of_one_microbatch_after_the_other(served, one_thread):
    model, cut = served[3], batches(served, 8, 2)
    found = []
    for lanes in (1, 3):  # four microbatches in three lanes
        model.zero_grad()
        loss, per_token = gradients(model, cut, "fp32", lanes)
        found.append((loss, per_token, [p.grad.clone() for p in model.parameters()]))
    assert found[0][0] == found[1][0]
    assert all(np.array_equal(one, two) for one, two in zip(found[0][1], found[1][1], strict=True))
    assert all(torch.equal(one, two) for one, two in zip(found[0][2], found[1][2], strict=True))
