"""A run's metrics told again: every row of its metrics.jsonl, in order, to trackers that missed it or that nobody had then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vaak.track.jsonl import REFERENCE, iter_jsonl
from vaak.track.tracker import Tracker, log_reference
from vaak.track.trackio_tracker import TrackioTracker

# Rows that a tracker which takes many at once gets together.
_TOGETHER = 1000


def replay(
    metrics: str | Path,
    trackers: Sequence[Tracker],
    on_row: Callable[[int, int], None] = lambda rows, step: None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Tell trackers every row of a metrics.jsonl, of which a part is in memory at a time; returns how many rows there were.

    on_row: told (rows so far, step) after each part. stop: asked after each; once it says yes the rest is left. What a tracker
    raises is raised: here nothing trains that must not be held up. Raises `BadInput` for a file that is not there or damaged.
    """
    told = 0
    for rows in _parts(metrics):
        for tracker in trackers:
            _tell(tracker, rows)
        told += len(rows)
        on_row(told, rows[-1][1])
        if stop():
            break
    return told


def _parts(metrics: str | Path) -> Iterator[list[tuple[dict[str, Any], int]]]:
    """Parts of (values, step)."""
    rows = iter_jsonl(metrics)
    while together := list(islice(rows, _TOGETHER)):
        yield [(row, int(row.pop("step", 0))) for row in together]


def _tell(tracker: Tracker, rows: Sequence[tuple[Mapping[str, Any], int]]) -> None:
    figures = [
        ({name: value for name, value in row.items() if not _is_table(value) and not _is_reference(name)}, step)
        for row, step in rows
    ]
    if isinstance(tracker, TrackioTracker):
        tracker.log_many([(values, step) for values, step in figures if values])
    else:
        for values, step in figures:
            if values:
                tracker.log(values, step)
    for row, step in rows:
        for name, value in row.items():
            if _is_table(value):
                tracker.log_table(name, value, step)
            elif _is_reference(name):
                metadata = dict(value)
                log_reference(tracker, name.removeprefix(REFERENCE), metadata.pop("address"), step, metadata)


def _is_reference(name: str) -> bool:
    return name.startswith(REFERENCE)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
