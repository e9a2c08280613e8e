"""A tiny training that tells trackers, and what W&B and trackio then hold of it, set against its metrics.jsonl."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tests.train.toy_stage import make_recipe
from vaak.track import Sound, opened_trackers, read_jsonl
from vaak.train.loop import train
from vaak.train.metrics import TRAINING

SOUNDS = [
    {"item": "en-0", "errors": None, "sound": None},
    {"item": "en-1", "errors": 0.25, "sound": Sound("en-1.mp3", b"not really an MP3")},
]


def tracked_run(toy: str | Path, run: str | Path, *choices: str) -> None:
    """Twelve steps with validation and checkpoints, told to the trackers; and a table of sounds, as a sidecar tells it."""
    run = Path(run)
    with opened_trackers(choices, run=run.name, job="train", folder=run, metrics=TRAINING, say=print) as tracker:
        train(make_recipe(Path(toy)), run, tracker=tracker, say=lambda line: None)
        tracker.log_table("evaluate/sounds", SOUNDS, 12)
    assert set(tracker.dropped.values()) == {0}


def numbers(run: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl without references, which are no numbers."""
    rows = read_jsonl(run / "metrics.jsonl")
    return [row for row in rows if not any(name.startswith("reference/") for name in row)]


def same(told: dict[str, Any], row: dict[str, Any]) -> bool:
    return all(
        told[name] == value or (isinstance(value, float) and math.isnan(value) and told[name] in ("NaN", None))
        for name, value in row.items()
    )
