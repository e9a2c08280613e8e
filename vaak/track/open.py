"""A tracker by its name, as a command line gives it: `wandb`, `wandb:PROJECT`, `trackio`, `trackio:PROJECT` or `jsonl:PATH`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vaak.errors import BadInput
from vaak.track.jsonl import JsonlTracker
from vaak.track.tracker import Tracker
from vaak.track.trackio_tracker import TrackioTracker
from vaak.track.wandb_tracker import WandbTracker

TRACKERS = "wandb, wandb:PROJECT, trackio, trackio:PROJECT or jsonl:PATH"


def tracker_opener(
    choice: str, *, job: str, folder: str | Path, say: Callable[[str], None] = print
) -> Callable[[str], Tracker]:
    """A function that opens the tracker of a run by the run's name; all runs share one JSONL file.

    choice: one of `TRACKERS`. job: what W&B calls the kind of work ("evaluate"). folder: where W&B keeps its files. say: told
    why W&B goes offline. Raises `BadInput` for another choice, and for a package that is not installed.
    """
    name, _, rest = choice.partition(":")
    if name == "jsonl" and rest:
        shared: list[JsonlTracker] = []

        def share(run: str) -> Tracker:
            if not shared:
                shared.append(JsonlTracker(rest))
            return shared[0]

        return share
    if name not in ("wandb", "trackio"):
        raise BadInput(f"tracker {choice!r} is unknown; use {TRACKERS}")
    if importlib.util.find_spec(name) is None:
        raise BadInput(f"the tracker {name} is not installed; run: pip install 'vaak[{name}]'")
    if name == "wandb":
        return lambda run: WandbTracker(run, job=job, folder=folder, say=say, project=rest or None)
    return lambda run: TrackioTracker(run, project=rest or "vaak")


@contextmanager
def opened_tracker(
    choice: str | None, *, run: str, job: str, folder: str | Path, say: Callable[[str], None] = print
) -> Iterator[Tracker | None]:
    """The tracker of one run while the block runs, or None where `choice` is None; see `tracker_opener`."""
    if choice is None:
        yield None
        return
    tracker = tracker_opener(choice, job=job, folder=folder, say=say)(run)
    try:
        yield tracker
    finally:
        tracker.close()
