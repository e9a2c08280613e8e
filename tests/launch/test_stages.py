"""A stage's run folder belongs to the recipe and the parent that it was begun with."""

import os
import subprocess
import time
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from tests.launch import slurm_standin
from vaak.errors import BadInput
from vaak.launch import detached, slurm
from vaak.launch.console import Console
from vaak.launch.ledger import Ledger
from vaak.launch.order import run_launch
from vaak.launch.project import load_project
from vaak.launch.stages import _size_inputs, check_recipes, claim_run
from vaak.launch.walk import Launch
from vaak.storage.files import write_json
from vaak.train.run_folder import locked


def test_a_run_of_other_inputs_is_moved_aside(tmp_path):
    run = tmp_path / "stages" / "sft"
    assert claim_run(run, {"recipe": "a", "parent": "p"}) is None
    (run / "DONE.json").write_text("{}")
    assert claim_run(run, {"recipe": "a", "parent": "p"}) is None and (run / "DONE.json").exists()

    moved = claim_run(run, {"recipe": "b", "parent": "p"})
    assert moved is not None and moved == run.with_name("sft.replaced-1") and (moved / "DONE.json").exists()
    assert not (run / "DONE.json").exists()
    assert claim_run(run, {"recipe": "b", "parent": "q"}) == run.with_name("sft.replaced-2")


def test_a_run_of_nobody_is_moved_aside_too(tmp_path):
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "DONE.json").write_text("{}")
    assert claim_run(tmp_path / "sft", {"recipe": "a", "parent": None}) == tmp_path / "sft.replaced-1"


def test_a_run_that_is_still_being_trained_is_not_moved(tmp_path):
    run = tmp_path / "stages" / "sft"
    claim_run(run, {"recipe": "a", "parent": None})
    trains = detached.start(run.with_name("sft.running"), ["sleep", "60"], tmp_path / "log", os.environ)
    try:
        with pytest.raises(BadInput, match=f"still being trained .*kill {trains.pid}, it saves; then run again"):
            claim_run(run, {"recipe": "b", "parent": None})
    finally:
        trains.kill()
        trains.wait()
    with locked(run), pytest.raises(BadInput, match=r"holds its \.lock; end that; then run again"):
        claim_run(run, {"recipe": "b", "parent": None})
    assert claim_run(run, {"recipe": "a", "parent": None}) is None  # the same run may be followed
    assert claim_run(run, {"recipe": "b", "parent": None}) is not None


def test_a_run_whose_job_lives_is_not_moved(tmp_path, monkeypatch):
    run = tmp_path / "stages" / "sft"
    claim_run(run, {"recipe": "a", "parent": None})
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    for name, value in slurm_standin.install(tmp_path / "bin", tmp_path / "jobs").items():
        monkeypatch.setenv(name, value)
    size = ["--nodes=1", "--ntasks-per-node=1"]
    submitted = ["sbatch", "--parsable", "--job-name=x", f"--output={tmp_path / 'log'}", *size, str(script)]
    job = subprocess.run(submitted, capture_output=True, text=True, check=True).stdout.strip()
    write_json(run.with_name("sft.job.json"), {"job": job})
    with pytest.raises(BadInput, match=f"still being trained .*Slurm job {job}; end it with scancel {job}"):
        claim_run(run, {"recipe": "b", "parent": None})
    while slurm.state(job) != "RUNNING":
        time.sleep(0.05)
    subprocess.run(["scancel", job], check=True)
    while slurm.state(job) != "CANCELLED":
        time.sleep(0.05)
    assert claim_run(run, {"recipe": "b", "parent": None}) is not None


def test_a_peak_above_the_parents_is_refused_before_anything_runs(tmp_path):
    shipped = files("vaak.demo").joinpath("model.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(shipped)
    tree["stages"][1]["overrides"].append("schedule.peak_lr=0.1")
    project = tmp_path / "model.yaml"
    project.write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(BadInput, match=r"pt-s2-tiny has a peak rate of 0\.1, which is not below"):
        run_launch(project, tmp_path / "out")
    assert not (tmp_path / "out" / "stages").exists() and not (tmp_path / "out" / "ledger.jsonl").exists()


def test_a_stage_s_limits_do_not_size_it_anew(tmp_path):
    tree = yaml.safe_load(files("vaak.demo").joinpath("project.yaml").read_text(encoding="utf-8"))

    def inputs():
        (tmp_path / "project.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
        project = load_project(tmp_path / "project.yaml", minutes=5)
        return _size_inputs(Launch(project, tmp_path, Ledger(tmp_path / "ledger"), Console(), lambda: False))

    before = inputs()
    tree["stages"][0]["limits"] = {"loss": 1.5}
    assert inputs() == before
    tree["stages"][0]["share"] = 0.9
    assert inputs() != before


def test_a_tokenizer_that_is_no_file_is_refused_before_anything_runs(tmp_path):
    tree = yaml.safe_load(files("vaak.demo").joinpath("project.yaml").read_text(encoding="utf-8"))
    (tmp_path / "project.yaml").write_text(yaml.safe_dump(tree | {"tokenizer": "Qwen/Qwen3-1.7B-Base"}))
    with pytest.raises(BadInput, match=r"cannot be read as a tokenizer .*; name a tokenizer\.json or its folder"):
        run_launch(tmp_path / "project.yaml", tmp_path / "out")
    assert not (tmp_path / "out" / "ledger.jsonl").exists()


@pytest.mark.parametrize("name", ["project.yaml", "model.yaml"])
def test_the_projects_of_the_package_pass(name, tmp_path):
    path = files("vaak.demo").joinpath(name)
    launch = Launch(
        load_project(Path(str(path))), tmp_path, Ledger(tmp_path / "ledger.jsonl"), Console(), lambda: False
    )
    check_recipes(launch)
