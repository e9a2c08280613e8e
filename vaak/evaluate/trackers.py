"""What the outbox holds, told to the tracker of each run: the figures at least once, the table of sounds at most once."""

from __future__ import annotations

import time
from collections.abc import Callable

from vaak.codec import Codec
from vaak.corpus.pack_items import GoldPack
from vaak.evaluate.database import DatabaseGone
from vaak.evaluate.held_out_changes import ALARM
from vaak.evaluate.outbox import Entry, drain_outbox
from vaak.evaluate.store import Results
from vaak.evaluate.tracker_sounds import sound_table
from vaak.evaluate.turns import Stopped
from vaak.track import Tracker

# A tracker that fails is tried again after so long: opening one may wait for a network.
_AGAIN_SECONDS = 30.0


class RunTrackers:
    """The trackers of the runs of a database, each opened when its run has something to tell. Without `open_tracker` there are
    none, and what there is to tell stays in the outbox. Steps may go backwards: the newest checkpoint is evaluated first.

    A tracker that fails holds nothing up: it is said once, the entries are kept and sent again. A table of sounds that cannot
    be made or told is left out, and that is said once.
    """

    def __init__(
        self,
        open_tracker: Callable[[str], Tracker] | None,
        results: Results,
        pack: GoldPack,
        codec: Codec,
        say: Callable[[str], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._open, self._results, self._pack, self._codec = open_tracker, results, pack, codec
        self._say, self._stop = say, stop
        self._trackers: dict[str, Tracker] = {}
        self._failing, self._again_at = False, 0.0
        self._said: set[str] = set()

    def tell(self) -> None:
        """Hand on what was not sent, until `stop` turns true. Raises `DatabaseGone` only."""
        if self._open is None or time.monotonic() < self._again_at:
            return
        try:
            sent = drain_outbox(self._results.database, self._send)
        except DatabaseGone:
            raise
        except Stopped:
            return
        except Exception as error:
            if not self._failing:
                self._say(f"the tracker took no figures ({_told(error)}); they are kept and sent again")
            self._failing, self._again_at = True, time.monotonic() + _AGAIN_SECONDS
            return
        if self._failing and sent:
            self._say("the tracker takes figures again")
            self._failing = False

    def close(self) -> None:
        """Tell what is left, and end every tracker."""
        self._again_at = 0.0
        self.tell()
        for tracker in {id(one): one for one in self._trackers.values()}.values():
            try:
                tracker.close()
            except Exception as error:
                self._say(f"a tracker did not end well ({_told(error)})")

    def _send(self, entry: Entry) -> None:
        assert self._open is not None
        if self._stop():
            raise Stopped
        run = str(entry.values.get("evaluate/checkpoint", "")).partition("/")[0]
        if run not in self._trackers:
            self._trackers[run] = self._open(run)
        self._trackers[run].log(entry.values, entry.step)
        if ALARM not in entry.values:  # that is of two checkpoints, and its sounds go with the evaluation of the newest
            self._send_sounds(self._trackers[run], entry)

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
            self._say_once("failed", f"no sounds for {checkpoint_id} ({_told(error)})")

    def _say_once(self, reason: str, line: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            self._say(f"{line}; it is not said again")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
