"""Calls on a few threads with a limit of time: one that hangs is left behind, and another thread takes its place.

A thread cannot be killed, and a network that hangs may hold it for ever. So the threads are daemons, which no exit of the
program waits for, and what a call that was left behind finds later goes nowhere. Only a while does `close` wait, which
the end of the program calls where nobody did: an interpreter that is taken down while a thread is in a library's C++
aborts when that thread comes back.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")
# At the end: seconds for calls within their limit, of which a judge of the reward takes a half on a busy core, and for those that
# were left behind, which may be slow only.
_WAIT_S, _LEFT_BEHIND_WAIT_S = 10.0, 1.0


class Hung(TimeoutError):
    """A call did not end within its limit and was left behind."""


class Withdrawn(RuntimeError):
    """A call was not made: one that belongs to it hung, or nothing is called any more."""


class Together:
    """Calls that belong to one another: when one hangs, those of them that no thread took up yet are not made."""

    hung = False


class Call(Generic[Found]):
    """One call: what to do, since when it runs, and what came of it. Its fields belong to `TimedCalls`."""

    def __init__(self, work: Callable[[], Found], together: Together) -> None:
        self.work = work
        self.together = together
        self.started: float | None = None
        self.thread: threading.Thread | None = None
        self.ended = False
        self.found: Found | None = None
        self.error: BaseException | None = None


class TimedCalls:
    """`threads` calls at once, each within `limit_s` seconds from when a thread takes it up, in the order of `start`."""

    def __init__(self, threads: int, limit_s: float) -> None:
        self.limit_s = limit_s
        self._changed = threading.Condition()
        self._queue: deque[Call] = deque()
        self._running: set[Call] = set()
        self._left_behind: set[Call] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        for _ in range(threads):
            self._add_thread()
        atexit.register(self.close)

    def start(self, work: Callable[[], Found], together: Together) -> Call[Found]:
        """Queue a call. Raises `Withdrawn` after `close`."""
        call = Call(work, together)
        with self._changed:
            if self._closed:
                raise Withdrawn("nothing is called after close()")
            self._queue.append(call)
            self._withdraw_of_hung()
            self._changed.notify_all()
        return call

    def outcome(self, call: Call[Found]) -> Found:
        """Wait for a call: what it found, or what it raised. Raises `Hung` when it was left behind, and
        `Withdrawn`."""
        with self._changed:
            while not call.ended:
                self._leave_overdue()
                if not call.ended:
                    self._changed.wait(self._soonest())
            if call.error is not None:
                raise call.error
            return call.found  # type: ignore[return-value]

    def close(self) -> None:
        """Withdraw what is queued; the threads end. What they are at is waited for: ten seconds at the most, and one second
        where a call was left behind."""
        atexit.unregister(self.close)
        began = time.monotonic()
        with self._changed:
            self._closed = True
            while self._queue:
                self._end(self._queue.popleft(), None, Withdrawn("the calls were closed"))
            self._changed.notify_all()
            while (wait := self._worth_waiting() - (time.monotonic() - began)) > 0:
                self._changed.wait(min(wait, self._soonest() or wait))
            held = {call.thread for call in self._running | self._left_behind}
            ending = [one for one in self._threads if one not in held]
        for thread in ending:  # at their very end they still give back what they found, which may be tensors
            thread.join(_LEFT_BEHIND_WAIT_S)

    def _worth_waiting(self) -> float:
        self._leave_overdue()
        return _WAIT_S if self._running else _LEFT_BEHIND_WAIT_S if self._left_behind else 0.0

    def _add_thread(self) -> None:
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(threading.Thread(target=self._work, name="judge", daemon=True))
        self._threads[-1].start()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if not self._queue:
                    return
                call = self._queue.popleft()
                call.started, call.thread = time.monotonic(), threading.current_thread()
                self._running.add(call)
                self._changed.notify_all()  # who waits for it must know from when on it runs
            found, error = None, None
            try:
                found = call.work()
            except BaseException as raised:
                error = raised
            with self._changed:
                if call in self._left_behind:  # another thread is in this one's place
                    self._left_behind.discard(call)
                    self._changed.notify_all()
                    return
                self._running.discard(call)
                self._end(call, found, error)

    def _leave_overdue(self) -> None:
        """Whoever waits does it for all, so that one group's hung call never keeps another group's from a thread."""
        now = time.monotonic()
        overdue = [one for one in self._running if one.started is not None and now - one.started >= self.limit_s]
        for call in overdue:
            self._running.discard(call)
            self._left_behind.add(call)
            call.together.hung = True
            self._end(call, None, Hung(f"no answer within {self.limit_s:g} s"))
            self._add_thread()
        if overdue:
            self._withdraw_of_hung()

    def _withdraw_of_hung(self) -> None:
        for call in [one for one in self._queue if one.together.hung]:
            self._queue.remove(call)
            self._end(call, None, Withdrawn("a call that belongs to this one hung"))

    def _soonest(self) -> float | None:
        """Seconds until the next running call is overdue; None while nothing runs."""
        started = [call.started for call in self._running if call.started is not None]
        return max(0.0, min(started) + self.limit_s - time.monotonic()) if started else None

    def _end(self, call: Call[Found], found: Found | None, error: BaseException | None) -> None:
        call.found, call.error, call.ended = found, error, True
        self._changed.notify_all()
