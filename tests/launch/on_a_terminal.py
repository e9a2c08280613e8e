"""A command in a child process on a pseudo-terminal, and what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyte


@dataclass
class Terminal:
    """A child process and its terminal. shown: the text on it now, `lines` and what has scrolled away above."""

    process: subprocess.Popen
    master: int
    screen: pyte.HistoryScreen
    raw: bytes = b""

    @property
    def shown(self) -> str:
        return "\n".join(self.screen.display)

    @property
    def scrolled(self) -> str:
        """What is above the screen."""
        lines = [[line[at].data for at in range(self.screen.columns)] for line in self.screen.history.top]
        return "\n".join("".join(line) for line in lines)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Read on until something is so of a whole drawing, after which nothing comes for a while; fails with the screen."""
        end = time.monotonic() + seconds
        while True:
            more = self._read(0.2)
            if not more and true():
                return
            assert time.monotonic() < end and (more or self.process.poll() is None), self.shown

    def until_end(self, seconds: float = 60.0) -> int:
        """The exit code, with everything that was printed on the screen."""
        end = time.monotonic() + seconds
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < end, self.shown
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the child has closed its side
            return False
        self.raw += data
        self.stream.feed(data)
        return bool(data)

    def __post_init__(self) -> None:
        self.stream = pyte.ByteStream(self.screen)


def started(
    arguments: Sequence[str], columns: int = 80, lines: int = 24, nohup: bool = False, **environment: str
) -> Terminal:
    """`python ARGUMENTS` on a terminal of that size, with or without nohup, however these tests were started themselves."""

    def on_its_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=known | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment,
        start_new_session=True,
        preexec_fn=on_its_terminal,
    )
    os.close(slave)
    return Terminal(process, master, pyte.HistoryScreen(columns, lines, history=1000))
