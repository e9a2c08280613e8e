"""docs/launch.md: its project file loads and is priced, and every command of its runbook is one that Vaak has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from vaak.cli.main import app
from vaak.launch.project import Project, load_project
from vaak.launch.status import order_of
from vaak.recipe import check_peak, load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "launch.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^vaak .*$", PAGE, re.M)


def project_of(tmp_path: Path, name: str) -> Project:
    [text] = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if f"name: {name}" in block]
    (tmp_path / "project.yaml").write_text(text, encoding="utf-8")
    return load_project(tmp_path / "project.yaml")


def parsed(command: str) -> None:
    """Take a command apart as `vaak` would, without doing it. Raises what the command line raises for a wrong option."""
    arguments, verb = shlex.split(command)[1:], typer.main.get_command(app)
    context = verb.make_context("vaak", list(arguments), resilient_parsing=False)
    while hasattr(verb, "resolve_command"):
        _, verb, rest = verb.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[attr-defined]
        context = verb.make_context(verb.name or "", rest, parent=context)  # type: ignore[union-attr]


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 20
    assert {shlex.split(one)[1] for one in COMMANDS} >= {
        "launch",
        "corpus",
        "audit",
        "cost",
        "mixture",
        "sidecar",
        "checkpoint",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_is_complete(command: str) -> None:
    parsed(command)


def test_the_check_sees_a_wrong_option() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed("vaak launch project.yaml --dry-rum")


def test_the_project_of_the_runbook_walks_the_order_of_the_specification(tmp_path: Path) -> None:
    project = project_of(tmp_path, "vaak-1.7b")
    assert order_of(project) == [
        "freeze", "pack", "audit", "judges", "overfit", "smoke", "pt-s1", "pt-s2", "pt-s3", "sft", "publish", "evaluate",
        "milestones", "report",
    ]  # fmt: skip
    fetched = re.search(r"^hf download \S+ (\S+) --local-dir (\S+)$", PAGE, re.M)
    assert (
        fetched is not None and project.tokenizer == f"{fetched[2]}/{fetched[1]}"
    )  # a launch reads files, no names of the Hub
    recipes = {
        stage.name: load_recipe(stage.recipe, [*project.overrides, *stage.overrides]) for stage in project.stages
    }
    for stage in project.stages:
        if stage.parent is not None:
            check_peak(recipes[stage.name], recipes[stage.parent])
        assert recipes[stage.name].rows_per_step % 8 == 0


def test_the_project_of_the_example_loads(tmp_path: Path) -> None:
    assert project_of(tmp_path, "demo").minutes == 10
