"""Rows of `checkpoint/*`: what became of saves, told by the thread of the training, since a tracker is for one thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from vaak.checkpoint import Checkpoint, cadence, next_due
from vaak.checkpoint.folder import MANIFEST
from vaak.errors import BadInput
from vaak.recipe import CheckpointSettings
from vaak.storage.files import read_json
from vaak.track import Tracker


class SaveFigures:
    """Collects what ends, in the saver's thread or the training's, and tells it when asked, in the training's.

    Without trackers, on all processes but the first, nothing is looked at.
    """

    def __init__(self, policy: CheckpointSettings, steps: int, trackers: Sequence[Tracker]) -> None:
        self._policy, self._steps, self._trackers = policy, steps, trackers
        self._began = time.perf_counter()
        # A failure is None.
        self._ended: deque[dict[str, float] | None] = deque()
        self._failed = 0

    def begins(self) -> None:
        """A save's copies are about to be made."""
        self._began = time.perf_counter()

    def ends(self, result: Checkpoint | OSError) -> None:
        """From whichever thread notices it."""
        if isinstance(result, OSError):
            self._ended.append(None)
        elif result.full and self._trackers:
            seconds = time.perf_counter() - self._began
            self._ended.append({"checkpoint/step": result.step, "checkpoint/seconds": seconds, **_size(result)})

    def left_out(self) -> None:
        """One was due while another was still being written."""
        self._ended.append(None)

    def start(self, step: int, newest: Checkpoint | None) -> None:
        """A row before the first step: by which policy, and from which checkpoint."""
        self._tell(step, {} if newest is None else {"checkpoint/step": newest.step})

    def tell(self, step: int) -> None:
        """A row if anything ended since the last one."""
        if self._ended:
            self._tell(step, {})

    def _tell(self, step: int, row: dict[str, float]) -> None:
        while self._ended:
            one = self._ended.popleft()
            self._failed += one is None
            row |= one or {}
        following = next_due(self._policy, step)
        row |= {"checkpoint/every": cadence(self._policy, following), "checkpoint/failed": self._failed}
        if step < self._steps:  # at the end there is none
            row["checkpoint/next"] = min(following, self._steps)
        for tracker in self._trackers:
            tracker.log(row, step)


def _size(one: Checkpoint) -> dict[str, float]:
    with suppress(BadInput, OSError, KeyError, TypeError):  # retention may have been at it since
        return {"checkpoint/bytes": sum(file["size"] for file in read_json(one.path / MANIFEST)["files"])}
    return {}
