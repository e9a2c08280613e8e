"""What tracking costs a training whose steps take 20 ms: with every tracker at work, and with each of four that fail.

A step is real work, forward and backward of a small transformer on one thread; blocks of steps that are told to trackers and blocks
that are not take turns in one process, and each block with is set against the two around it. On a machine that does other things too
that ratio says little; so the processor time is measured as well that tracking takes in the training's process, in `log` and in the
trackers' threads: even where all of it keeps the training waiting for Python's lock, it takes no more. Prints one line per figure:
`python benchmarks/tracking.py [--json PATH]`. Trackers that are not installed are left out, and that is said. Needs two cores that do
nothing else; `--small` is a quick look whose figures say little.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from codec import Figure, at_most, exit_of

from vaak.track import FanOut, JsonlTracker, QueuedTracker, RunTracker, opened_trackers
from vaak.train.metrics import TRAINING

STEP_SECONDS = 0.02
# Rows are handed on every few seconds, or every second to those that fail: what a block leaves behind is over after so long, and
# counts for no block.
_SETTLE_SECONDS, _SETTLE_FAILING = 5.5, 1.2
_LANGUAGES, _SOURCES = 12, 8


class Work:
    """About 20 ms of forward and backward, the same each time."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.model = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.rows = torch.randn(4, 64, 64)
        self.passes = 1
        for _ in range(3):  # once more as it comes nearer: the first passes are slow
            self._timed()
            times = [self._timed() for _ in range(20)]
            self.passes = max(1, round(self.passes * STEP_SECONDS / float(np.median(times))))

    def __call__(self) -> None:
        for _ in range(self.passes):
            self.model(self.rows).square().mean().backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    def _timed(self) -> float:
        began = time.perf_counter()
        self()
        return time.perf_counter() - began


def row_of(step: int) -> dict[str, Any]:
    """A row as a training has it, with twelve languages and eight sources."""
    plain = [metric.name for metric in TRAINING if not metric.labels and "/" not in metric.name]
    names = [*plain, "loss/audio", "loss/text", "loss/stream/raw", "loss/stream/paired", "loss/stream/text"]
    names += [f"loss/language/l{number}" for number in range(_LANGUAGES)]
    names += [f"loss/source/s{number}" for number in range(_SOURCES)]
    return {name: 1.0 / (step + number + 1) for number, name in enumerate(names)}


@dataclass
class Block:
    """Some seconds of steps: how long each took, how long `log` was at work in each, and the processor time of trackers' threads."""

    told: bool
    steps: list[float] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    threads: float = 0.0

    @property
    def step(self) -> float:
        """The mean: work that is done once a second is in one step of fifty, which no median shows."""
        return float(np.mean(self.steps))


def run_blocks(
    work: Work, log: Callable[[Mapping[str, Any], int], None], pairs: int, settle: float, seconds: float
) -> list[Block]:
    """`2 * pairs + 1` blocks; the first and the last are not told."""
    blocks, step = [], 0
    for number in range(2 * pairs + 1):
        block, began, threads = Block(told=number % 2 == 1), time.perf_counter(), thread_seconds()
        while (now := time.perf_counter()) - began < settle + seconds or not block.steps:
            step += 1
            work()
            row = row_of(step)
            at = time.thread_time()
            if block.told:
                log(row, step)
            end, used = time.perf_counter(), time.thread_time() - at
            if now - began > settle:
                block.steps.append(end - now)
                block.logs.append(used)
            else:
                threads = thread_seconds()
        block.threads = thread_seconds() - threads
        blocks.append(block)
    return blocks


def thread_seconds() -> float:
    """The processor time that the trackers' threads of this process have had."""
    clocks = [
        time.pthread_getcpuclockid(one.ident)
        for one in threading.enumerate()
        if one.ident and one.name.startswith("track-")
    ]
    return sum(map(time.clock_gettime, clocks))


def ratios(blocks: Sequence[Block]) -> np.ndarray:
    """Of each block that is told: its step over the mean of those before and after; float64 [n]."""
    triples = zip(blocks[:-2:2], blocks[1::2], blocks[2::2], strict=True)
    return np.array([2 * middle.step / (before.step + after.step) for before, middle, after in triples])


class Raising:
    """Takes nothing, and says so."""

    taken = 0

    def log(self, values: Mapping[str, Any], step: int) -> None:
        raise ConnectionError("refused")

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        raise ConnectionError("refused")

    def close(self) -> None:
        pass


class FullDisk(Raising):
    """Writes each row to a disk that has no room."""

    def log(self, values: Mapping[str, Any], step: int) -> None:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(repr(values).encode())


class Slow(Raising):
    """Takes a row every ten seconds."""

    def log(self, values: Mapping[str, Any], step: int) -> None:
        time.sleep(10)
        self.taken += 1


@contextmanager
def all_trackers(folder: Path) -> Iterator[tuple[RunTracker, FanOut, str]]:
    """metrics.jsonl and every tracker that is installed, each once it is open."""
    installed = {"wandb": "wandb", "trackio": "trackio", "prometheus:19471": "prometheus_client"}
    choices = [choice for choice, package in installed.items() if find_spec(package) is not None]
    with ExitStack() as opened:
        jsonl = opened.enter_context(JsonlTracker(folder / "metrics.jsonl"))
        fan_out = opened.enter_context(
            opened_trackers(choices, run="run", job="train", folder=folder, metrics=TRAINING, say=lambda line: None)
        )
        until = time.monotonic() + 60
        while any(one._tracker is None for one in fan_out.trackers.values()) and time.monotonic() < until:
            time.sleep(0.1)
        yield RunTracker(jsonl, fan_out, print), fan_out, " + ".join(["jsonl", *fan_out.trackers])


def cost(work: Work, folder: Path, pairs: int, seconds: float) -> list[Figure]:
    with all_trackers(folder) as (tracker, fan_out, names):
        blocks = run_blocks(work, tracker.log, pairs, _SETTLE_SECONDS, seconds)
        fan_out.close()
        dropped = sum(fan_out.dropped.values())
    return [
        *figures_of("tracking", blocks, 0.01, f"{names}, a row of {len(row_of(1))} numbers"),
        at_most("tracking, rows missed", dropped, 0, f"{len(fan_out.trackers)} trackers that work", "rows"),
    ]


def figures_of(name: str, blocks: Sequence[Block], want: float, words: str) -> list[Figure]:
    """The processor time in the training's process, and a step's time: the median of blocks, since one may have stood still."""
    told, alone = ([block for block in blocks if block.told == kind] for kind in (True, False))
    count = sum(len(block.steps) for block in told)
    inside, threads = (sum(part) / count for part in ((sum(one.logs) for one in told), (one.threads for one in told)))
    found = ratios(blocks)
    low, high = np.quantile(found, (0.25, 0.75))
    step = float(np.median([block.step for block in alone])) * 1e3
    return [
        at_most(
            f"{name}, processor time, share of a step of 20 ms", (inside + threads) / STEP_SECONDS, want,
            f"{words}: {inside * 1e6:.0f} us in log, {threads * 1e6:.0f} us in threads",
        ),
        at_most(
            f"{name}, time of a step", float(np.median(found)), 1 + want,
            f"without, {step:.1f} ms; {count} steps in {len(told)} blocks, quartiles {low:.4f} and {high:.4f}", "×",
        ),
    ]  # fmt: skip


def beside(
    work: Work, name: str, tracker: QueuedTracker, taken: Callable[[], int], pairs: int, seconds: float
) -> list[Figure]:
    """A training beside a tracker that fails: its steps, and that each row is taken or counted."""
    told = [0]

    def log(values: Mapping[str, Any], step: int) -> None:
        told[0] += 1
        tracker.log(values, step)

    blocks = run_blocks(work, log, pairs, _SETTLE_FAILING, seconds)
    began = time.monotonic()
    tracker.close()
    closing = time.monotonic() - began
    missing = abs(told[0] - tracker.dropped - taken())
    words = f"{told[0]} rows told, {tracker.dropped} counted as missed"
    return [
        *figures_of(f"tracking, {name}", blocks, 0.02, words),
        at_most(f"tracking, {name}, rows unaccounted for", missing, 0, "each is taken or counted as missed", "rows"),
        at_most(f"tracking, {name}, seconds to close it", closing, 30.0, "25 s for what is left", "s"),
    ]


def failing(work: Work, folder: Path, pairs: int, seconds: float) -> list[Figure]:
    """Nothing is raised, or this ends with it; and each row that was told is taken or counted."""
    quiet: Callable[[str], None] = lambda line: None  # noqa: E731
    figures: list[Figure] = []
    for name, made in (("exceptions", Raising()), ("a full disk", FullDisk()), ("10 s of latency", Slow())):
        tracker = QueuedTracker(name, lambda made=made: made, quiet)
        figures += beside(work, name, tracker, lambda made=made: made.taken, pairs, seconds)
    if find_spec("wandb") is not None:
        os.environ |= {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
        folder = folder / "away"
        with opened_trackers(["wandb"], run="away", job="train", folder=folder, say=quiet) as fan_out:
            wandb = fan_out.trackers["wandb"]
            figures += beside(work, "W&B out of reach", wandb, lambda: rows_kept(folder), pairs, seconds)
    return figures


def rows_kept(folder: Path) -> int:
    """Of all runs that W&B has offline there, once it has written them: its service does so a little after the run's end."""
    from tests.track.wandb_files import history, offline_runs

    return sum(len(history(run)) for run in offline_runs(folder))


def measured(small: bool) -> list[Figure]:
    torch.set_num_threads(1)
    work = Work()
    with tempfile.TemporaryDirectory(prefix="tracking-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "HF_HUB_OFFLINE": "1"}
        places = {key: str(folder / key) for key in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "TRACKIO_DIR")}
        os.environ |= own | places
        long, short = ((1, 5.0), (1, 0.5)) if small else ((24, 5.0), (14, 2.0))
        return cost(work, folder, *long) + failing(work, folder, *short)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--small", action="store_true", help="a few short blocks")
    chosen = parser.parse_args()
    return exit_of(lambda: measured(chosen.small), chosen.json)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # what reads W&B's files is with the tests
    sys.exit(main())
