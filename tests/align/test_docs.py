"""docs/align.md and docs/align-verl.md: every command is one that Vaak has, and every key of the table one of a recipe's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.launch.test_docs import parsed
from vaak.recipe import AlignRecipe
from vaak.score.reward import GATES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "align.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^vaak .*$", PAGE + (DOCS / "align-verl.md").read_text(encoding="utf-8"), re.M)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_pages_is_complete(command: str) -> None:
    parsed(command)


def test_the_table_of_a_recipe_has_its_keys() -> None:
    section = PAGE.split("## A recipe")[1].split("## ")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert named <= AlignRecipe.model_fields.keys()
    assert AlignRecipe.model_fields.keys() - named <= {
        "name", "kind", "seed", "codec", "device", "precision", "activation_checkpointing", "checkpoints",
    }  # fmt: skip


def test_every_gate_is_explained() -> None:
    assert all(re.search(rf"^\|.*\b{gate}\b.*\|", PAGE, re.M) for gate in GATES)
