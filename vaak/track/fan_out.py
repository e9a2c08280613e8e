"""Several trackers as one, each behind its own queue; and metrics.jsonl before them, which says in its rows what they missed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vaak.track.jsonl import JsonlTracker
from vaak.track.queued import CLOSE_SECONDS, QueuedTracker
from vaak.track.sentences import sentence_of
from vaak.track.tracker import Tracker, plain


class FanOut:
    """Tells each of its trackers, by name; none of them stops or slows who tells, nor another one.

    direct: told at once, in the thread that tells: what only keeps a row, a screen's figures for one.
    """

    def __init__(self, trackers: Mapping[str, QueuedTracker], direct: Sequence[Tracker] = ()) -> None:
        self.trackers, self._direct = dict(trackers), direct

    @property
    def dropped(self) -> dict[str, int]:
        """How many rows each did not take so far."""
        return {name: tracker.dropped for name, tracker in self.trackers.items()}

    def log(self, values: Mapping[str, Any], step: int) -> None:
        try:
            copy, step = plain(values), int(step)
        except Exception:  # each of them counts it and says so
            for tracker in self.trackers.values():
                tracker.log(values, step)
            return
        self.log_copy(copy, step)

    def log_copy(self, values: Mapping[str, Any], step: int) -> None:
        """As `log`, of values that are plain and that nobody changes any more."""
        for tracker in self._direct:
            tracker.log(values, step)
        for tracker in self.trackers.values():
            tracker.log_copy(values, step)

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        for tracker in self.trackers.values():
            tracker.log_table(name, rows, step)

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        for tracker in self.trackers.values():
            tracker.log_reference(name, address, step, metadata)

    def close(self) -> None:
        """Wait for all of them at once, 25 s at most."""
        until = time.monotonic() + CLOSE_SECONDS
        for tracker in self.trackers.values():
            tracker.end()
        waiting = list(self.trackers.values())
        try:
            while waiting:
                waiting.pop(0).wait(until)
        finally:  # where somebody will not wait, the others are still ended, and what they missed is counted and said
            for tracker in waiting:
                tracker.wait(0.0)


class RunTracker:
    """What a run tells: metrics.jsonl first and at once, then the trackers beside it. Where one of these missed rows, a row of
    metrics.jsonl has `untold/NAME`, how many so far.

    tracker: closed by whom it is from. One that is not behind a queue yet is put behind one here, so that it cannot stop or slow
    the run. Raises what `JsonlTracker.log` raises.
    """

    def __init__(self, jsonl: JsonlTracker, tracker: Tracker | None, say: Callable[[str], None]) -> None:
        self._jsonl, self._say = jsonl, say
        self._made: QueuedTracker | None = None
        if isinstance(tracker, FanOut):
            self._beside = tracker
            return
        if tracker is not None and not isinstance(tracker, QueuedTracker):
            self._made = QueuedTracker("tracker", lambda: tracker, say, owned=False)
        queued = tracker if isinstance(tracker, QueuedTracker) else self._made
        self._beside = FanOut({queued.name: queued} if queued is not None else {})

    def log(self, values: Mapping[str, Any], step: int) -> None:
        copy: dict[str, Any] = plain(values)
        copy |= {f"untold/{name}": rows for name, rows in self._beside.dropped.items() if rows}
        self._jsonl.log(copy, step)
        self._beside.log_copy(copy, int(step))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        self._jsonl.log_table(name, rows, step)
        self._beside.log_table(name, rows, step)

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        """Comes from the thread of a save, which may end after the run: never raises."""
        try:
            self._jsonl.log_reference(name, address, step, metadata)
            self._beside.log_reference(name, address, step, metadata)
        except Exception as error:
            self._say(f"no row says where {name} of step {step} lies ({sentence_of(error)})")

    def close(self) -> None:
        """Hand on what waits for a tracker that was put behind a queue here; the others are closed by whom they are from."""
        if self._made is not None:
            self._made.close()

    def __enter__(self) -> RunTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
