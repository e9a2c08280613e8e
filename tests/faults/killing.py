"""Kills a training run, and the publisher that follows it, at random moments until it has been killed often enough; then lets
both end. What it left is compared with a run that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from vaak.checkpoint import (
    Checkpoint,
    Policy,
    list_checkpoints,
    list_remote,
    milestone,
    newest_complete,
    prune,
    verify_checkpoint,
    verify_remote,
)
from vaak.recipe import Recipe, load_recipe, save_recipe
from vaak.storage.tensors import read_tensors
from vaak.track.jsonl import read_jsonl
from vaak.train.loop import train

ROOT = Path(__file__).parents[2]
# Where a kill is aimed at: the start, anywhere between steps, a save that is not complete, an upload that is not.
AIMS = ("start", "step", "save", "save", "publish")
WITHIN = 60.0
# What all processes have said, one after the other.
_SAID = "said.log"


@dataclass
class Kills:
    """How often it was killed in all, and at what; `in_save` and `in_publish` found something half-written."""

    total: int = 0
    in_save: int = 0
    in_publish: int = 0


@dataclass(frozen=True)
class Compared:
    """What is to hold of a killed run beside an undisturbed one."""

    same_parameters: bool
    same_training_state: bool
    same_losses: bool
    same_steps: bool
    published: bool


def kill_often(recipe: Recipe, folder: Path, kills: int, seed: int, address: str | None) -> Kills:
    """Run `folder/run`, publishing to `address` if one is given, under SIGKILL; then to its end."""
    rng, done = random.Random(seed), Kills()
    save_recipe(recipe, folder / "recipe.yaml")
    run = folder / "run"
    aims = [aim for aim in AIMS if address is not None or aim != "publish"]
    while done.total < kills and not (run / "DONE.json").exists():
        _check_chosen(run)
        with _processes(folder, address) as (trainer, publisher):
            _aim(aims[done.total % len(aims)], run, address, trainer, rng)
            found = _half_written(run)
            half = address is not None and any(not one.complete for one in list_remote(address))
            for process in (trainer, publisher):
                if process is not None:
                    process.kill()
            done.in_save += bool(found)
            done.in_publish += half
            done.total += 1
        _nothing_half_is_complete(run, address)
    assert not (run / "DONE.json").exists(), f"the run ended after {done.total} kills; give it more steps"
    with _processes(folder, address) as (trainer, publisher):
        for process in (trainer, publisher):
            if process is not None:
                process.wait(600)
                assert process.returncode == 0, (folder / _SAID).read_text()[-4000:]
    return done


def undisturbed(recipe: Recipe, folder: Path) -> Path:
    """The same run in this process, as `folder/whole`."""
    with open(folder / _SAID, "a") as said:
        train(recipe, folder / "whole", say=lambda sentence: print(sentence, file=said))
    return folder / "whole"


def compare(killed: Path, whole: Path, address: str | None) -> Compared:
    """Parameters, moments and random state to the bit; losses of every step; the checkpoints that are there, here and published.

    Those that killed publishers still hold leases on are let go first.
    """
    shutil.rmtree(killed / "leases", ignore_errors=True)
    policy = load_recipe(killed / "recipe.yaml").checkpoints
    prune(killed, policy)
    last, wanted = list_checkpoints(killed)[-1], list_checkpoints(whole)[-1]

    def same(part: str) -> bool:
        one, two = read_tensors(last.path / part), read_tensors(wanted.path / part)
        return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)

    losses = [[(row["step"], row["loss"]) for row in read_jsonl(run / "metrics.jsonl") if "loss" in row] for run in (killed, whole)]  # fmt: skip
    steps = [[(one.step, one.full) for one in _kept(run, policy) if not verify_checkpoint(one.path)] for run in (killed, whole)]  # fmt: skip
    return Compared(
        same("model"), same("training"), losses[0] == losses[1], steps[0] == steps[1], _published(killed, address)
    )


def _kept(run: Path, policy: Policy) -> list[Checkpoint]:
    """The checkpoints that every run of the recipe must have at its end.

    On a disk that is slow at the moment a save is left out, and said; then milestones and the last one, which are waited for.
    """
    found = list_checkpoints(run)
    if "is not saved: the checkpoint of step" not in (run.parent / _SAID).read_text():
        return found
    return [one for one in found if milestone(policy, one.step) or one is found[-1]]


def _published(run: Path, address: str | None) -> bool:
    """Every full checkpoint that is here is there, whole, under the same id."""
    if address is None:
        return True
    there = {one.id: one.step for one in list_remote(address) if one.complete}
    here = [one for one in list_checkpoints(run) if one.full]
    return all(one.id in there and not verify_remote(address, one.step) for one in here)


def _check_chosen(run: Path) -> None:
    """What the next start will take is complete and whole."""
    newest = newest_complete(run, full=True, say=lambda _: None) if run.exists() else None
    assert newest is None or verify_checkpoint(newest.path) == []


def _nothing_half_is_complete(run: Path, address: str | None) -> None:
    for one in list_checkpoints(run):
        assert not one.complete or verify_checkpoint(one.path) == [], one
    for remote in list_remote(address) if address is not None else []:
        assert not remote.complete or verify_remote(address or "", remote.step) == [], remote


@contextmanager
def _processes(
    folder: Path, address: str | None
) -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str] | None]]:
    command = [sys.executable, "-m", "vaak.cli.main"]
    train_it = [*command, "train", str(folder / "recipe.yaml"), "--out", str(folder / "run")]
    publish_it = [*command, "checkpoint", "publish", str(folder / "run"), "--to", str(address), "--follow"]
    said = folder / _SAID
    started = [_start(train_it, said), _start(publish_it, said) if address is not None else None]
    try:
        assert started[0] is not None
        yield started[0], started[1]
    finally:
        for process in started:
            if process is not None:
                process.kill()
                process.wait()


def _start(command: list[str], said: Path) -> subprocess.Popen[str]:
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # as the undisturbed run: sums are taken in one order
    with open(said, "a") as log:
        return subprocess.Popen(command, cwd=ROOT, env=alone, stdout=log, stderr=log, text=True)


def _aim(aim: str, run: Path, address: str | None, trainer: subprocess.Popen[str], rng: random.Random) -> None:
    """Wait for a moment of that kind; if it does not come in time, this one is as good as any."""
    if aim == "start":
        time.sleep(rng.uniform(0.0, 5.0))
        return
    before = _rows(run)
    _until(lambda: _rows(run) > before, trainer)
    if aim == "step":
        time.sleep(rng.uniform(0.0, 1.0))
    elif aim == "save":
        _until(lambda: bool(_half_written(run)), trainer)
        time.sleep(rng.uniform(0.0, 0.02))
    elif address is not None:
        _until(lambda: any(not one.complete for one in list_remote(address)), trainer, 10.0)


def _half_written(run: Path) -> list[Path]:
    """Folders of saves that have no name yet, or no mark."""
    unmarked = [one.path for one in list_checkpoints(run) if not one.complete]
    return [*(run / "checkpoints").glob(".step-*.part"), *unmarked]


def _rows(run: Path) -> int:
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _until(ready: Callable[[], bool], trainer: subprocess.Popen[str], seconds: float = WITHIN) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and trainer.poll() is None and not ready():
        time.sleep(0.001)
