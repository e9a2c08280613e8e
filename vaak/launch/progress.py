"""How far a stage is that another process trains: the last rows of its metrics, read from the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


class LastStep:
    """The last step of a run. `steps` is the number of all, or None: then the run's own plan says it, once it is there."""

    def __init__(self, metrics: Path, steps: int | None) -> None:
        self.metrics, self.steps = metrics, steps

    def step(self) -> int:
        return int(last_row(self.metrics).get("step", 0))

    def progress(self) -> tuple[float, float, str]:
        """(steps done, steps in all, what to say beside a bar)."""
        row = last_row(self.metrics)
        if not row:
            return 0, float(self.steps or 1), "waits for its first step"
        words = f"loss {row['loss']:.4f}"
        if row.get("tokens_per_s"):
            words += f", {row['tokens_per_s']:,.0f} tokens/s"
        return float(row["step"]), float(self.steps or row["step"]), words
