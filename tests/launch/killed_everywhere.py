"""A launch that is killed at every boundary of its steps and inside each of them: `python killed_everywhere.py PROJECT OUT`.

Everything is imported once, and each attempt is a fork of this process, which itself computes nothing. Prints a line for every
kill; ends with the exit code of a last attempt that nobody kills.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vaak.launch import order
from vaak.launch.ledger import Ledger
from vaak.launch.order import run_launch
from vaak.launch.walk import Step

# Where in a step: before the ledger says that it began, at some moment of its work, and when that is done but not said.
POINTS = ("before began", "inside", "before done")
# Seconds within which a step is killed inside; one that is quicker is killed when its work is done.
LONGEST = {"freeze": 0.05, "pack": 0.3, "audit": 1.0, "judges": 4.0, "overfit": 2.0, "evaluate": 4.0, "report": 2.0}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(step: str, point: str, delay: float) -> None:
    """Arrange the death of this process at a point of a step."""
    add = Ledger.add

    def deadly_add(ledger: Ledger, name: str, status: str, *rest, **more):
        if name == step and (point, status) in (("before began", "began"), ("before done", "done"), ("inside", "done")):
            die()
        return add(ledger, name, status, *rest, **more)

    Ledger.add = deadly_add  # pyright: ignore[reportAttributeAccessIssue]
    if point == "inside":
        walked = order.walk
        order.walk = lambda launch, steps: walked(launch, [_deadly(one, step, delay) for one in steps])


def _deadly(one: Step, step: str, delay: float) -> Step:
    if one.name != step:
        return one

    def run(launch):
        threading.Timer(delay, die).start()
        return one.run(launch)

    return replace(one, run=run)


def attempt(body: Callable[[], object]) -> int:
    """Run `body` in a fork; the status with which it ended."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            body()
            code = 0
        except BaseException as error:
            print(repr(error), flush=True)
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def main(project: Path, out: Path, steps: list[str]) -> int:
    moments = random.Random(1)
    for step in steps:
        for point in POINTS:
            delay = moments.uniform(0.0, LONGEST.get(step, 3.0))

            def body(step: str = step, point: str = point, delay: float = delay) -> None:
                kill_at(step, point, delay)
                run_launch(project, out)

            status = attempt(body)
            print(f"KILLED {point} {step}: {status}", flush=True)
            if not os.WIFSIGNALED(status):
                return 1
    return os.waitstatus_to_exitcode(attempt(lambda: run_launch(project, out)))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(",")))
