"""The figures of a publisher, told to an exporter while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from vaak.checkpoint.lanes import Lane, Say
from vaak.checkpoint.metrics import PUBLISHING
from vaak.checkpoint.outbox import PUBLISHED, Record
from vaak.errors import BadInput
from vaak.track import Tracker
from vaak.track.prometheus_exporter import EXPORTER, exporter_choices, exporter_opener

# An upload may take hours and reports many times a second.
_SECONDS = 5.0


class PublishFigures:
    """Counts what this process sends; what waits is read from its lanes. Without a tracker nothing is done."""

    def __init__(self, tracker: Tracker | None) -> None:
        self._tracker = tracker
        self._counts = {"publish/published": 0, "publish/failed": 0, "publish/bytes": 0}
        self._seconds: dict[str, float] = {}
        self._tell_at = 0.0

    def sent(self, record: Record) -> None:
        self._counts["publish/published"] += 1
        self._counts["publish/bytes"] += record.bytes
        self._seconds = {"publish/seconds": record.seconds}

    def failed(self) -> None:
        self._counts["publish/failed"] += 1

    def tell(self, lanes: Sequence[Lane], now: bool = True) -> None:
        """The present state, or nothing if that was told a moment ago and it need not be `now`."""
        if self._tracker is None or not (now or time.monotonic() >= self._tell_at):
            return
        self._tell_at = time.monotonic() + _SECONDS
        waiting = [(lane, one) for lane in lanes for one in lane.waiting()]
        ages = [_age(one) for lane, one in waiting if one.checkpoint not in lane.unready]
        steps = [one.step for lane in lanes for one in lane.records.values()]
        there = [one.step for lane in lanes for one in lane.records.values() if one.state == PUBLISHED]
        row = {"publish/waiting": len(waiting), "publish/oldest_s": max(ages, default=0.0)}
        row |= {"publish/step": max(there)} if there else {}
        self._tracker.log(row | self._counts | self._seconds, max(steps, default=0))


@contextmanager
def publish_exporter(track: Sequence[str], run: Path, say: Say) -> Iterator[Tracker | None]:
    """The exporter of a publisher, or None where `track` names none. Raises `BadInput` for a tracker of another kind."""
    others = [choice for choice in track if choice not in exporter_choices(track)]
    if others:
        raise BadInput(
            f"a publisher has nothing to tell the tracker {others[0]!r}, only how it stands; use {EXPORTER} or {EXPORTER}:PORT"
        )
    opened = exporter_opener(track, job="publish", metrics=PUBLISHING, say=say)
    if opened is None:
        yield None
        return
    with closing(opened(run.resolve().name)) as tracker:
        yield tracker


def _age(record: Record) -> float:
    """Seconds since a record began to wait."""
    return max((datetime.now(UTC) - datetime.fromisoformat(record.since)).total_seconds(), 0.0)
