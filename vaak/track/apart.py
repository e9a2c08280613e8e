"""A tracker in a process of its own, so that what its library does (encoding, waiting, dying) is not done in the process that trains.

Frames go over a pipe: a length, then values of Python's `marshal`, which knows numbers, texts, bytes, lists and mappings, and
executes nothing. Each is answered. `python -m vaak.track.apart` is the other side; it ends its tracker well when the pipe ends, so
also when the process that trains was killed.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from vaak.track.queued import TrackerDied, Untold, tell
from vaak.track.sentences import sentence_of, without_keys
from vaak.track.tracker import Row, Sound, Tracker

_NICENESS = 10
# What asks a run to stop may reach all its processes (a machine that is shut down): it saves and tells on, and the end of the pipe
# is this one's end.
_OF_THE_RUN = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_LENGTH = struct.Struct("<I")
# What stands for a sound in a frame: a mapping that no cell of a table is.
_SOUND = "vaak sound"


class TrackerApart:
    """The tracker `choice` of `vaak.track.open`, in a process of its own: opened, told and closed there. folder: the run's.

    Every method waits for the answer, so it is used behind a `QueuedTracker`. Raises `Untold` with the tracker's own sentence for
    what it did not do, and `TrackerDied` where its process has ended; `kill` may be called from another thread, and ends whatever is waited for.
    """

    def __init__(self, choice: str, *, run: str, job: str, folder: str | Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vaak.track.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # an interrupt from the keyboard is the run's, which ends this one when all is told
        )
        try:
            self._ask("open", [choice, run, job, str(folder)])
        except BaseException:
            self.kill()
            raise

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self._ask("row", [(dict(values), step)])

    def log_many(self, rows: Sequence[Row]) -> None:
        """Raises `Untold` where one of them was not taken."""
        plain = [(dict(values), step) for values, step in rows]
        try:
            self._ask("row", plain)
        except ValueError:  # one holds what no frame can
            for number, row in enumerate(plain):
                try:
                    self._ask("row", [row])
                except ValueError as error:
                    raise Untold(number, f"a value is no number, text or list ({error})") from error

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        cells = [{column: _framed(cell) for column, cell in row.items()} for row in rows]
        self._ask("table", [(name, cells, step)])

    def log_reference(self, name: str, address: str, step: int, metadata: Mapping[str, Any]) -> None:
        self._ask("reference", [(name, address, step, dict(metadata))])

    def close(self) -> None:
        """Ends the tracker and its process. It is no matter if that is gone."""
        try:
            if self._process.poll() is None:
                self._ask("close", [])
                self._process.wait()
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def _ask(self, kind: str, messages: Sequence[Any]) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        asked: Any = (kind, messages)
        frame = marshal.dumps(asked)
        try:
            _write(self._process.stdin, frame)
            while (answer := _read(self._process.stdout)) is not None and answer[0] == "say":
                self._say(answer[1])
        except OSError:
            answer = None
        if answer is None:
            raise TrackerDied(f"its process has ended ({self._process.wait()})")
        _, taken, why = answer
        if why:
            raise Untold(taken, why)


def main() -> None:
    """The other side: answers each frame with ("done", messages taken, what went wrong or an empty text)."""
    os.nice(_NICENESS)
    for number in _OF_THE_RUN:
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    tracker: Tracker | None = None
    while (frame := _read(sys.stdin.buffer)) is not None:
        kind, messages = frame
        taken, why = len(messages), ""
        try:
            if kind == "open":
                tracker = _opened(*messages, say=lambda line: _write(answers, marshal.dumps(("say", line))))
            elif tracker is not None and kind == "close":
                ending, tracker = tracker, None
                ending.close()
            elif tracker is not None:
                tell(tracker, kind, _restored(messages) if kind == "table" else messages)
        except Untold as error:
            taken, why = error.taken, str(error)
        except BaseException as error:
            taken, why = 0, sentence_of(error)
        _write(answers, marshal.dumps(("done", taken, without_keys(why))))
        if tracker is None:
            return
    if tracker is not None:
        tracker.close()


def _opened(choice: str, run: str, job: str, folder: str, say: Callable[[str], None]) -> Tracker:
    from vaak.track.open import tracker_opener

    return tracker_opener(choice, job=job, folder=folder, runs={run: folder}, say=say)(run)


def _framed(cell: Any) -> Any:
    return {_SOUND: cell.name, "data": cell.data} if isinstance(cell, Sound) else cell


def _restored(tables: Sequence[Any]) -> list[Any]:
    return [
        (name, [{column: _cell(cell) for column, cell in row.items()} for row in rows], step)
        for name, rows, step in tables
    ]


def _cell(cell: Any) -> Any:
    return Sound(cell[_SOUND], cell["data"]) if isinstance(cell, dict) and _SOUND in cell else cell


def _write(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(_LENGTH.pack(len(frame)) + frame)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Any:
    """The next frame, or None where the pipe has ended."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    frame = pipe.read(length)
    return marshal.loads(frame) if len(frame) == length else None


if __name__ == "__main__":
    main()
