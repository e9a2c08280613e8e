"""What a sidecar exports of each run that it follows: how far behind it is, and the figures of the newest evaluation.

Read from the database and not from what passes by: a sidecar that was started again, or shares the work with others, shows the same.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from vaak.checkpoint.claim import run_of
from vaak.checkpoint.folder import CheckpointGone
from vaak.errors import BadInput
from vaak.evaluate.database import DatabaseGone
from vaak.evaluate.jobs import REFERENCE, WAITING, WORKING, Job, LeaseLost, states_of
from vaak.evaluate.outbox import Entry, entries_after, unsent_runs
from vaak.evaluate.places import Place, step_of
from vaak.evaluate.store import Results
from vaak.evaluate.turns import Stopped
from vaak.evaluate.working import Postponed
from vaak.track import Tracker

# While an evaluation goes on, which may take hours, it is looked this often at what waits.
_LOOK_SECONDS = 10.0


class ExportedRuns:
    """An exporter for each run at `places`, by the name of its folder or the last word of its address. Without `open_exporter`
    nothing is done. tells: whether the sidecar hands the outbox on to trackers."""

    def __init__(
        self,
        open_exporter: Callable[[str], Tracker] | None,
        places: Sequence[Place],
        results: Results,
        pack_id: str,
        tells: bool,
    ) -> None:
        self._places, self._results, self._pack_id, self._tells = places, results, pack_id, tells
        names = {one.name for one in places}
        self._runs = {} if open_exporter is None else {name: open_exporter(name) for name in sorted(names)}
        # Of this process, by the run that ids begin with.
        self._evaluated, self._failed, self._seconds = Counter[str](), Counter[str](), dict[str, float]()
        self._last_entry = 0
        # The newest entry of a run and of a level (or of the held-out judges), and what of it was told.
        self._newest: dict[tuple[str, str], Entry] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._look_at = 0.0

    def tell(self, jobs: Sequence[Job]) -> None:
        """Export what is now; jobs: what is seen and has no finished evaluation. Raises `DatabaseGone`."""
        if not self._runs:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._read_entries()
        finished = {row["checkpoint_id"] for row in self._results.finished(self._pack_id)}
        states = states_of(self._results.database, jobs)
        unsent = unsent_runs(self._results.database) if self._tells else None
        for name, exporter in self._runs.items():
            ids = {name, *(run for place in self._places if place.name == name for run in place.run_names())}
            due = [job for job in jobs if job.level != REFERENCE and run_of(job.checkpoint_id) in ids]
            done = [step_of(one) or 0 for one in finished if run_of(one) in ids]
            waiting = {job.checkpoint_id for job in due if states.get(job.key, (WAITING, ""))[0] in (WAITING, WORKING)}
            row: dict[str, Any] = {"sidecar/waiting": len(waiting), **_steps([job.step for job in due], done)}
            row["sidecar/evaluated"] = sum(self._evaluated[one] for one in ids)
            row["sidecar/failed"] = sum(self._failed[one] for one in ids)
            for one in ids & self._seconds.keys():
                row["sidecar/seconds"] = self._seconds[one]
            if unsent is not None:
                row["sidecar/outbox"] = sum(unsent[one] for one in ids)
            exporter.log(row | self._figures(name, ids), int(row.get("sidecar/newest_step", 0)))

    def look(self, find: Callable[[], Sequence[Job]]) -> None:
        """The same while something else is done, now and then; what cannot be asked now is asked later."""
        if self._runs and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            with suppress(BadInput, OSError):
                self.tell(find())

    @contextmanager
    def evaluation(self, identity: str) -> Iterator[None]:
        """Count what becomes of the evaluation of a checkpoint in the block."""
        began = time.monotonic()
        try:
            yield
        except (Stopped, LeaseLost, DatabaseGone, Postponed, CheckpointGone):
            raise
        except Exception:
            self._failed[run_of(identity)] += 1
            raise
        self._evaluated[run_of(identity)] += 1
        self._seconds[run_of(identity)] = time.monotonic() - began

    def close(self) -> None:
        for exporter in self._runs.values():
            exporter.close()

    def _read_entries(self) -> None:
        for number, entry in entries_after(self._results.database, self._last_entry):
            self._last_entry = max(self._last_entry, number)
            parts = {name.split("/")[1] for name in entry.values if name.count("/") > 1}
            if f" {self._pack_id} " not in entry.key or len(parts) != 1:
                continue
            key = run_of(str(entry.values["evaluate/checkpoint"])), parts.pop()
            if key not in self._newest or entry.step >= self._newest[key].step:
                self._newest[key] = entry

    def _figures(self, name: str, ids: set[str]) -> dict[str, Any]:
        """Of the newest evaluation of each level; what an earlier one had and this one has not is no number any more."""
        values: dict[str, Any] = {}
        for entry in sorted((one for (run, _), one in self._newest.items() if run in ids), key=lambda one: one.step):
            values |= entry.values
        gone = dict.fromkeys(self._told.get(name, {}).keys() - values.keys(), math.nan)
        self._told[name] = values
        return gone | values


def _steps(due: Sequence[int], done: Sequence[int]) -> dict[str, int]:
    if not due and not done:
        return {}
    newest, evaluated = max([*due, *done]), max(done, default=0)
    return {"sidecar/newest_step": newest, "sidecar/behind": newest - evaluated} | (
        {"sidecar/evaluated_step": evaluated} if done else {}
    )
