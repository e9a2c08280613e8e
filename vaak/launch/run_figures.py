"""What the rows of a run say so far, for whoever shows it: the newest of each figure, their recent course, and how long is left.

It is a tracker that only keeps: being told costs the training microseconds.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

# Steps that the course of a figure and the time of a step are taken over.
RECENT = 300
# First steps of a process that are slow: caches, compiling, readers that begin. Left out once there are twice as many.
SLOW_STEPS = 5
# Of fewer steps a single validation would make the time of a step: their median is taken.
_FEW = 50


class RunFigures:
    """A tracker that keeps what it is told. Told by one thread, read by any."""

    def __init__(self) -> None:
        self.step, self.steps = 0, 0
        self.values: dict[str, Any] = {}
        self.validation: tuple[int, Mapping[str, Any]] | None = None
        self.told: float | None = None
        self._recent: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=RECENT)
        self._times: deque[tuple[int, float]] = deque(maxlen=RECENT + 1)
        self._steps_seen = 0

    def log(self, values: Mapping[str, Any], step: int) -> None:
        self.values = {**self.values, **values}  # a new one each time: a reader never sees it change
        if "val/loss" in values:
            self.validation = (step, values)
        if "time" not in values:
            return
        if self._times and step <= self._times[-1][0]:
            self._forget_after(step)
        self.step, self.told = step, time.monotonic()
        self._steps_seen += 1
        self._recent.append((step, values))
        self._times.append((step, float(values["time"])))
        if self._steps_seen == 2 * SLOW_STEPS:
            for _ in range(SLOW_STEPS):
                self._times.popleft()

    def _forget_after(self, step: int) -> None:
        """The run goes on from an earlier step: what it did beyond is gone, and its times are those of another process."""
        self._times.clear()
        self._recent.clear()
        self._steps_seen = 0
        if self.validation is not None and self.validation[0] > step:
            self.validation = None

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Tables are not shown."""

    def close(self) -> None:
        """Nothing is held open."""

    def number(self, name: str) -> float | None:
        """The newest value of a figure, or None of one that was not told or is no number."""
        return _number(self.values.get(name))

    def course(self, name: str) -> list[float]:
        """The figure in the last `RECENT` steps, oldest first; steps without it are left out."""
        found = (_number(values.get(name)) for _, values in list(self._recent))
        return [value for value in found if value is not None]

    @property
    def step_s(self) -> float | None:
        """Seconds that a step takes now, with what comes between steps (validation, saving); None before the second."""
        times = list(self._times)
        if len(times) < 2:
            return None
        if len(times) > _FEW:
            (first, began), (last, ended) = times[0], times[-1]
            return (ended - began) / max(last - first, 1)
        each = sorted((b[1] - a[1]) / max(b[0] - a[0], 1) for a, b in pairwise(times))
        return each[len(each) // 2]

    def seconds_until(self, step: float | None) -> float | None:
        """How long it is to a step, or None where that is not known."""
        each = self.step_s
        return None if each is None or step is None else max(0.0, (step - self.step) * each)

    @property
    def elapsed_s(self) -> float:
        """Seconds in this stage, interruptions not counted; it goes on while a step takes its time."""
        now = 0.0 if self.told is None else time.monotonic() - self.told
        return (self.number("time") or 0.0) + now

    @property
    def quiet_s(self) -> float:
        """How long the last step is ago, where that is far more than a step takes; else 0."""
        if self.told is None:
            return 0.0
        quiet = time.monotonic() - self.told
        return quiet if quiet > max(30.0, 5 * (self.step_s or 0.0)) else 0.0

    @property
    def untold(self) -> dict[str, int]:
        """Rows that each tracker missed, of those that missed any."""
        found = {name.split("/", 1)[1]: self.number(name) for name in self.values if name.startswith("untold/")}
        return {name: int(count) for name, count in found.items() if count}


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError):
        return None


def sparkline(values: Sequence[float], width: int) -> str:
    """A course as `width` bars of eight heights, each the mean of its part; a part without a finite value is a space."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    width = min(width, len(values))
    edges = [round(at * len(values) / width) for at in range(width + 1)]
    parts = [[v for v in values[a:b] if math.isfinite(v)] for a, b in pairwise(edges)]
    means = [sum(part) / len(part) if part else math.nan for part in parts]
    known = [mean for mean in means if not math.isnan(mean)]
    low, span = min(known), max(known) - min(known)
    if not span:
        return "".join(" " if math.isnan(mean) else "▄" for mean in means)
    return "".join(" " if math.isnan(m) else "▁▂▃▄▅▆▇█"[min(7, int(8 * (m - low) / span))] for m in means)


def direction(values: Sequence[float]) -> str:
    """An arrow: where the second half of a course lies beside its first, by more than an eighth of its own spread."""
    finite = [value for value in values if math.isfinite(value)]
    half = len(finite) // 2
    if half < 4:
        return ""
    first, second = sum(finite[:half]) / half, sum(finite[-half:]) / half
    mean = sum(finite) / len(finite)
    spread = math.sqrt(sum((value - mean) ** 2 for value in finite) / len(finite))
    return "→" if abs(second - first) <= spread / 8 else "↘" if second < first else "↗"


def duration(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
