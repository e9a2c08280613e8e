"""Stages outside of the launch's process: started once, followed by whoever launches next, stopped or left as is right."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import real_slurm
from tests.launch import slurm_standin
from tests.train.toy_stage import make_corpus, make_recipe
from vaak.checkpoint import list_checkpoints
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.launch import detached, launchers, slurm
from vaak.launch.launchers import Training, train_by_slurm, train_by_torchrun
from vaak.launch.project import LauncherSettings
from vaak.recipe import save_recipe
from vaak.track import read_jsonl

TORCHRUN = LauncherSettings(kind="torchrun", processes=2)
SLURM = LauncherSettings(kind="slurm", processes=2, sbatch=("--cpus-per-task=1",))


def ignore(*_: object) -> None:
    pass


def no() -> bool:
    return False


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def training(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A toy stage of so many steps, checked every moment."""
    monkeypatch.setattr(launchers, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(slurm, "POLL_SECONDS", 0.3)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def of(steps: int, **changes: object) -> Training:
        recipe = make_recipe(data, length={"steps": steps}, **changes)
        (tmp_path / "stages").mkdir(exist_ok=True)
        save_recipe(recipe, tmp_path / "stages" / "toy.recipe.yaml")
        return Training("toy", tmp_path / "stages" / "toy.recipe.yaml", tmp_path / "stages" / "toy", None, None)

    return of


@pytest.fixture(scope="module")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    reason = real_slurm.why_not()
    if reason:
        pytest.skip(reason)
    with real_slurm.slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in's commands of Slurm on the path."""
    for name, value in slurm_standin.install(tmp_path / "bin", tmp_path / "jobs").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHON", sys.executable)


@pytest.fixture(params=["stand_in", "real_cluster"])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's, and then Debian's own with its daemons, where they are installed."""
    for name, value in (request.getfixturevalue(request.param) or {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHON", sys.executable)


def jobs_of(training: Training) -> list[str]:
    """Every job that a training was ever submitted as."""
    name = slurm.job_name("toy", training.run)
    queue = ["squeue", "--noheader", "--states=all", "--format=%A", f"--name={name}", "--me"]
    return subprocess.run(queue, capture_output=True, text=True, check=True).stdout.split()


def steps_of(run: Path) -> list[int]:
    return [row["step"] for row in read_jsonl(run / "metrics.jsonl") if "loss" in row]


def until(condition, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def killed_launch(training: Training, how: str, settings: LauncherSettings) -> None:
    """A launch that starts a training and is killed while it follows it."""
    code = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from vaak.launch import launchers\n"
        "from vaak.launch.project import LauncherSettings\n"
        "recipe, run, how, settings = sys.argv[1:]\n"
        "training = launchers.Training('toy', Path(recipe), Path(run), None, None)\n"
        "start = getattr(launchers, how)\n"
        "start(training, LauncherSettings(**json.loads(settings)), lambda: False, lambda *_: None, print)\n"
    )
    arguments = [str(training.recipe), str(training.run), how, settings.model_dump_json()]
    launch = subprocess.Popen([sys.executable, "-c", code, *arguments])
    until(lambda: (training.run / "metrics.jsonl").exists() and len(steps_of(training.run)) >= 2)
    launch.send_signal(signal.SIGKILL)
    launch.wait()


@pytest.mark.slow
def test_torchrun_trains_a_stage_to_its_end_and_not_again(training) -> None:
    toy, seen, said = training(4), [], []
    train_by_torchrun(toy, TORCHRUN, no, lambda *now: seen.append(now), said.append)
    assert steps_of(toy.run) == [1, 2, 3, 4] and toy.ended
    assert json.loads((list_checkpoints(toy.run)[-1].path / "state.json").read_text())["world"] == 2
    assert seen[-1][1] == 4 and "torchrun, process" in said[0]
    train_by_torchrun(toy, TORCHRUN, no, ignore, said.append)
    assert len(said) == 1 and steps_of(toy.run) == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_killed_launch_leaves_torchrun_training_and_the_next_one_follows(training) -> None:
    toy, said = training(150), []
    killed_launch(toy, "train_by_torchrun", TORCHRUN)
    number = detached.running(toy.run.with_name("toy.running"))
    assert number is not None
    train_by_torchrun(toy, TORCHRUN, no, ignore, said.append)
    assert said == [f"toy: is being trained since before this launch, process {number}; it is followed"]
    assert steps_of(toy.run) == list(range(1, 151))


@pytest.mark.slow
def test_asked_to_stop_torchrun_saves_and_the_next_launch_continues(training) -> None:
    toy = training(120, checkpoints={"every": 1000})
    with pytest.raises(Interrupted, match="toy: stopped after step"):
        train_by_torchrun(
            toy, TORCHRUN, lambda: (toy.run / "metrics.jsonl").exists() and len(steps_of(toy.run)) > 3, ignore, ignore
        )
    saved = [one.step for one in list_checkpoints(toy.run) if one.complete]
    assert len(saved) == 1 and 3 < saved[0] < 120
    train_by_torchrun(toy, TORCHRUN, no, ignore, ignore)
    assert steps_of(toy.run) == list(range(1, 121))


@pytest.mark.slow
def test_what_a_failed_training_said_last_is_the_reason(training) -> None:
    toy = training(4)
    toy.recipe.write_text(toy.recipe.read_text().replace("tokens_per_step: ", "tokens_per_step: 1"))
    with pytest.raises(CheckFailed, match=r"toy: the training ended before its last step \(.*tokens_per_step"):
        train_by_torchrun(toy, TORCHRUN, no, ignore, ignore)


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in")
def test_slurm_trains_a_stage_as_a_job_and_not_again(training) -> None:
    toy, said = training(4), []
    train_by_slurm(toy, SLURM, no, ignore, said.append)
    [job] = jobs_of(toy)
    assert said == [f"toy: Slurm job {job}; what it prints is in {toy.log}"]
    assert steps_of(toy.run) == [1, 2, 3, 4]
    assert json.loads((list_checkpoints(toy.run)[-1].path / "state.json").read_text())["world"] == 2
    train_by_slurm(toy, SLURM, no, ignore, said.append)
    assert jobs_of(toy) == [job] and len(said) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_killed_launch_leaves_the_job_and_the_next_one_follows_it(training) -> None:
    toy, said = training(100), []
    killed_launch(toy, "train_by_slurm", SLURM)
    train_by_slurm(toy, SLURM, no, ignore, said.append)
    [job] = jobs_of(toy)
    assert said == [f"toy: Slurm job {job} was submitted before; it is followed"]
    assert steps_of(toy.run) == list(range(1, 101))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_job_that_is_preempted_goes_back_into_the_queue_and_is_followed_on(training) -> None:
    toy, asked = training(150, checkpoints={"every": 1000}), []

    def preempt() -> bool:
        """As Slurm does at the end of a job's time: once, when it is well under way."""
        if not asked and (toy.run / "metrics.jsonl").exists() and len(steps_of(toy.run)) > 3:
            asked.append(subprocess.run(["scancel", "--signal=TERM", *jobs_of(toy)], check=True))
        return False

    train_by_slurm(toy, SLURM, preempt, ignore, ignore)
    assert asked and "saved" in toy.log.read_text()
    assert steps_of(toy.run) == list(range(1, 151)) and len(jobs_of(toy)) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in")
def test_asked_to_stop_the_launch_ends_and_the_job_goes_on(training) -> None:
    toy = training(60)
    with pytest.raises(Interrupted, match=r"Slurm job \d+ goes on without the launch \(scancel \d+ ends it\)"):
        train_by_slurm(toy, SLURM, lambda: True, ignore, ignore)
    train_by_slurm(toy, SLURM, no, ignore, ignore)
    assert steps_of(toy.run) == list(range(1, 61)) and len(jobs_of(toy)) == 1


@pytest.mark.usefixtures("cluster")
def test_a_launch_killed_between_submission_and_note_finds_its_job_by_name(training, tmp_path: Path) -> None:
    toy, script = training(4), tmp_path / "wait.sh"
    script.write_text("#!/bin/sh\nsleep 60\n")
    name = slurm.job_name("toy", toy.run)
    options = [
        "--nodes=1",
        "--ntasks-per-node=1",
        f"--job-name={name}",
        f"--output={toy.log}",
        "--parsable",
        str(script),
    ]
    job = subprocess.run(["sbatch", *options], capture_output=True, text=True, check=True).stdout.strip()
    until(lambda: slurm.state(job) == "RUNNING")
    try:
        assert slurm.known_job(toy.run) is None
        assert slurm.submit("toy", toy.run, toy.arguments, toy.log, SLURM) == job
        assert slurm.known_job(toy.run) == job
    finally:
        subprocess.run(["scancel", job], check=True)
    until(lambda: slurm.state(job) == "CANCELLED")


@pytest.mark.usefixtures("cluster")
def test_what_sbatch_refuses_is_said(training) -> None:
    settings = LauncherSettings(kind="slurm", sbatch=("--partition=nowhere",))
    with pytest.raises(BadInput, match=r"sbatch refuses \(.*nvalid partition .*\); correct launcher"):
        train_by_slurm(training(4), settings, no, ignore, ignore)


@pytest.mark.slow
@pytest.mark.usefixtures("stand_in")
def test_a_job_that_fails_is_told_with_its_own_last_sentence(training) -> None:
    toy = training(4)
    toy.recipe.write_text(toy.recipe.read_text().replace("tokens_per_step: ", "tokens_per_step: 1"))
    with pytest.raises(CheckFailed, match=r"toy: Slurm job \d+ is failed before its last step \(.*tokens_per_step"):
        train_by_slurm(toy, SLURM, no, ignore, ignore)


@pytest.mark.usefixtures("cluster")
def test_a_job_that_nobody_knows_is_gone() -> None:
    assert slurm.state("999999") == "GONE"


def test_without_slurm_a_launch_is_refused_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BadInput, match="needs sbatch, which is not on this machine"):
        launchers.check_launcher(SLURM)
