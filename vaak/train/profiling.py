"""Where the time of a step goes: a table over the first 500 steps, and two short traces to look at in a browser.

A profiler that runs through costs a tenth of the time and gigabytes of events, so of the first 500 steps every 25th is
profiled, after the first few that warm caches up; the two windows of three steps become Chrome traces (chrome://tracing or
ui.perfetto.dev).
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from vaak.storage.files import write_bytes, write_json
from vaak.train.callbacks import Callback, StepDone
from vaak.train.world import World

FIRST_STEPS, EACH = 500, 25
# First and last step of a window.
WINDOWS = {"early": (6, 8), "steady": (601, 603)}
_ROWS = 40


@dataclass
class _Cost:
    calls: int = 0
    host_us: float = 0.0
    device_us: float = 0.0


class ProfilerWindows(Callback):
    """Profiles of the first rank in `folder`: summary.json and summary.txt, trace-early.json.gz, trace-steady.json.gz."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.active = world.is_first
        self.activities = [ProfilerActivity.CPU]
        if world.device.type == "cuda":
            self.activities.append(ProfilerActivity.CUDA)
        self.running: profile | None = None
        self.costs: dict[str, _Cost] = {}
        self.seconds: list[float] = []
        self.waited: list[float] = []
        self.sampled = 0

    def before(self, step: int) -> None:
        if not self.active:
            return
        starts = any(step == first for first, _ in WINDOWS.values())
        if self.running is None and (starts or (step <= FIRST_STEPS and step % EACH == 0)):
            self.running = profile(activities=self.activities)
            self.running.start()

    def after(self, done: StepDone) -> None:
        if not self.active:
            return
        if done.step <= FIRST_STEPS and self.running is None:
            self.seconds.append(done.seconds)
            self.waited.append(done.waited)
        if self.running is not None:
            window = next((name for name, (first, last) in WINDOWS.items() if first <= done.step <= last), None)
            if window is None or done.step == WINDOWS[window][1] or done.last:
                self._stop(window)
        if done.step == FIRST_STEPS or (done.last and done.step < FIRST_STEPS):
            self._summarise(done.step)

    def close(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None

    def _stop(self, window: str | None) -> None:
        assert self.running is not None
        self.running.stop()
        if window is not None:
            self._write_trace(window)
        else:
            self.sampled += 1
            for event in self.running.key_averages():
                cost = self.costs.setdefault(event.key, _Cost())
                cost.calls += event.count
                cost.host_us += event.self_cpu_time_total
                cost.device_us += event.self_device_time_total
        self.running = None

    def _write_trace(self, window: str) -> None:
        assert self.running is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        plain = self.folder / f".trace-{window}.json"
        self.running.export_chrome_trace(str(plain))
        with open(plain, "rb") as source, gzip.open(self.folder / f"trace-{window}.json.gz", "wb", 3) as target:
            shutil.copyfileobj(source, target)
        plain.unlink()

    def _summarise(self, step: int) -> None:
        """The dearest operations a step, of those steps that were profiled, and the time of those that were not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        n = max(self.sampled, 1)
        dearest = sorted(self.costs.items(), key=lambda one: -max(one[1].device_us, one[1].host_us))[:_ROWS]
        operations = [
            {
                "name": name,
                "calls_per_step": cost.calls / n,
                "host_ms_per_step": cost.host_us / n / 1e3,
                "device_ms_per_step": cost.device_us / n / 1e3,
            }
            for name, cost in dearest
        ]
        ordered = sorted(self.seconds) or [0.0]
        summary = {
            "steps": step,
            "profiled_steps": self.sampled,
            "step_s_median": ordered[len(ordered) // 2],
            "step_s_p95": ordered[int(len(ordered) * 0.95)],
            "data_wait": sum(self.waited) / (sum(self.seconds) or 1.0),
            "operations": operations,
        }
        write_json(self.folder / "summary.json", summary)
        lines = [
            f"{step} steps: median {summary['step_s_median']:.4f} s, p95 {summary['step_s_p95']:.4f} s, "
            f"{summary['data_wait']:.1%} waiting for data; operations of {self.sampled} of them",
            f"{'operation':<60} {'calls':>10} {'host ms':>10} {'device ms':>10}   each per step",
        ]
        lines += [
            f"{one['name'][:60]:<60} {one['calls_per_step']:>10.1f} {one['host_ms_per_step']:>10.3f} "
            f"{one['device_ms_per_step']:>10.3f}"
            for one in operations
        ]
        write_bytes(self.folder / "summary.txt", ("\n".join(lines) + "\n").encode())
