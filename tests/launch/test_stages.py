"""A stage's run folder belongs to the recipe and the parent that it was begun with."""

from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from vaak.errors import BadInput
from vaak.launch.console import Console
from vaak.launch.ledger import Ledger
from vaak.launch.order import run_launch
from vaak.launch.project import load_project
from vaak.launch.stages import check_recipes, claim_run
from vaak.launch.walk import Launch


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


def test_a_peak_above_the_parents_is_refused_before_anything_runs(tmp_path):
    shipped = files("vaak.demo").joinpath("model.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(shipped)
    tree["stages"][1]["overrides"].append("schedule.peak_lr=0.1")
    project = tmp_path / "model.yaml"
    project.write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(BadInput, match=r"pt-s2-tiny has a peak rate of 0\.1, which is not below"):
        run_launch(project, tmp_path / "out")
    assert not (tmp_path / "out" / "stages").exists() and not (tmp_path / "out" / "ledger.jsonl").exists()


@pytest.mark.parametrize("name", ["project.yaml", "model.yaml"])
def test_the_projects_of_the_package_pass(name, tmp_path):
    path = files("vaak.demo").joinpath(name)
    launch = Launch(
        load_project(Path(str(path))), tmp_path, Ledger(tmp_path / "ledger.jsonl"), Console(), lambda: False
    )
    check_recipes(launch)
