"""Whole runs on several processes: started by torchrun, continued on another number, and ended together when one fails."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.train.on_ranks import ROOT, ended, start_ranks
from tests.train.toy_stage import make_recipe
from vaak.checkpoint import list_checkpoints
from vaak.model.open import open_model
from vaak.recipe import save_recipe
from vaak.storage.tensors import read_tensors
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train

pytestmark = pytest.mark.slow

RUN = """
import sys, time
import torch
torch.set_num_threads(1)
from vaak.errors import BadInput, CheckFailed
from vaak.recipe import load_recipe
from vaak.train.loop import train
import os

recipe, out, how = sys.argv[1:4]
rank = os.environ["RANK"]
if how == "freeze":
    import vaak.train.failures
    vaak.train.failures.SILENCE = 4.0
steps = 0
def on_step(done, of, text):
    global steps
    steps = done
    if how == "raise" and rank == "1" and done == 3:
        raise RuntimeError("the third step is one too many")
    if how == "refuse" and rank == "1" and done == 3:
        raise BadInput("row 24 is no row; take another")
    if how == "hang" and done == 3:
        print("hanging", flush=True)
        time.sleep(1 if rank == "0" else 600)
    if how == "freeze":
        print("running", flush=True)
        time.sleep(0.2)

try:
    train(load_recipe(recipe), out, on_step=on_step, stop=lambda: how == "stop" and rank == "1" and steps == 7, say=lambda _: None)
except BadInput as error:
    print(error, flush=True)
    sys.exit(2)
"""


@pytest.fixture
def recipe_file(toy, tmp_path):
    def write(**changes):
        path = tmp_path / "toy.yaml"
        save_recipe(make_recipe(toy, microbatch_rows=None, **changes), path)
        return path

    return write


def losses(run):
    return [row["loss"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_run_may_continue_on_another_number_of_processes(recipe_file, toy, tmp_path, kind):
    """Stopped on two after eight steps, ended on one: the losses, weights and masses of a run on one."""
    recipe = recipe_file(parallel={"kind": kind}, length={"steps": 10})
    train(make_recipe(toy, length={"steps": 10}), tmp_path / "whole", say=lambda _: None)
    results = ended(start_ranks(2, "-c", RUN, str(recipe), str(tmp_path / "run"), "stop"))
    assert all("Interrupted" in output for _, output in results), results
    assert [one.step for one in list_checkpoints(tmp_path / "run")][-1] == 8
    said = []
    final = train(make_recipe(toy, length={"steps": 10}), tmp_path / "run", say=said.append)
    assert any("1 processes instead of 2" in one for one in said)
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
    masses = [
        json.loads((run / "state.json").read_text())["mass"]
        for run in (final, list_checkpoints(tmp_path / "whole")[-1].path)
    ]
    assert masses[0] == masses[1]
    rows = [row for row in read_jsonl(tmp_path / "run" / "metrics.jsonl") if "loss" in row]
    whole = [row for row in read_jsonl(tmp_path / "whole" / "metrics.jsonl") if "loss" in row]
    assert [row["tokens"] for row in rows] == [row["tokens"] for row in whole]
    assert [sorted(row) for row in rows] == [sorted(row) for row in whole]
    one, two = open_model(final).state_dict(), open_model(list_checkpoints(tmp_path / "whole")[-1].path).state_dict()
    assert all(torch.allclose(one[name], two[name], atol=2e-3) for name in two)


def test_a_stopped_run_of_two_continues_to_the_bit_and_on_one_with_the_same_losses(recipe_file, toy, tmp_path):
    recipe, length = recipe_file(length={"steps": 10}), {"steps": 10}
    ended(start_ranks(2, "-c", RUN, str(recipe), str(tmp_path / "two"), "stop"))
    shutil.copytree(tmp_path / "two", tmp_path / "one")
    for run in ("two", "whole"):
        results = ended(start_ranks(2, "-c", RUN, str(recipe), str(tmp_path / run), ""))
        assert [code for code, _ in results] == [0, 0], results
    train(make_recipe(toy, length=length), tmp_path / "one", say=lambda _: None)
    finals = [list_checkpoints(tmp_path / run)[-1].path for run in ("two", "whole")]
    for part in ("model", "training"):
        two, whole = (read_tensors(final / part) for final in finals)
        assert two.keys() == whole.keys() and all(torch.equal(two[name], whole[name]) for name in whole)
    assert {"rng/0", "rng/1"} < two.keys()
    assert losses(tmp_path / "two") == losses(tmp_path / "whole")
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "whole"), rel=1e-6)


@pytest.mark.parametrize("how, code, sentence", [
    ("raise", 1, "rank 1 failed, so this one ends: RuntimeError: the third step is one too many"),
    ("refuse", 2, "rank 1 failed, so this one ends: row 24 is no row; take another"),
])  # fmt: skip
def test_the_failure_of_one_ends_all_with_its_sentence(recipe_file, tmp_path, how, code, sentence):
    began = time.monotonic()
    results = ended(start_ranks(2, "-c", RUN, str(recipe_file()), str(tmp_path / "run"), how), within=60)
    assert time.monotonic() - began < 55
    assert [found for found, _ in results] == [code, code], results
    assert sentence in results[0][1]


def test_a_process_that_is_killed_ends_the_others(recipe_file, tmp_path):
    started = start_ranks(2, "-c", RUN, str(recipe_file()), str(tmp_path / "run"), "hang")
    assert started[1].stdout is not None
    assert started[1].stdout.readline() == "hanging\n"
    os.kill(started[1].pid, signal.SIGKILL)
    results = ended(started, within=40)
    assert results[1][0] == -signal.SIGKILL
    assert results[0][0] == 1 and "rank" in results[0][1], results


def test_a_process_that_hangs_is_missed_also_where_it_hosts_the_store(recipe_file, tmp_path):
    started = start_ranks(
        2, "-c", RUN, str(recipe_file(length={"steps": 1000})), str(tmp_path / "run"), "freeze", PYTHONUNBUFFERED="1"
    )
    assert started[0].stdout is not None
    assert started[0].stdout.readline() == "running\n"
    os.kill(started[0].pid, signal.SIGSTOP)
    results = ended(started[1:], within=40)
    started[0].kill()
    started[0].communicate()
    assert results[0][0] == 1 and "rank 0 failed" in results[0][1], results


def launched(recipe, run, **variables):
    """A run of two processes as a person starts it, in a group of its own as a terminal would have it."""
    return subprocess.Popen(
        ["sh", "ops/train-torchrun.sh", str(recipe), "--out", str(run)],
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable, "PROCESSES": "2", "OMP_NUM_THREADS": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_launch_file_of_torchrun_starts_a_run(recipe_file, tmp_path):
    started = launched(recipe_file(length={"steps": 4}), tmp_path / "run")
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 0, errors
    assert output.count("done; the last checkpoint is") == 1
    state = json.loads((list_checkpoints(tmp_path / "run")[-1].path / "state.json").read_text())
    assert state["step"] == 4 and state["world"] == 2


def test_ctrl_c_saves_and_stops_all(recipe_file, tmp_path):
    """A terminal signals every process of the group, and torchrun passes its own signal on: that is one request, not two."""
    run = tmp_path / "run"
    started = launched(recipe_file(length={"steps": 100_000}, checkpoints={"every": 100_000}), run)
    until(lambda: (run / "metrics.jsonl").is_file() and len(losses(run)) >= 2)
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode != 0 and "saved; run the same command again and it continues" in errors, errors
    saved = list_checkpoints(run)
    assert len(saved) == 1 and saved[0].complete and saved[0].step == len(losses(run))


def test_torchrun_starts_a_run_again_that_lost_a_process_and_it_continues(recipe_file, tmp_path):
    run = tmp_path / "run"
    started = launched(recipe_file(length={"steps": 40}, checkpoints={"every": 5}), run, RESTARTS="1")
    until(lambda: any(one.complete for one in list_checkpoints(run)))
    [worker, *_] = [pid for pid in workers_of(started.pid) if b"RANK=1" in environment_of(pid)]
    os.kill(worker, signal.SIGKILL)
    output, errors = started.communicate(timeout=120)
    assert started.returncode == 0, errors
    assert "continues run/" in output and output.count("done; the last checkpoint is") == 1
    assert [row["step"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row] == list(range(1, 41))


def workers_of(launcher):
    tasks = Path(f"/proc/{launcher}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def environment_of(pid):
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_whole_group_saves_although_it_has_worker_processes(recipe_file, tmp_path, number):
    """Validation after every step: the signal mostly comes while no batch is asked for."""
    run = tmp_path / "run"
    many = {"every": 1, "samples": 60}
    recipe = recipe_file(length={"steps": 10_000}, checkpoints={"every": 10_000}, loader_workers=1, validation=many)
    started = subprocess.Popen(
        [sys.executable, "-m", "vaak.cli.main", "train", str(recipe), "--out", str(run)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: (run / "metrics.jsonl").is_file() and len(losses(run)) >= 2)
    os.killpg(started.pid, number)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert [one.step for one in list_checkpoints(run)] == [len(losses(run))]


def test_ctrl_c_of_one_process_ends_with_one_sentence(recipe_file, tmp_path):
    run = tmp_path / "run"
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "vaak.cli.main",
            "train",
            str(recipe_file(length={"steps": 100_000})),
            "--out",
            str(run),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: (run / "metrics.jsonl").is_file() and len(losses(run)) >= 2)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130 and "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("vaak: ") and "saved; run the same command again" in errors


def until(ready, seconds=90):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_batch_that_does_not_divide_is_refused_before_data_is_read(recipe_file, tmp_path):
    results = ended(
        start_ranks(3, "-c", RUN, str(recipe_file(corpora=["/nowhere"])), str(tmp_path / "run"), ""), within=60
    )
    assert [code for code, _ in results] == [2, 2, 2], results
    assert "8 rows" in results[0][1] and "3" in results[0][1]
