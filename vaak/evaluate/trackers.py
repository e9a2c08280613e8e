"""What the outbox holds, told to the tracker of each run: the figures at least once, the table of sounds at most once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack
from vaak.evaluate.database import DatabaseGone
from vaak.evaluate.held_out_changes import ALARM
from vaak.evaluate.outbox import Entry, drain_outbox
from vaak.evaluate.store import Results
from vaak.evaluate.tracker_sounds import sound_table
from vaak.evaluate.turns import Stopped
from vaak.track import Tracker
from vaak.track.sentences import sentence_of

# A tracker that fails is tried again after so long: opening one may wait for a network.
_AGAIN_SECONDS = 30.0


@dataclass
class _Told:
    """One tracker by its name, with one for each run. ahead: the keys of entries that it took and another one did not."""

    name: str
    open: Callable[[str], Tracker]
    trackers: dict[str, Tracker] = field(default_factory=dict)
    ahead: set[str] = field(default_factory=set)
    failing: bool = False
    again_at: float = 0.0
    # Of the present round.
    failed: bool = False
    sent: int = 0

    def __str__(self) -> str:
        return f"the tracker {self.name}".rstrip()


class RunTrackers:
    """The trackers of the runs of a database, each opened when its run has something to tell. Without `open_tracker` there are
    none, and what there is to tell stays in the outbox. Steps may go backwards: the newest checkpoint is evaluated first.

    Several, by names of their own, are told in order. One that fails holds nothing up and no other one: it is said once, the
    entries are kept and sent again, only to it as long as this process lives. A table of sounds that cannot be made or told is
    left out, and that is said once.
    """

    def __init__(
        self,
        open_tracker: Callable[[str], Tracker] | Mapping[str, Callable[[str], Tracker]] | None,
        results: Results,
        pack: GoldPack,
        codec: Codec,
        say: Callable[[str], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        openers = open_tracker if isinstance(open_tracker, Mapping) else {"": open_tracker} if open_tracker else {}
        self._told = {name: _Told(name, opener) for name, opener in openers.items()}
        self._results, self._pack, self._codec = results, pack, codec
        self._say, self._stop = say, stop
        self._said: set[str] = set()

    def tell(self) -> None:
        """Hand on what was not sent, until `stop` turns true. Raises `DatabaseGone` only."""
        now = time.monotonic()
        turn = [one for one in self._told.values() if now >= one.again_at]
        if not turn:
            return
        for one in turn:
            one.failed, one.sent = False, 0
        try:
            drain_outbox(self._results.database, self._send)
        except DatabaseGone:
            raise
        except Stopped:
            return
        for one in turn:
            if one.failing and one.sent and not one.failed:
                self._say(f"{one} takes figures again")
                one.failing = False

    def close(self) -> None:
        """Tell what is left, and end every tracker."""
        for one in self._told.values():
            one.again_at = 0.0
        self.tell()
        opened = [tracker for one in self._told.values() for tracker in one.trackers.values()]
        for tracker in {id(one): one for one in opened}.values():
            try:
                tracker.close()
            except Exception as error:
                self._say(f"a tracker did not end well ({sentence_of(error)})")

    def _send(self, entry: Entry) -> bool:
        """Whether every tracker has it now."""
        if self._stop():
            raise Stopped
        waiting = [one for one in self._told.values() if entry.key not in one.ahead]
        took = [one for one in waiting if self._send_to(one, entry)]
        if len(took) < len(waiting):
            for one in took:
                one.ahead.add(entry.key)
            return False
        for one in self._told.values():
            one.ahead.discard(entry.key)
        return True

    def _send_to(self, one: _Told, entry: Entry) -> bool:
        """Whether it took the figures. One that has failed is left alone for a while."""
        if time.monotonic() < one.again_at:
            return False
        run = str(entry.values.get("evaluate/checkpoint", "")).partition("/")[0]
        try:
            if run not in one.trackers:
                one.trackers[run] = one.open(run)
            one.trackers[run].log(entry.values, entry.step)
        except DatabaseGone:
            raise
        except Exception as error:
            if not one.failing:
                self._say(f"{one} took no figures ({sentence_of(error)}); they are kept and sent again")
            one.failing = one.failed = True
            one.again_at = time.monotonic() + _AGAIN_SECONDS
            return False
        one.sent += 1
        if ALARM not in entry.values:  # that is of two checkpoints, and its sounds go with the evaluation of the newest
            self._send_sounds(one.trackers[run], entry)
        return True

    def _send_sounds(self, tracker: Tracker, entry: Entry) -> None:
        """A table that fails must not have its figures told twice, so what goes wrong is only said."""
        checkpoint_id, pack_id = entry.values.get("evaluate/checkpoint"), entry.values.get("evaluate/pack")
        if checkpoint_id is None or pack_id != self._pack.id:
            self._say_once("pack", f"no sounds for {entry.key}: this sidecar has another pack")
            return
        try:
            rows = sound_table(self._results, self._pack, self._codec, checkpoint_id)
            if rows:
                tracker.log_table("evaluate/sounds", rows, entry.step)
            else:
                place = self._results.folder / "generations"
                self._say_once("away", f"no sounds for {checkpoint_id}: what it said is not in {place} of this machine")
        except DatabaseGone:
            raise
        except Exception as error:
            self._say_once("failed", f"no sounds for {checkpoint_id} ({sentence_of(error)})")

    def _say_once(self, reason: str, line: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            self._say(f"{line}; it is not said again")
