"""A tracker behind a queue and a thread of its own, so that one that is down, slow or full never stops or slows a run.

The thread opens the tracker, hands on what has come every second or every few, and opens it again where it failed. What it did not
take is counted: metrics.jsonl has it, and `vaak replay` tells it again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from vaak.track.sentences import sentence_of
from vaak.track.tracker import Row, Sound, Tracker, log_reference, plain

Say = Callable[[str], None]

# Rows that wait, and bytes of sounds with them: minutes of a fast run, and little memory.
_ROWS, _BYTES = 4096, 64_000_000
# How long rows gather: a thread that wakes for each of them costs the run more than what it hands on.
_GATHER_SECONDS = 1.0
# And for a tracker of which each handing on costs something: trackio 75 ms of a processor, for one row as for hundreds.
GATHER_LONG = 5.0
# Failures in a row after which a tracker is closed and rests; each pause is twice the one before.
_FAILURES, _FIRST_REST, _LONGEST_REST = 3, 1.0, 300.0
# What is left when a run ends has so long; after so many seconds it is said what is waited for.
CLOSE_SECONDS, _SAY_AFTER = 25.0, 3.0


class _Message(NamedTuple):
    """One row, table or reference that waits."""

    kind: str
    what: tuple[Any, ...]
    size: int = 0


class Untold(Exception):
    """The first `taken` of many rows were taken, and the one after them was not."""

    def __init__(self, taken: int, why: str) -> None:
        super().__init__(why)
        self.taken = taken


class TrackerDied(OSError):
    """The tracker's process has ended, and it is not known what of the messages it took."""


class QueuedTracker:
    """A tracker whose methods neither block nor raise. `dropped` counts rows, tables and references that it did not take.

    open: gives the tracker, in the thread; asked again after failures. owned: close what it gave; a tracker that somebody else
    closes is only told. again: a command that tells a run's rows again.
    gather: how many seconds rows gather until they are handed on. say: told of each trouble once, and when it is over.
    """

    def __init__(
        self,
        name: str,
        open: Callable[[], Tracker],
        say: Say = print,
        *,
        owned: bool = True,
        again: str = "",
        gather: float | None = None,
    ) -> None:
        self.name, self._open, self._owned, self._again = name, open, owned, again
        self._gather = _GATHER_SECONDS if gather is None else gather
        self._say_line = say
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._waiting: deque[_Message] = deque()
        self._bytes = self._dropped = self._at_hand = 0
        self._closing = self._over = False
        self._tracker: Tracker | None = None
        self._failures, self._rest, self._open_at = 0, _FIRST_REST, 0.0
        self._trouble = self._full = False
        # How often in a row it died, how often since the end, and the first message that it was told last before it died.
        self._deaths = self._deaths_at_end = 0
        self._suspect: _Message | None = None
        self._thread = threading.Thread(target=self._work, name=f"track-{name}", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._dropped

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self._put("row", lambda: (plain(values), int(step)))

    def log_copy(self, values: Mapping[str, Any], step: int) -> None:
        """As `log`, of values that are plain and that nobody changes any more."""
        self._append(_Message("row", (values, step)))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        self._put("table", lambda: (name, plain(rows), int(step)))

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        self._put("reference", lambda: (name, address, int(step), plain(metadata)))

    def close(self) -> None:
        """Wait for what is left, at most 25 s, and say how many rows the tracker missed."""
        self.end()
        self.wait(time.monotonic() + CLOSE_SECONDS)

    def end(self) -> None:
        """Take nothing more, and hand on what waits; `wait` waits for it."""
        self._closing = True
        self._wake.set()

    def wait(self, until: float) -> None:
        """Until all is told or the moment `until` of the monotonic clock has come; what is left then is dropped."""
        try:
            self._thread.join(max(0.0, min(_SAY_AFTER, until - time.monotonic())))
            if self._thread.is_alive() and time.monotonic() < until:
                seconds = until - time.monotonic()
                self._say(f"waiting for the tracker {self.name}, at most {seconds:.0f} s more")
                self._thread.join(max(0.0, seconds))
        finally:  # also where somebody will not wait
            self._give_up()
        if self._dropped:
            again = f"; metrics.jsonl has them, and `{self._again}` tells them again" if self._again else ""
            self._say(f"the tracker {self.name} missed {self._dropped} rows of this run{again}")

    def _put(self, kind: str, made: Callable[[], tuple[Any, ...]]) -> None:
        try:
            what = made()
            message = _Message(kind, what, _sounds(what[1]) if kind == "table" else 0)
        except Exception as error:
            with self._lock:
                self._dropped += 1
            self._say_trouble(f"cannot take a row ({sentence_of(error)})")
            return
        self._append(message)

    def _append(self, message: _Message) -> None:
        with self._lock:
            room = len(self._waiting) < _ROWS and self._bytes + message.size <= _BYTES and not self._closing
            if room:
                self._waiting.append(message)
                self._bytes += message.size
                return
            self._dropped += 1
            first, self._full = not self._full and not self._closing, True
        if first:
            self._say_trouble("is slower than the run, and its queue is full")

    def _work(self) -> None:
        while not self._over:
            if not self._closing:
                self._wake.wait(self._gather if self._tracker is not None else self._pause())
            if not self._ready():
                if self._closing:
                    break
                continue
            good = self._tell_what_waits()
            if self._closing and not self._waiting:
                break
            if good and len(self._waiting) < _ROWS // 2:
                self._well()
        self._drop_waiting()
        self._shut()

    def _pause(self) -> float:
        return max(0.0, self._open_at - time.monotonic())

    def _ready(self) -> bool:
        """Whether the tracker is open, after a try to open it where its rest is over."""
        if self._tracker is None and (self._closing or not self._pause()):
            try:
                self._tracker, self._failures = self._open(), 0
            except BaseException as error:  # whatever a library does: it must not end this thread
                self._say_trouble(f"cannot be opened ({sentence_of(error)})")
                self._rests()
        return self._tracker is not None

    def _tell_what_waits(self) -> bool:
        """Hand on all that is there; whether there was something and none of it failed. Ends early where the tracker has to
        rest."""
        outcomes: set[bool] = set()
        while not self._over and self._tracker is not None:
            with self._lock:
                messages = self._next()
                self._at_hand = len(messages)
            if not messages:
                break
            outcomes.add(self._hand_on(self._tracker, messages))
        return outcomes == {True}

    def _next(self) -> list[_Message]:
        """What is handed on at once: rows as far as the next table, where the tracker takes many. A row that may be why it died
        goes alone."""
        many = hasattr(self._tracker, "log_many") and not (self._waiting and self._waiting[0] is self._suspect)
        found: list[_Message] = []
        while self._waiting and (not found or (many and found[0].kind == self._waiting[0].kind == "row")):
            found.append(self._waiting.popleft())
            self._bytes -= found[-1].size
        return found

    def _hand_on(self, tracker: Tracker, messages: list[_Message]) -> bool:
        """Raises nothing. What comes after the message that failed waits again."""
        taken, why = len(messages), ""
        try:
            tell(tracker, messages[0].kind, [message.what for message in messages])
        except Untold as error:
            taken, why = error.taken, str(error)
        except TrackerDied as error:
            self._died(messages, str(error))
            return False
        except BaseException as error:
            taken, why = 0, sentence_of(error)
        self._deaths, self._suspect = 0, None
        failed = taken < len(messages)
        with self._lock:
            if self._over:  # given up meanwhile, and counted
                return False
            self._at_hand = 0
            if failed:
                self._dropped += 1
                self._waiting.extendleft(reversed(messages[taken + 1 :]))
        self._failures = self._failures + 1 if taken == 0 and failed else int(failed)
        if failed:
            self._say_trouble(f"did not take a row ({why})")
            if self._failures >= _FAILURES:
                self._shut()
                self._rests()
        else:
            self._rest = _FIRST_REST
        return not failed

    def _died(self, messages: list[_Message], why: str) -> None:
        """All that it was told waits again, for the next one, which is opened at once; after several deaths in a row, after a
        rest; and at the end once. A row that was the first at two deaths is dropped."""
        self._deaths, self._deaths_at_end = self._deaths + 1, self._deaths_at_end + self._closing
        with self._lock:
            if self._over:  # given up meanwhile, and counted
                return
            self._at_hand = 0
            guilty = messages[0] is self._suspect
            self._dropped += guilty
            self._waiting.extendleft(reversed(messages[guilty:]))
            self._bytes += sum(message.size for message in messages[guilty:])
        self._suspect = messages[0]
        self._say_trouble(f"is opened again ({why})")
        self._shut()
        if self._deaths_at_end > 1:
            self._over = True
        elif self._deaths >= _FAILURES:
            self._rests()

    def _rests(self) -> None:
        self._open_at = time.monotonic() + self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)
        if self._closing:
            self._over = True

    def _shut(self) -> None:
        if self._tracker is not None and self._owned:
            try:
                self._tracker.close()
            except BaseException as error:
                self._say(f"the tracker {self.name} did not end well ({sentence_of(error)})")
        self._tracker = None  # only now: what hangs while it closes can still be killed

    def _drop_waiting(self) -> None:
        with self._lock:
            self._dropped += len(self._waiting) + self._at_hand
            self._waiting.clear()
            self._bytes = self._at_hand = 0

    def _give_up(self) -> None:
        """Whatever the thread is at is counted as not taken, and ended where it can be."""
        with self._lock:
            self._closing = self._over = True
        self._drop_waiting()
        kill = getattr(self._tracker, "kill", None)
        if self._thread.is_alive() and kill is not None:
            with suppress(Exception):
                kill()

    def _say_trouble(self, what: str) -> None:
        if not self._trouble:
            self._trouble = True
            self._say(f"the tracker {self.name} {what}; the run goes on, and metrics.jsonl has every row")

    def _well(self) -> None:
        if self._trouble:
            self._trouble = self._full = False
            self._say(f"the tracker {self.name} takes rows again; it has missed {self._dropped} so far")

    def _say(self, line: str) -> None:
        with suppress(Exception):
            self._say_line(line)


def tell(tracker: Tracker, kind: str, messages: Sequence[tuple[Any, ...]]) -> None:
    """Hand messages of one kind to a tracker. Raises `Untold` where some were taken before one was not."""
    if kind == "row" and len(messages) > 1 and (take := getattr(tracker, "log_many", None)) is not None:
        rows: Sequence[Row] = [(values, step) for values, step in messages]
        take(rows)
        return
    for number, message in enumerate(messages):
        try:
            if kind == "row":
                tracker.log(*message)
            elif kind == "table":
                tracker.log_table(*message)
            else:
                log_reference(tracker, *message)
        except TrackerDied:
            raise
        except Exception as error:
            raise Untold(number, sentence_of(error)) from error


def _sounds(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(cell.data) for row in rows for cell in row.values() if isinstance(cell, Sound))
