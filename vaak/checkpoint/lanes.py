"""The ways from a run to its targets: what waits on each, what rests after a failure, and the leases that keep it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from vaak.checkpoint.folder import Checkpoint
from vaak.checkpoint.leases import lease
from vaak.checkpoint.outbox import WAITING, Kind, Record
from vaak.errors import BadInput
from vaak.track.sentences import without_keys

Say = Callable[[str], None]


@dataclass
class Lane:
    """The way to one target.

    after: what follows when something was sent and recorded. away: the service did not answer the last time. resume_at: of its
    clock, after a failure; parked: checkpoints that need a person, until when. tried: ids that were tried, and sent whether
    one of them arrived. unready: ids that were passed over the last time, since something of them is not there yet.
    """

    kind: Kind
    target: str
    records: dict[str, Record]
    send: Callable[[Checkpoint], Record]
    ready: Callable[[Checkpoint], bool] = lambda _: True
    after: Callable[[], None] = lambda: None
    failures: int = 0
    away: bool = False
    sent: bool = False
    resume_at: float = 0.0
    parked: dict[str, float] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)

    def waiting(self) -> list[Record]:
        """Newest first."""
        found = [one for one in self.records.values() if one.state == WAITING]
        return sorted(found, key=lambda one: one.step, reverse=True)

    def next(self, complete: dict[str, Checkpoint], again: bool) -> Checkpoint | None:
        """What to send now. Unless it is tried `again`, each has one try, and none once the service was away."""
        clock = time.monotonic()
        if clock < self.resume_at if again else self.away:
            return None
        for record in self.waiting():
            one = complete.get(record.checkpoint)
            if one is None or (clock < self.parked.get(one.id, 0.0) if again else one.id in self.tried):
                continue
            if self.ready(one):
                self.unready.discard(one.id)
                return one
            self.unready.add(one.id)
        return None


class Held:
    """The leases that a publisher holds on checkpoints of the run's folder."""

    def __init__(self, run: Path, say: Say) -> None:
        self._run, self._say = run, say
        self._leases: dict[int, ExitStack] = {}

    def hold(self, steps: set[int]) -> bool:
        """Hold these and no others; whether any is new."""
        for step in set(self._leases) - steps:
            self._leases.pop(step).close()
        new = steps - set(self._leases)
        for step in new:
            stack = ExitStack()
            try:
                stack.enter_context(lease(self._run, step, "publish"))
                self._leases[step] = stack
            except (BadInput, OSError):
                self._say(
                    f"what waits cannot be kept from the run's own retention: {self._run}/leases cannot be written; make it "
                    "writable, or make room on its disk"
                )
        return bool(new)


def sentence_of(error: Exception) -> str:
    """What to tell of a failure. Errors of other libraries may hold whole requests: of those only the kind."""
    text = type(error).__name__
    if isinstance(error, BadInput):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(without_keys(text).split())[:500]
