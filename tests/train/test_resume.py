"""Where a run goes on, and where it refuses to."""

import inspect
import time
from pathlib import Path

import pytest
import torch

import vaak.checkpoint.save as save_module
from tests.train.test_train import SHARD, quiet, stop_after
from tests.train.toy_stage import make_recipe
from vaak.checkpoint import LeaseWatch, Saver, list_checkpoints
from vaak.errors import BadInput, Interrupted
from vaak.recipe import load_recipe
from vaak.storage.tensors import read_tensors
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train
from vaak.train.saving import Saving


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    return run, train(make_recipe(toy), run, say=quiet)


def losses(run):
    return [row["loss"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_nothing_is_begun_anew_over_a_run_whose_checkpoints_are_all_damaged(toy, tmp_path):
    recipe = make_recipe(toy, checkpoints={"every": 5, "milestones": None, "keep_last_full": 1})
    with pytest.raises(Interrupted):
        train(recipe, tmp_path, stop=stop_after(11), say=quiet)
    assert [one.full for one in list_checkpoints(tmp_path)] == [False, False, True]
    flip(tmp_path / "checkpoints" / "step-00000011" / "training" / SHARD)
    with pytest.raises(BadInput, match=r"no checkpoint of .* can be resumed from .*does not have the content"):
        train(recipe, tmp_path, say=quiet)
    assert len(losses(tmp_path)) == 11 and list_checkpoints(tmp_path)[-1].complete


def test_retention_does_not_count_a_damaged_checkpoint(toy, tmp_path):
    recipe = make_recipe(toy, checkpoints={"every": 5, "milestones": None, "keep_last_full": 2})
    with pytest.raises(Interrupted):
        train(recipe, tmp_path, stop=stop_after(11), say=quiet)
    flip(tmp_path / "checkpoints" / "step-00000011" / "training" / SHARD)
    with pytest.raises(Interrupted, match="before step 11"):
        train(recipe, tmp_path, stop=stop_after(0), say=quiet)
    assert [(one.step, one.complete) for one in list_checkpoints(tmp_path)] == [(5, True), (10, True), (11, False)]
    train(recipe, tmp_path, say=quiet)
    assert [(one.step, one.full) for one in list_checkpoints(tmp_path)] == [(5, False), (10, True), (12, True)]


def test_a_run_that_ended_before_it_said_so_keeps_its_last_checkpoint(toy, tmp_path):
    recipe = make_recipe(toy, length={"steps": 2})
    final = train(recipe, tmp_path, say=quiet)
    before = list_checkpoints(tmp_path)
    (tmp_path / "DONE.json").unlink()
    assert train(recipe, tmp_path, say=quiet) == final
    assert list_checkpoints(tmp_path) == before and (tmp_path / "DONE.json").exists()


def test_a_relative_parent_is_found_again_and_another_is_written_down(whole, toy, tmp_path, monkeypatch):
    schedule = {"peak_lr": 5e-3, "min_lr": 5e-4, "warmup_ratio": 0.1}
    recipe = make_recipe(toy, length={"steps": 2}, schedule=schedule)
    monkeypatch.chdir(whole[0].parent)
    with pytest.raises(Interrupted, match="before step 1"):
        train(recipe, tmp_path, parent=Path(whole[0].name), stop=stop_after(0), say=quiet)
    assert load_recipe(tmp_path / "recipe.yaml").parent == str(whole[0].resolve())
    with pytest.raises(Interrupted):
        train(recipe, tmp_path, parent=whole[1], stop=stop_after(0), say=quiet)
    final = train(recipe, tmp_path, say=quiet)
    assert load_recipe(final / "recipe.yaml").parent == str(whole[1])


def test_a_folder_that_cannot_be_a_runs_is_said(toy, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(BadInput, match="cannot be a run's folder"):
            train(make_recipe(toy), out, say=quiet)


def test_when_to_save_and_what_to_keep_may_change(toy, tmp_path):
    policy = {"every": 5, "milestones": None, "keep_last_full": 3}
    with pytest.raises(Interrupted):
        train(make_recipe(toy, checkpoints=policy), tmp_path, stop=stop_after(6), say=quiet)
    final = train(make_recipe(toy, checkpoints={**policy, "every": 2, "keep_last_full": 1}), tmp_path, say=quiet)
    assert [(one.step, one.full) for one in list_checkpoints(tmp_path)] == [(5, False), (6, False), (8, False), (10, False), (12, True)]  # fmt: skip
    for saved in (tmp_path, final):
        assert load_recipe(saved / "recipe.yaml").checkpoints.every == 2


def test_a_finished_run_whose_last_checkpoint_is_damaged_does_its_last_steps_again(toy, tmp_path):
    final = train(make_recipe(toy), tmp_path, say=quiet)
    before = read_tensors(final / "model")
    flip(final / "model" / SHARD)
    said = []
    assert train(make_recipe(toy), tmp_path, say=said.append) == final
    assert any("passed over step-00000012" in one for one in said) and any("continues" in one for one in said)
    assert all(torch.equal(tensor, before[name]) for name, tensor in read_tensors(final / "model").items())


def test_files_that_somebody_moves_and_memory_that_is_short_cost_no_training(toy, tmp_path, monkeypatch):
    recipe, said, stage = make_recipe(toy, checkpoints={"every": 2, "milestones": None}), [], Saver.stage

    def on_step(done, of, words):
        if done == 3:
            (tmp_path / "recipe.yaml").rename(tmp_path / "moved.yaml")
        if done == 7:
            (tmp_path / "moved.yaml").rename(tmp_path / "recipe.yaml")

    def short(saver, content):
        if content.step == 6:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return stage(saver, content)

    monkeypatch.setattr(Saver, "stage", short)
    train(recipe, tmp_path, on_step=on_step, say=said.append)
    assert [one for one in said if "could not be saved" in one] == [
        "the checkpoint of step 6 could not be saved (there is no memory for its copies: DefaultCPUAllocator: can't allocate "
        "memory); training goes on"
    ]
    assert [one.step for one in list_checkpoints(tmp_path)] == [2, 4, 8, 10, 12]


def test_a_parent_is_held_while_a_stage_prepares_and_runs(whole, toy, tmp_path):
    schedule, held = {"peak_lr": 5e-3, "min_lr": 5e-4, "warmup_ratio": 0.1}, []

    def say(sentence):
        held.append((sentence.split()[0], LeaseWatch(whole[0]).held()))

    recipe = make_recipe(toy, length={"steps": 1}, schedule=schedule)
    train(recipe, tmp_path, parent=whole[0], say=say)
    prepared = dict(held)["weights"]
    assert prepared["step-00000012"].startswith("parent-") and LeaseWatch(whole[0]).held() == {}


def test_a_save_that_is_slow_is_said_and_never_overlaps(toy, tmp_path, monkeypatch):
    recipe = make_recipe(toy, checkpoints={"every": 2, "milestones": 6})
    write, running, most, said = save_module.write_tensors, [0], [0], []

    def slow(*arguments):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.5)
        write(*arguments)
        running[0] -= 1

    monkeypatch.setattr(save_module, "write_tensors", slow)
    monkeypatch.setattr(Saving, "after", inspect.unwrap(Saving.after))  # as it is: no step waits for a save
    train(recipe, tmp_path, say=said.append)
    steps = [one.step for one in list_checkpoints(tmp_path)]
    assert most[0] == 1 and 6 in steps and 12 in steps and len(steps) < 6, steps  # a milestone is waited for
    left_out = [one for one in said if "is not saved: the checkpoint of step" in one]
    assert len(left_out) == 6 - len(steps), said
