"""A run that trains nothing: it tells a screen rows as a training does, for the tests on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from vaak.launch.console import Console, stopping
from vaak.track import FanOut

STEPS = 40


def row_of(step: int) -> dict:
    """The figures of a step, each another one."""
    return {
        "time": 2.0 * step, "tokens": step * 1024, "audio_hours": step / 1000, "step_s": 1.9, "loss": 6 + 1 / step,
        "loss/audio": 7 + 1 / step, "loss/text": 3 + 1 / step, "grad_norm": 1.5 + step / 1000, "lr": 3e-4 / step,
        "tokens_per_s": 12000 + step, "data_wait": 0.0125, "padding": 0.021, "skipped": 3, "nonfinite": 1, "spikes": 2,
        "memory_gb": 61.25,
    }  # fmt: skip


def main(folder: str, how: str) -> None:
    run, console = Path(folder), Console()
    with stopping("asked to stop", console) as stop, console.screen("train", run) as screen:
        tracker = FanOut({}, [screen.figures])
        if how == "broken":
            screen.figures.values = None  # type: ignore[assignment]
            tracker.log = lambda values, step: None  # type: ignore[method-assign]
        for step in range(1, STEPS + 1):
            tracker.log(row_of(step), step)
            if step == 20:
                tracker.log({"val/loss": 5.4321, "val/audio": 6.1, "val/text": 2.2}, step)
                tracker.log({"checkpoint/step": 20, "checkpoint/next": 50, "checkpoint/every": 30}, step)
                tracker.log({"untold/trackio": 7}, step)
                screen.say("step 20 was skipped: its gradient is not finite")
            screen.on_step(step, 100, "loss 6")
        if how == "waits":
            while not stop():
                time.sleep(0.05)
        elif how != "at once":
            time.sleep(1.2)
    (run / "ended").write_text("asked to stop" if stop() else "not asked to stop")
    print("ended", threading.active_count())


if __name__ == "__main__":
    main(*sys.argv[1:])
