"""Where a run goes on, and where it refuses to."""

from pathlib import Path

import pytest

from tests.train.test_train import SHARD, quiet, stop_after
from tests.train.toy_stage import make_recipe
from vaak.checkpoint import list_checkpoints
from vaak.errors import BadInput, Interrupted
from vaak.recipe import load_recipe
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train


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
