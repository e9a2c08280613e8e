"""What a sidecar costs the training beside it: time of a step with it and without, in turn, in one and the same run.

A real stage of the example trains on one core. A real sidecar is on another one and evaluates checkpoints of that run and of
the model that ships, with recogniser and codec; in every other window it is held still. Each window with it is set against
the two around it. Prints one line per figure: `python benchmarks/sidecar_beside.py [--json PATH]`. Needs two cores that do
nothing else and the `asr` extra; `--small` is a quick look whose figures say little.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _windows import BETWEEN, Window, interval, ratios
from codec import Figure, at_least, at_most, exit_of

import vaak.demo
from vaak.checkpoint import save_checkpoint
from vaak.corpus import open_corpus
from vaak.corpus.pack import build_pack
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.evaluate import open_results, start_sidecar
from vaak.grammar.tokenizer import load_tokenizer
from vaak.model import open_model
from vaak.recipe import Length, load_recipe
from vaak.storage.files import write_json
from vaak.train.loop import train

# Until the sidecar has read its networks and written its first row.
_WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class Cores:
    """One core for each side; shared: these are two threads of one core of the machine."""

    training: int
    sidecar: int
    shared: bool


class Windows:
    """Called after every step: opens and closes windows, and lets the sidecar go on or holds it still."""

    def __init__(self, sidecar: subprocess.Popen, is_warm: Callable[[], bool], count: int, seconds: float) -> None:
        self.closed: list[Window] = []
        self._sidecar, self._is_warm, self._count, self._seconds = sidecar, is_warm, count, seconds
        self._window: Window | None = None
        self._began, self._before, self._at, self._used = time.perf_counter(), 0.0, 0.0, 0.0

    @property
    def over(self) -> bool:
        return len(self.closed) == self._count or self._sidecar.poll() is not None

    def after_step(self, *_: object) -> None:
        now = time.perf_counter()
        if self._window is None:
            if not self._is_warm():
                if now - self._began > _WAIT_SECONDS:
                    raise CheckFailed(f"the sidecar wrote nothing in {_WAIT_SECONDS:.0f} s")
                return
        else:
            self._window.steps.append(now - self._before)
            if now - self._at < self._seconds or len(self._window.steps) <= BETWEEN:
                self._before = now
                return
            self._window.busy = cpu_seconds(self._sidecar.pid) - self._used
            self._window.seconds = now - self._at
            self.closed.append(self._window)
        self._open(beside=len(self.closed) % 2 == 1)

    def _open(self, beside: bool) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._sidecar.pid, signal.SIGCONT if beside else signal.SIGSTOP)
        self._used = cpu_seconds(self._sidecar.pid)
        self._window = Window(beside)
        self._at = self._before = time.perf_counter()


def cpu_seconds(process: int) -> float:
    """User and system time of a process and all of its threads; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def choose_cores() -> Cores:
    """The first core that may be used, and one beside it that is not its other thread, if there is one."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise BadInput(f"a sidecar beside a training needs two cores, and this process may use {len(allowed)}")
    first = allowed[0]
    own = [core for core in allowed[1:] if core not in siblings(first)]
    return Cores(first, (own or allowed[1:])[0], not own)


def siblings(core: int) -> set[int]:
    """The threads of the machine's core that `core` is one of."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
    except OSError:
        return {core}
    ranges = [part.split("-") for part in text.strip().split(",")]
    return {number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)}


@contextmanager
def running_sidecar(folder: Path, cores: Cores) -> Iterator[subprocess.Popen]:
    """A sidecar on its own core that follows `folder/run`, and the model that ships as a finished run with a full evaluation."""
    corpus = open_corpus(vaak.demo.corpus_folder())
    build_pack(corpus, folder / "pack", 2026, n_ce=12, extended={"en": 48}, sources=["studio"])
    shipped = vaak.demo.model_folder()
    files = {"tokenizer.json": load_tokenizer(shipped).source.encode()}
    save_checkpoint(folder / "shipped", 1, open_model(shipped), state={"step": 1}, files=files)
    write_json(folder / "shipped" / "DONE.json", {})
    os.sched_setaffinity(0, {cores.sidecar})  # which the child inherits
    try:
        process = start_sidecar(
            [folder / "run", folder / "shipped"],
            folder / "pack",
            folder / "results.db",
            stop_file=folder / "never",
            full=["shipped"],
        )
    finally:
        os.sched_setaffinity(0, {cores.training})
    try:
        yield process
    finally:
        for number in (signal.SIGCONT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
        process.wait()


def run_beside(folder: Path, cores: Cores, count: int, seconds: float) -> list[Window]:
    """Train until `count` windows are closed; the first and the last are without the sidecar."""
    torch.set_num_threads(1)
    recipe = load_recipe("sft-tiny").model_copy(update={"length": Length(steps=20_000)})
    with running_sidecar(folder, cores) as sidecar:
        results = open_results(folder / "results.db")
        windows = Windows(sidecar, lambda: bool(results.read()), count, seconds)
        with suppress(Interrupted):
            train(recipe, folder / "run", on_step=windows.after_step, stop=lambda: windows.over, say=lambda _: None)
        if len(windows.closed) < count:
            last = (folder / "sidecar.log").read_text().strip().splitlines()[-1:]
            raise CheckFailed(f"the sidecar ended before the {count} windows did: {' '.join(last)}")
    return windows.closed


def measured(small: bool) -> list[Figure]:
    cores = choose_cores()
    os.sched_setaffinity(0, {cores.training})
    pairs, seconds = (2, 5.0) if small else (10, 15.0)
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        windows = run_beside(Path(name), cores, 2 * pairs + 1, seconds)
    found = ratios(windows)
    low, high = interval(found)
    alone = float(np.median([step for one in windows if not one.beside for step in one.counted]))
    steps = sum(len(one.counted) for one in windows if one.beside)
    where = "two threads of one core" if cores.shared else "cores of their own"
    beside = [one for one in windows if one.beside]
    busy = sum(one.busy for one in beside) / sum(one.seconds for one in beside)
    return [
        at_most(
            "sidecar beside, time of a step", float(found.mean()), 1.05,
            f"the same run while it stands still ({alone * 1e3:.0f} ms); {steps} steps in {pairs} windows, {where}, "
            f"95% {low:.3f} to {high:.3f}", "×",
        ),
        at_least("sidecar beside, share of its core", busy, 0.8, "a sidecar that has work all the time"),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--small", action="store_true", help="two short windows")
    chosen = parser.parse_args()
    return exit_of(lambda: measured(chosen.small), chosen.json)


if __name__ == "__main__":
    sys.exit(main())
