"""One screen of a run while it goes on: figures, course, what is saved and measured. Plain lines where there is no terminal.

The training only puts its rows down; a thread of the screen's own draws them twice a second, and another one asks the results
database, which may be away. Whatever goes wrong while drawing, a terminal that is gone included, is the screen's matter and never
the run's.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from vaak.launch.new_rows import NewRows
from vaak.launch.run_figures import RunFigures
from vaak.launch.screen_lines import plain_line, screen_lines

if TYPE_CHECKING:
    from vaak.launch.console import Console

REFRESH_SECONDS = 0.5
PLAIN_SECONDS = 15.0
# The results database is asked so seldom.
_EVALUATED_SECONDS = 20.0
# Below the screen and above it a line each, so that what is said last is seen.
_SPARE_LINES = 2


def answer_plainly(text: str) -> None:
    """A sentence on standard error from inside a signal."""
    with suppress(OSError):  # the terminal is gone, and what a signal raises would end the work
        os.write(2, f"\n{text}\n".encode())


class LiveScreen:
    """The screen of one run, open while its block runs; `figures` is a tracker, `on_step` and `say` go where a run wants them.

    what: the job or stage in a word. run: its folder, whose recipe.yaml has the name of the recipe. evaluated: asked now and
    then, with the step that the run is at, for a sentence about the newest evaluation; in a thread that nobody waits for.
    """

    def __init__(self, console: Console, what: str, run: Path, evaluated: Callable[[int], str] | None = None) -> None:
        self.console, self.what, self.run, self.figures = console, what, run, RunFigures()
        self._evaluated, self._evaluation, self._asked = evaluated, "", -_EVALUATED_SECONDS
        self._asking: threading.Thread | None = None
        self._recipe = self._note = ""
        self._said: deque[str] = deque()
        self._tail: NewRows | None = None
        self._printed, self._printed_step = time.monotonic(), 0
        self._ended = threading.Event()
        rich = console.rich
        drawn = rich.is_terminal and not rich.is_dumb_terminal and not rich.options.ascii_only and not rich.quiet
        self._live: Live | None = None
        self._thread: threading.Thread | None = None
        if drawn:
            self._live = Live(console=rich, auto_refresh=False, transient=True, get_renderable=self._drawn)
            self._thread = threading.Thread(target=self._refresh, name="vaak-screen", daemon=True)

    def __enter__(self) -> LiveScreen:
        self._safely(lambda: self._live.start() if self._live else None)
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes the screen away, gives the cursor back, and leaves its last figures as a line."""
        self._ended.set()
        self._safely(self._read_tail)  # what came since the last look
        if self._thread is not None:
            self._thread.join(5.0)
        self._safely(lambda: self._live.stop() if self._live else None)
        self._safely(self._print_said)
        if self.figures.step > self._printed_step:
            self._print()

    def follow(self) -> None:
        """Take the rows from the run's metrics.jsonl: another process trains."""
        self._tail = NewRows(self.run / "metrics.jsonl")

    def on_step(self, done: float, total: float, words: str = "") -> None:
        """After each step, or each look at a run that is followed. words: shown while there is no row to show."""
        figures = self.figures
        if self._tail is not None:
            self._read_tail()
            self._note = "" if words.startswith("loss") else words
        figures.step, figures.steps = max(figures.step, int(done)), int(total)
        if self._live is None and time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._print()

    def _read_tail(self) -> None:
        for row in self._tail.read() if self._tail is not None else ():
            self.figures.log(row, int(row["step"]))

    def say(self, text: str) -> None:
        """A sentence above the screen, where it stays: printed by the screen's thread, so that a terminal that takes nothing (it
        was stopped, the line is slow) holds nobody up."""
        if self._live is None:
            self._line(text)
        else:
            self._said.append(text)

    def answer(self, text: str) -> None:
        """A sentence from inside a signal, which may have come in the middle of a line."""
        if self._live is None:
            answer_plainly(text)
        else:
            self._said.append(text)

    def _line(self, text: str) -> None:
        try:
            self.console.line(text)
        except (Exception, SystemExit):  # the terminal is gone; rich leaves the program where a pipe is
            with suppress(OSError):
                os.write(2, f"{text}\n".encode())

    def _print_said(self) -> None:
        while self._said:
            self._line(self._said.popleft())

    def _print(self) -> None:
        self._printed, self._printed_step = time.monotonic(), self.figures.step
        self._safely(lambda: self.console.line(plain_line(self.figures, self.what, self._note)))

    def _refresh(self) -> None:
        while not self._ended.wait(REFRESH_SECONDS):
            self._safely(self._print_said)
            self._safely(self._ask)
            self._safely(lambda: self._live.refresh() if self._live else None)

    def _ask(self) -> None:
        """What the screen shows and no row has."""
        if not self._recipe:
            self._recipe = _recipe_name(self.run)
        waits = self._asking is not None and self._asking.is_alive()
        if self._evaluated is None or waits or not self.figures.step:
            return
        if time.monotonic() - self._asked >= _EVALUATED_SECONDS:
            self._asked = time.monotonic()
            self._asking = threading.Thread(target=self._ask_evaluated, name="vaak-evaluated", daemon=True)
            self._asking.start()

    def _ask_evaluated(self) -> None:
        with suppress(Exception):  # a server that is away: the sentence before stays
            self._evaluation = self._evaluated(self.figures.step) if self._evaluated else ""

    def _drawn(self) -> Text:
        try:
            size = self.console.rich.size
            where = min(str(self.run), os.path.relpath(self.run), key=len)
            title = " ".join(part for part in (self.what, self._recipe, f"in {where}") if part)
            return screen_lines(
                self.figures, title, size.width - 1, size.height - _SPARE_LINES, self._evaluation, self._note
            )
        except Exception as error:
            return Text(f"the screen cannot be drawn ({error}); the run goes on")

    @staticmethod
    def _safely(work: Callable[[], Any]) -> None:
        with suppress(Exception, SystemExit):
            work()


def _recipe_name(run: Path) -> str:
    """From the recipe in a run's folder, its first key by habit; empty before it is there."""
    try:
        import yaml

        with open(run / "recipe.yaml", encoding="utf-8") as file:
            return str(yaml.safe_load(file)["name"])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return ""
