"""A launch on paper: the whole order and what each stage takes; nothing is written."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from vaak.cli.main import main
from vaak.errors import BadInput
from vaak.launch.dry_run import plan_launch, print_plan
from vaak.launch.ledger import Ledger
from vaak.launch.status import order_of
from vaak.recipe import load_recipe

DEMO = Path(str(files("vaak.demo").joinpath("project.yaml")))
PROJECT = """
name: paper
corpora: [example:corpus]
tokenizer: example:tokenizer
codec: embedded
hardware: {gpu: h100, gpus: 2, price: 3}
overfit: {recipe: sft-tiny, loss: 5}
stages:
  - {name: one, recipe: pt-s1-tiny, overrides: ["length={steps: 1000}"]}
  - {name: two, recipe: pt-s2-tiny, overrides: ["length={steps: 500}"], parent: one, limits: {mass: 3}}
evaluate: {final: two}
"""


def project(tmp_path: Path, **changes: str) -> Path:
    text = PROJECT
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "project.yaml").write_text(text)
    return tmp_path / "project.yaml"


def test_the_demo_says_its_order_and_its_minutes_and_writes_nothing(tmp_path: Path) -> None:
    plan = plan_launch(DEMO, tmp_path / "out", minutes=20)
    assert [step.name for step in plan.steps] == [
        "freeze", "pack", "audit", "judges", "overfit", "size", "smoke", "pt-s1", "pt-s2", "sft", "evaluate", "report",
    ]  # fmt: skip
    assert {step.state for step in plan.steps} == {"to do"}
    assert plan.totals["hours"] == pytest.approx(20 / 60) and plan.totals["tokens"] is None
    assert plan.hardware is None and plan.totals["price"] is None and not plan.loosened
    assert not (tmp_path / "out").exists()


def test_with_hardware_every_stage_has_tokens_steps_hours_disk_and_money(tmp_path: Path) -> None:
    plan = plan_launch(project(tmp_path), tmp_path / "out")
    one, two = plan.stages
    per_step = load_recipe("pt-s1-tiny").tokens_per_step
    assert (one.steps, one.tokens) == (1000, 1000 * per_step)
    assert one.hours and one.price and two.price and one.disk_bytes and one.memory_bytes
    assert one.price == pytest.approx(one.hours * 2 * 3) and one.fits and two.parent == "one"
    assert plan.totals["steps"] == 1500 and plan.totals["price"] == pytest.approx(one.price + two.price)
    assert plan.totals["gpu_hours"] == pytest.approx(2 * (plan.totals["hours"] or 0))


def test_limits_that_are_loosened_are_said_before_anything_is_spent(tmp_path: Path, capsys) -> None:
    plan = plan_launch(project(tmp_path), tmp_path / "out")
    assert plan.loosened == [
        "overfit: limit of loss loosened from 0.01 to 5; nothing was measured",
        "two: limit of mass loosened from 1 to 3; nothing was measured",
    ]
    print_plan(plan)
    out = capsys.readouterr().out
    assert "limit of mass loosened from 1 to 3" in out and max(map(len, out.splitlines())) <= 80


def test_of_a_launch_that_is_under_way_it_says_what_is_done(tmp_path: Path) -> None:
    Ledger(tmp_path / "out" / "ledger.jsonl").add("freeze", "done", "x")
    plan = plan_launch(DEMO, tmp_path / "out")
    assert [step.state for step in plan.steps[:2]] == ["done", "to do"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ledger.jsonl"]


def test_what_the_launch_would_refuse_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="h1000"):
        plan_launch(project(tmp_path, h100="h1000"), tmp_path / "out")
    with pytest.raises(BadInput, match="is not below"):
        changes = {
            "parent: one,": 'parent: one, overrides: ["schedule.peak_lr=1"],',
            ', overrides: ["length={steps: 500}"]': "",
        }
        plan_launch(project(tmp_path, **changes), tmp_path / "out")


def test_the_command_prints_the_same_as_json(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        main(["launch", str(DEMO), "--out", str(tmp_path / "out"), "--dry-run", "--json"])
    assert end.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "demo" and len(found["stages"]) == 4 and not (tmp_path / "out").exists()


def test_the_order_on_paper_is_the_one_that_the_status_shows(tmp_path: Path) -> None:
    from vaak.launch.project import load_project

    for path in (DEMO, project(tmp_path)):
        assert [step.name for step in plan_launch(path, tmp_path / "out").steps] == order_of(load_project(path))
