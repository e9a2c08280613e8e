"""What a person sees while a launch walks: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vaak.launch.live_screen import PLAIN_SECONDS, LiveScreen, answer_plainly


class Console:
    """Prints the steps of a launch and their progress to standard output."""

    def __init__(self, quiet: bool = False) -> None:
        self.rich = RichConsole(highlight=False, soft_wrap=True, quiet=quiet)
        self._screen: LiveScreen | None = None

    def step(self, number: int, total: int, name: str, text: str) -> None:
        self.rich.print(f"[bold]{number:>2}/{total} {escape(name):<9}[/bold] {escape(text)}")

    def line(self, text: str, style: str = "") -> None:
        self.rich.print(f"            {escape(text)}", style=style or None)

    @contextmanager
    def progress(self, what: str) -> Iterator[Bar]:
        """A bar for one piece of work; call it with (done, total, words) as the work goes on."""
        if not self.rich.is_terminal:
            yield Bar(self, what, None)
            return
        columns = (
            TextColumn("            {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
        )
        with Progress(*columns, console=self.rich, transient=True) as live:
            yield Bar(self, what, live)

    @contextmanager
    def screen(self, what: str, run: Path, evaluated: Callable[[int], str] | None = None) -> Iterator[LiveScreen]:
        """The screen of a training in the folder `run`; see `LiveScreen`."""
        with LiveScreen(self, what, run, evaluated) as screen:
            self._screen = screen
            try:
                yield screen
            finally:
                self._screen = None

    def answer(self, text: str) -> None:
        """Tell a person who asks for an end, from inside a signal: whatever the console is in the middle of."""
        if self._screen is not None:
            self._screen.answer(text)
        else:
            answer_plainly(text)


class Bar:
    """Progress of one piece of work."""

    def __init__(self, console: Console, what: str, live: Progress | None) -> None:
        self._console, self._what, self._live = console, what, live
        self._task = live.add_task(what, total=1, words="") if live else None
        self._printed = time.monotonic()

    def __call__(self, done: float, total: float, words: str = "") -> None:
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=done, total=max(total, 1), words=words)
        elif time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._printed = time.monotonic()
            self._console.line(f"{self._what} {done:.0f}/{total:.0f} {words}")


# From a person, a launcher, a scheduler that says that the time ends (Slurm's --signal=USR1@…), and a terminal that is closed.
_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)

# Seconds within which signals mean the same request.
_ONE_REQUEST = 2.0


@contextmanager
def stopping(answer: str = "", console: Console | None = None) -> Iterator[Callable[[], bool]]:
    """A flag that the first Ctrl-C, SIGTERM, SIGUSR1 or SIGHUP raises, so that work ends cleanly; another one later ends it at
    once. SIGHUP, of a terminal that is closed, does only the first, and nothing where it is ignored already (nohup).

    `answer` is what the person who asks is told meanwhile: by the console, else on standard error.
    """
    tell = console.answer if console is not None else answer_plainly

    asked: list[float] = []

    def ask(number: int, frame: object) -> None:
        now = time.monotonic()
        # A launcher passes on what its processes have from the terminal already: both are one request.
        if asked and now - asked[0] > _ONE_REQUEST and number != signal.SIGHUP:
            raise KeyboardInterrupt
        if answer and not asked:
            tell(answer)
        asked.append(now)

    heard = [one for one in _ASKING if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
