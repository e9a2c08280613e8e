"""How far a stage is that another process trains: the last rows of its metrics, read from the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vaak.launch.new_rows import NewRows
from vaak.mixture import load_plan
from vaak.recipe import load_recipe, steps_of

# A row of metrics has one to two kilobytes.
_TAIL_BYTES = 65536


def last_row(metrics: Path) -> dict[str, Any]:
    """The newest training row of a metrics.jsonl; empty where there is none. A line that is being written is passed over.

    Its loss is a float; of a skipped step it may be NaN, which stands in the file as a word.
    """
    try:
        with metrics.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            row = json.loads(line)
            if isinstance(row, dict) and "loss" in row and "step" in row:
                return row | {"loss": float(row["loss"]), "step": int(row["step"])}
        except (ValueError, TypeError):  # no JSON, or no numbers
            continue
    return {}


def planned_steps(run: Path) -> int | None:
    """How many steps a run has: as its recipe says, or as many as its plan has rows for; None before these are there."""
    if not (run / "recipe.yaml").is_file():
        return None
    recipe = load_recipe(run / "recipe.yaml")
    if recipe.planned_steps is not None or not (run / "plan" / "plan.json").is_file():
        return recipe.planned_steps
    return steps_of(recipe, load_plan(run / "plan"))


class LastStep:
    """The last step of a run, and of how many: that is asked for until the run's recipe or plan says it."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.steps: int | None = None

    def step(self) -> int:
        return int(self._row().get("step", 0))

    def progress(self) -> tuple[float, float, str]:
        """(steps done, steps in all, what to say beside a bar)."""
        row, self.steps = self._row(), self.steps or planned_steps(self.run)
        if not row:
            return 0, float(self.steps or 1), "waits for its first step"
        words = f"loss {row['loss']:.4f}"
        if row.get("tokens_per_s"):
            words += f", {row['tokens_per_s']:,.0f} tokens/s"
        return float(row["step"]), float(self.steps or row["step"]), words

    def _row(self) -> dict[str, Any]:
        return last_row(self.run / "metrics.jsonl")


def last_step(metrics: Path) -> int:
    """The step of the newest row of any kind; 0 where there is none."""
    return max((int(row["step"]) for row in NewRows(metrics).read()), default=0)
