"""What a stage's run came to, read from its metrics and its last checkpoint: the figures that its gate judges."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.evaluate.panel_run import served_mass
from vaak.mixture import load_plan

_FIELDS = ("stream", "source", "language")
# Of fewer rows each is so much of the whole that how full it is moves a share by more than a mixture would be off.
LEAST_ROWS = 1000
# Steps that any stage may leave out: of a short one a single spike would be more than a hundredth.
FREE_SKIPS = 3


@dataclass(frozen=True)
class Outcome:
    """loss, held_out: of the end of the stage over its beginning (means of a tenth of the steps; single validations), None where
    nothing was measured twice; `held_out` is not a number where a loss was not. skipped: share of the steps that were left out,
    the first `FREE_SKIPS` not counted. mass: largest distance of a served share of target tokens from the planned one, in
    percentage points, of a stage of at least `LEAST_ROWS` rows."""

    loss: float | None
    held_out: float | None
    skipped: float | None
    mass: float | None


def outcome_of(run: Path) -> Outcome:
    """The outcome of a stage that has ended. Its metrics are read once, row by row: a long stage has gigabytes of them."""
    losses: list[float] = []
    held_out: list[float] = []
    skipped = steps = 0
    for row in _rows(run / "metrics.jsonl"):
        if "loss" in row:
            losses += [row["loss"]] if isinstance(row["loss"], float) else []  # of a skipped step it may be "NaN"
            skipped, steps = max(skipped, row.get("skipped", 0)), steps + 1
        if "val/loss" in row:
            held_out.append(float(row["val/loss"]))
    tenth = max(1, len(losses) // 10)
    first, last = losses[:tenth], losses[-tenth:]
    return Outcome(
        loss=_ratio(sum(last) / tenth, sum(first) / tenth) if len(losses) > 1 else None,
        held_out=_ratio(held_out[-1], held_out[0]) if len(held_out) > 1 else None,
        skipped=max(0, skipped - FREE_SKIPS) / steps if steps else None,
        mass=_mass(run),
    )


def _ratio(last: float, first: float) -> float:
    return last / first if first else math.nan


def _rows(metrics: Path) -> Iterator[dict[str, Any]]:
    if not metrics.exists():
        return
    with metrics.open(encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:  # the last one, torn by a crash
                continue
            if isinstance(row, dict):
                yield row


def _mass(run: Path) -> float | None:
    """The farthest that any stream, source or language is from its planned share."""
    served = served_mass(run)
    if served is None or not (run / "plan" / "plan.json").exists():
        return None
    plan, mass = load_plan(run / "plan"), served[0]
    if plan.n_rows < LEAST_ROWS:
        return None
    apart = [
        abs(mass.shares(by).get(name, 0.0) - planned) * 100
        for by in _FIELDS
        for name, (_, planned) in plan.shares(by).items()
    ]
    return max(apart, default=0.0)
