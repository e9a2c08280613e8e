"""Rows of `checkpoint/*`: what became of each save, told by the thread of the training."""

import threading

import pytest

from tests.train.test_train import quiet, stop_after
from tests.train.toy_stage import make_recipe
from vaak.checkpoint import Saver, list_checkpoints
from vaak.errors import Interrupted
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train


def rows_of(run):
    return [row for row in read_jsonl(run / "metrics.jsonl") if any(name.startswith("checkpoint/") for name in row)]


def test_a_row_before_the_first_step_and_one_after_each_save(toy, tmp_path):
    train(make_recipe(toy), tmp_path, say=quiet)
    first, *saved = rows_of(tmp_path)
    assert first == {"step": 0, "checkpoint/every": 5, "checkpoint/next": 5, "checkpoint/failed": 0}
    assert [row["checkpoint/step"] for row in saved] == [5, 10, 12]
    assert [row.get("checkpoint/next") for row in saved] == [10, 12, None]  # the last step is saved in any case
    for row, one in zip(saved, list_checkpoints(tmp_path), strict=True):
        files = [path for path in one.path.rglob("*") if path.is_file()]
        sizes = sum(path.stat().st_size for path in files if path.name not in ("MANIFEST.json", "COMPLETE.json"))
        assert row["checkpoint/bytes"] == sizes
        assert row["checkpoint/seconds"] > 0 and row["checkpoint/failed"] == 0
    assert not any("loss" in row for row in [first, *saved])  # they are no rows of steps


@pytest.mark.slow
def test_a_run_that_goes_on_says_from_which_checkpoint(toy, tmp_path):
    with pytest.raises(Interrupted):
        train(make_recipe(toy), tmp_path, say=quiet, stop=stop_after(7))
    assert rows_of(tmp_path)[-1]["checkpoint/step"] == 7
    train(make_recipe(toy), tmp_path, say=quiet)
    steps = [(row["step"], row.get("checkpoint/step")) for row in rows_of(tmp_path)]
    assert steps[:3] == [(0, None), (6, 5), (7, 7)]
    assert steps[3] == (7, 7) and [saved for _, saved in steps[4:]] == [10, 12]


def test_a_save_that_fails_is_counted_and_names_no_checkpoint(toy, tmp_path, monkeypatch):
    write = Saver._write

    def full_disk(saver, content, held):
        if content.step == 5:
            raise OSError(28, "No space left on device")
        return write(saver, content, held)

    monkeypatch.setattr(Saver, "_write", full_disk)
    train(make_recipe(toy), tmp_path, say=quiet)
    failed = [(row.get("checkpoint/step"), row["checkpoint/failed"]) for row in rows_of(tmp_path)]
    assert failed == [(None, 0), (None, 1), (10, 1), (12, 1)]


def test_a_save_that_is_left_out_is_counted_too(toy, tmp_path, monkeypatch):
    """The save of step 5 goes on until step 10 has found it so."""
    write, left_out, said = Saver._write, threading.Event(), []

    def slow(saver, content, held):
        if content.step == 5:
            assert left_out.wait(60)
        return write(saver, content, held)

    def say(line):
        said.append(line)
        if "step 10 is not saved" in line:
            left_out.set()

    monkeypatch.setattr(Saver, "_write", slow)
    monkeypatch.setattr("vaak.train.saving.Saving.after", Saving_after)
    train(make_recipe(toy), tmp_path, say=say)
    counts = {row["checkpoint/failed"] for row in rows_of(tmp_path)}
    assert counts == {0, 1} and rows_of(tmp_path)[-1]["checkpoint/step"] == 12


def Saving_after(saving, done):
    """Without the fixture's wait for each save."""
    saving.checkpointing.after(done.step, done.last or done.stopping)
