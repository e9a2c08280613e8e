"""Stages with LoRA: what moves, runs that are interrupted, what comes after them, and several processes."""

from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.train.lora_on_ranks import ROWS, after_lora_steps
from tests.train.on_ranks import ended, start_ranks
from tests.train.test_train import quiet, stop_after, weights
from tests.train.toy_stage import make_recipe
from vaak.checkpoint import export_model, load_state
from vaak.errors import BadInput, Interrupted
from vaak.model import LoraSettings, create_model, open_model
from vaak.model.lora import add_lora
from vaak.recipe import OptimizerSettings, ParallelSettings, load_recipe, save_recipe
from vaak.storage.tensors import read_tensors
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train
from vaak.train.optimizer import build_optimizer
from vaak.train.step import Stepper, gradients
from vaak.train.world import World

LORA = {"rank": 4, "alpha": 8}
LOWER = {"peak_lr": 5e-3, "min_lr": 5e-4, "warmup_ratio": 0.1}
FILES = ("model", "training")


def lora_recipe(toy, **changes):
    return make_recipe(toy, **{"name": "adapted", "lora": LORA, "schedule": LOWER, **changes})


@pytest.fixture(autouse=True)
def seeded():
    """The state of the global generator is saved with a run, and runs are compared whole."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def parent(toy, tmp_path_factory):
    """The final checkpoint of an ordinary run."""
    torch.set_num_threads(1)
    return train(make_recipe(toy, length={"steps": 6}, pack=None), tmp_path_factory.mktemp("parent") / "run", say=quiet)


@pytest.fixture(scope="module")
def whole(toy, parent, tmp_path_factory):
    """A run with LoRA over that parent which nothing disturbed, and what it said."""
    said = []
    torch.manual_seed(0)
    return train(lora_recipe(toy), tmp_path_factory.mktemp("whole") / "run", parent=parent, say=said.append), said


def same_files(one, two):
    for name in FILES:
        here, there = read_tensors(one / name), read_tensors(two / name)
        assert here.keys() == there.keys()
        assert all(torch.equal(here[key], there[key]) for key in here), name


def test_a_checkpoint_holds_an_ordinary_model_with_the_base_rows_of_its_parent(whole, parent, tmp_path):
    final, said = whole
    assert any(one.startswith("lora: 0.0 M of") and "68 new rows" in one for one in said)
    before, after = weights(parent), weights(final)
    assert before.keys() == after.keys()
    exported = export_model(final, tmp_path / "model", dtype="float32")
    opened, plain = open_model(final), AutoModelForCausalLM.from_pretrained(exported)
    first, size = opened.vocabulary.base_size, opened.vocabulary.size
    for name, tensor in after.items():
        if name == "model.embed_tokens.weight":
            assert torch.equal(tensor[:first], before[name][:first])
            assert (tensor[first:size] != before[name][first:size]).any(dim=1).all()
        else:
            assert torch.equal(tensor, before[name]) != name.endswith("proj.weight"), name
    ids = torch.randint(0, size, (2, 20))
    with torch.no_grad():
        assert torch.equal(opened.lm(ids).logits[..., :size], plain(ids).logits)
    rows = [row["loss"] for row in read_jsonl(final.parents[1] / "metrics.jsonl") if "loss" in row]
    assert rows[-1] < 0.95 * rows[0]
    # Moments are kept of what is trained alone.
    tensors = read_tensors(final / "training")
    moments = {name.removeprefix("exp_avg/lm.") for name in tensors if name.startswith("exp_avg/")}
    trained = {name.removeprefix("lora/") for name in tensors if name.startswith("lora/")}
    assert moments == trained and len(trained) == 2 * 7 * 2 + 1


@pytest.mark.parametrize("at", [1, 7])
def test_a_stopped_run_continues_to_the_bit(whole, parent, toy, tmp_path, at):
    with pytest.raises(Interrupted):
        train(lora_recipe(toy), tmp_path / "run", parent=parent, stop=stop_after(at), say=quiet)
    torch.rand(3)
    # Its own recipe still names the parent.
    said = []
    same_files(train(lora_recipe(toy), tmp_path / "run", say=said.append), whole[0])
    assert not any("optimizer starts anew" in sentence for sentence in said)


def test_a_run_over_an_untied_base_model_folder_with_muon_and_lanes_continues_to_the_bit(toy, served, tmp_path):
    recipe = make_recipe(toy)
    untied = recipe.model.model_copy(update={"config": {**(recipe.model.config or {}), "tie_word_embeddings": False}})
    data, _ = served
    base = create_model(untied, data.vocabulary, seed=4)
    base.lm.save_pretrained(tmp_path / "text")
    torch.set_num_threads(2)
    changes = dict(model={"path": str(tmp_path / "text")}, optimizer={"kind": "muon"}, microbatch_rows=2, pack=None)
    recipe = lora_recipe(toy, **changes, length={"steps": 4})
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "cut", stop=stop_after(2), say=quiet)
    finals = [train(recipe, tmp_path / run, say=quiet) for run in ("cut", "whole")]
    same_files(*finals)
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "lost", stop=stop_after(2), say=quiet)
    rows = weights(finals[0])
    first = data.vocabulary.base_size
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(rows[name][:first], base.lm.state_dict()[name][:first])
    with torch.no_grad():
        base.lm.model.norm.weight[0] += 1
    base.lm.save_pretrained(tmp_path / "text")
    with pytest.raises(BadInput, match="holds other weights"):
        train(recipe, tmp_path / "lost", say=quiet)


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_stage_that_follows_begins_from_the_merged_weights(whole, toy, tmp_path, lora):
    schedule = {"peak_lr": 1e-3, "min_lr": 1e-4, "warmup_ratio": 0.0}
    recipe = lora_recipe(toy, name="next", lora=lora, schedule=schedule, length={"steps": 1}, pack=None)
    final = train(recipe, tmp_path / "next", parent=whole[0], say=quiet)
    before, after = weights(whole[0]), weights(final)
    assert all(torch.allclose(after[name], before[name], atol=2e-3) for name in before)
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"]) == (lora is not None)
    assert ("lora" in load_state(final)) == (lora is not None)


def test_another_base_than_the_one_it_began_from_is_refused(whole, parent, toy, tmp_path):
    recipe, run = lora_recipe(toy), tmp_path / "run"
    with pytest.raises(Interrupted):
        train(recipe, run, parent=parent, stop=stop_after(2), say=quiet)
    other = lora_recipe(toy, allow_higher_peak=True)
    resumed = partial(train, say=quiet)
    with pytest.raises(BadInput, match=r"began from run/6/\w+, and run/5/\w+ holds other weights"):
        resumed(recipe, run, parent=parent.with_name("step-00000005"))
    with pytest.raises(BadInput, match="gone"):
        resumed(recipe, run, parent=tmp_path / "gone")
    with pytest.raises(BadInput, match="allow_higher_peak"):
        resumed(other, run, parent=parent)
    with pytest.raises(BadInput, match="began with lora"):
        resumed(lora_recipe(toy, lora={"rank": 8}), run, parent=parent)
    same_files(resumed(recipe, run, parent=parent), whole[0])


def test_an_untrained_model_is_refused_before_anything_is_written(toy, tmp_path):
    with pytest.raises(BadInput, match=r"untrained model .*name model\.path or a parent"):
        train(lora_recipe(toy), tmp_path / "run", say=quiet)
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_unknown_targets_and_keys_of_a_recipe_are_named(toy, tmp_path):
    save_recipe(make_recipe(toy), tmp_path / "recipe.yaml")
    with pytest.raises(BadInput, match=r"'lora.targets': .*only gate_proj"):
        load_recipe(tmp_path / "recipe.yaml", ["lora={targets: [gate_poj]}"])
    with pytest.raises(BadInput, match=r"unknown key 'lora.rnk'; did you mean 'lora.rank'"):
        load_recipe(tmp_path / "recipe.yaml", ["lora={rnk: 3}"])
    with pytest.raises(BadInput, match=r"unknown key 'lora.dropout'"):
        load_recipe(tmp_path / "recipe.yaml", ["lora={dropout: 0.1}"])
    assert load_recipe(tmp_path / "recipe.yaml", ["lora={}"]).lora == LoraSettings()


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def model(request, toy, served):
    recipe = make_recipe(toy)
    config = {**(recipe.model.config or {}), "tie_word_embeddings": request.param}
    model = create_model(recipe.model.model_copy(update={"config": config}), served[0].vocabulary, 1)
    add_lora(model, LoraSettings.model_validate(LORA), 1)
    return model


@pytest.mark.parametrize("settings", [{}, {"decay_embedding": True}, {"kind": "muon", "decay_embedding": True}])
def test_no_optimizer_moves_what_is_frozen(model, served, settings):
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    stepper = Stepper(model, build_optimizer(model, OptimizerSettings.model_validate(settings), 1e-2), 1.0, "fp32")
    for step in range(3):
        stepper.step(served[1](4, step), 1e-2)
    for name, parameter in model.named_parameters():
        moved = name.endswith("new_rows") or ".lora_" in name
        # Integers of the same bits: not even the sign of a zero changes.
        same = torch.equal(parameter.detach().view(torch.int32), before[name].view(torch.int32))
        assert same != moved, name


def test_new_rows_of_the_embedding_are_decayed_as_an_embedding_is(model):
    for decay, kind in ((False, "adamw"), (True, "adamw"), (False, "muon")):
        optimizer = build_optimizer(
            model, OptimizerSettings.model_validate({"kind": kind, "decay_embedding": decay}), 1e-3
        )
        decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
        for name, parameter in model.named_parameters():
            wanted = ".lora_" in name or name == "lm.lm_head.new_rows" or (decay and name.endswith("tokens.new_rows"))
            assert (id(parameter) in decayed) == wanted, name
        if kind == "muon":
            by_muon = {id(p) for p in optimizer.param_groups[0]["params"]}
            assert by_muon == {id(p) for name, p in model.named_parameters() if ".lora_" in name}


def test_gradients_do_not_depend_on_microbatch_and_lanes(model, served):
    batches = served[1]
    stepper = Stepper(model, build_optimizer(model, OptimizerSettings(), 1e-2), 1.0, "fp32")
    stepper.step(batches(8), 1e-2)  # B begins at nothing, and A then has no gradient
    found = []
    for microbatch, lanes in ((8, 1), (2, 1), (2, 3)):
        model.zero_grad()
        gradients(model, batches(microbatch), "fp32", lanes)
        found.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    assert all(".lora_" in name or name.endswith("new_rows") for name in found[0])
    for name, wanted in found[0].items():
        assert (found[1][name] - wanted).norm() <= 1e-5 * wanted.norm(), name
        assert torch.equal(found[1][name], found[2][name]), name


@pytest.mark.slow
def test_two_processes_train_the_same_as_one(toy, parent, tmp_path):
    """Copies and cut ones, step by step in float64; then a whole run that is stopped and goes on."""
    recipe = lora_recipe(toy, length={"steps": 3}, parent=str(parent), checkpoints={"every": 2}, pack=None)
    runs = {kind: tmp_path / kind for kind in ("ddp", "fsdp")}
    save_recipe(recipe, tmp_path / "recipe.yaml")
    results = ended(start_ranks(2, "-m", "tests.train.lora_on_ranks", str(toy), str(tmp_path)))
    assert all(code == 0 for code, _ in results), results
    wanted = after_lora_steps(toy, tmp_path / "alone", World(), ParallelSettings(), ROWS)
    alone = weights(train(recipe, tmp_path / "one", say=quiet))
    for kind, run in runs.items():
        found = load_file(tmp_path / f"{kind}.safetensors")
        assert found.keys() == wanted.keys() and any(name.startswith("exp_avg/") for name in found)
        for name, tensor in wanted.items():
            assert torch.allclose(found[name], tensor.double(), rtol=1e-9, atol=1e-9), (kind, name)
        # Adam is sensitive to the last bits of small gradients in float32: near, and frozen ones the same.
        together = weights(run / "checkpoints" / "step-00000003")
        assert together.keys() == alone.keys()
        for name, tensor in alone.items():
            assert torch.allclose(together[name], tensor, atol=1e-3), (kind, name)
        assert torch.equal(together["model.norm.weight"], alone["model.norm.weight"])
        trained = {name for name in read_tensors(run / "checkpoints/step-00000003/training") if name.startswith("lora/")}  # fmt: skip
        assert len(trained) == 2 * 7 * 2 + 1
