"""Whom a sidecar tells, by the words of `--track`: trackers get each evaluation once, an exporter shows what is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vaak.evaluate.metrics import EVALUATION, SIDECAR
from vaak.evaluate.places import is_address
from vaak.track import chosen_trackers, tracker_openers
from vaak.track.prometheus_exporter import exporter_choices, exporter_opener


def told_to(
    track: str | Sequence[str] | None, folder: Path, say: Callable[[str], None], runs: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """`trackers` and `exporter` as `vaak.evaluate.follow` takes them. folder: where W&B keeps its files. runs: those that are
    followed, folders or addresses. Raises `BadInput`."""
    every = chosen_trackers(track)
    exporters = exporter_choices(every)
    folders = {Path(run).resolve().name: Path(run) for run in runs if not is_address(run)}
    kept = [choice for choice in every if choice not in exporters]
    return {
        "trackers": tracker_openers(kept, job="evaluate", folder=folder, runs=folders, say=say),
        "exporter": exporter_opener(exporters, job="evaluate", metrics=EVALUATION + SIDECAR, say=say),
    }
