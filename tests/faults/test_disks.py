"""Disks that fill up or may not be written: training goes on, what was good stays good, and each is said in one sentence."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from tests.small_disk import on_small_disk
from tests.train.test_train import quiet
from tests.train.toy_stage import make_corpus, make_recipe, saves_waited_for
from vaak.checkpoint import list_checkpoints, verify_checkpoint
from vaak.errors import BadInput
from vaak.recipe import save_recipe
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train

# Trains in a small file system of its own; which is filled at one step and emptied at another.
SCRIPT = """
import sys
from pathlib import Path
from tests.train.toy_stage import saves_waited_for
from vaak.errors import BadInput
from vaak.recipe import load_recipe
from vaak.train.loop import train

recipe, disk, fill, empty = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
filler = disk / "filler"

def on_step(done, of, words):
    if done == fill:
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        log = disk / "run" / "metrics.jsonl"  # the page that it has begun is its own: a row that fills it, so that the next finds no room
        room = -log.stat().st_size % 4096
        if room > 40:
            with open(log, "ab", buffering=0) as file:
                file.write(b'{"step": %d, "rest": "%s"}\\n' % (done, b"x" * (room - 24 - len(str(done)))))
    if done == empty:
        filler.unlink()

try:
    with saves_waited_for():
        train(load_recipe(recipe), disk / "run", on_step=on_step, say=print)
except BadInput as error:
    print("BadInput:", error)
"""


@pytest.fixture(autouse=True)
def every_save():
    with saves_waited_for():
        yield


@pytest.fixture
def small_disk(tmp_path):
    """Runs the script inside a file system of six megabytes; gives what it said and the files that it left, copied out."""
    toy = make_corpus(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)

    def run(fill: int, empty: int) -> list[str]:
        save_recipe(make_recipe(toy, checkpoints={"every": 2, "milestones": None}, pack=None), tmp_path / "toy.yaml")
        train_it = f"{sys.executable} {tmp_path}/script.py {tmp_path}/toy.yaml {tmp_path}/disk {fill} {empty}"
        copy = f"rm -f {tmp_path}/disk/filler; cp -a {tmp_path}/disk/run {tmp_path}/copy"
        done = on_small_disk(tmp_path / "disk", "6m", f"{train_it} && {copy}")
        assert done.returncode == 0, done
        return done.stdout.splitlines()

    return run


def complete(run):
    assert all(verify_checkpoint(one.path) == [] for one in list_checkpoints(run) if one.complete)
    return [one.step for one in list_checkpoints(run) if one.complete]


@pytest.mark.slow
def test_a_full_disk_costs_checkpoints_and_rows_but_not_the_training(small_disk, tmp_path):
    said = small_disk(fill=5, empty=9)
    lost = [line for line in said if "could not be saved" in line]
    assert any("step 6" in line and "training goes on" in line for line in lost), said
    assert any("takes no more rows" in line for line in said) and any("takes rows again" in line for line in said)
    assert complete(tmp_path / "copy") == [2, 4, 10, 12] and (tmp_path / "copy" / "DONE.json").exists()
    assert [one.step for one in list_checkpoints(tmp_path / "copy")] == [2, 4, 10, 12]  # no remains that fill it
    assert read_jsonl(tmp_path / "copy" / "metrics.jsonl")[-1]["step"] == 12


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_end_is_said_and_the_run_continues_later(small_disk, tmp_path):
    said = small_disk(fill=9, empty=99)
    assert said[-1].startswith("BadInput: the checkpoint of step 12 could not be saved")
    assert "continues from the checkpoint before" in said[-1] and len(said[-1]) < 600
    assert complete(tmp_path / "copy")[-1] == 8


def test_a_folder_that_may_not_be_written_is_refused_before_anything_is_read(tmp_path):
    mount = f"mkdir {tmp_path}/run && mount -t tmpfs -o ro none {tmp_path}/run"
    command = f"{sys.executable} -m vaak.cli.main train {tmp_path}/toy.yaml --out {tmp_path}/run"
    save_recipe(make_recipe(make_corpus(tmp_path), corpora=[str(tmp_path / "nowhere")]), tmp_path / "toy.yaml")
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"]).returncode:
        pytest.skip("no file system can be mounted here without more rights")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && {command}"], env=environment, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "cannot be a run's folder (Read-only file system); name another one" in done.stderr


def test_a_save_that_fails_in_a_place_that_may_not_be_written_is_said_and_training_goes_on(tmp_path):
    """What stands where the folder of a checkpoint should be is no folder: nothing can be saved at that step."""
    run, said = tmp_path / "run", []
    toy = make_corpus(tmp_path)

    def on_step(done, of, words):
        if done == 4:
            (run / "checkpoints").write_text("")
        if done == 9:
            (run / "checkpoints").unlink()

    recipe = make_recipe(toy, checkpoints={"every": 5, "milestones": None}, pack=None)
    train(recipe, run, on_step=on_step, say=said.append)
    assert sum("step 5 could not be saved" in one and "training goes on" in one for one in said) == 1, said
    assert complete(run) == [10, 12]


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumps_changes_no_checkpoint_and_no_loss(tmp_path, monkeypatch, jump):
    recipe = make_recipe(make_corpus(tmp_path), checkpoints={"every": 3, "milestones": 6, "keep_last_full": 1, "keep_last_model_only": 1})  # fmt: skip
    train(recipe, tmp_path / "plain", say=quiet)
    real, asked = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + jump * (next(asked) % 2))
    train(recipe, tmp_path / "jumping", say=quiet)
    plain, jumping = (tmp_path / name for name in ("plain", "jumping"))
    assert [(one.step, one.full) for one in list_checkpoints(plain)] == [(one.step, one.full) for one in list_checkpoints(jumping)]  # fmt: skip
    losses = [[row["loss"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row] for run in (plain, jumping)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_a_second_process_is_refused_and_the_first_is_not_disturbed(tmp_path):
    toy = make_corpus(tmp_path)
    save_recipe(make_recipe(toy, length={"steps": 400}, pack=None), tmp_path / "toy.yaml")
    command = [sys.executable, "-m", "vaak.cli.main", "train", str(tmp_path / "toy.yaml"), "--out", str(tmp_path / "run")]  # fmt: skip
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < end:
            time.sleep(0.05)
        with pytest.raises(BadInput, match="is being trained by another process"):
            train(make_recipe(toy, length={"steps": 400}, pack=None), tmp_path / "run", say=quiet)
        output, _ = first.communicate(timeout=120)
    finally:
        first.kill()
    assert first.returncode == 0, output
    assert complete(tmp_path / "run")[-1] == 400
