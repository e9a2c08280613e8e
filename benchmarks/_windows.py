"""Stretches of one run with something beside it and without, in turn: each with it is set against the two around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

# Steps at the start of a window that belong to neither side.
BETWEEN = 1


@dataclass
class Window:
    """Steps, in seconds, of one stretch of the run, and the seconds of a core that what is beside it had meanwhile."""

    beside: bool
    steps: list[float] = field(default_factory=list)
    busy: float = 0.0
    seconds: float = 0.0

    @property
    def counted(self) -> list[float]:
        return self.steps[BETWEEN:]

    @property
    def step(self) -> float:
        return float(np.median(self.counted))


def ratios(windows: Sequence[Window]) -> np.ndarray:
    """Of each window with something beside it: its step over the mean of those before and after; float64 [n].

    The first window and the last are without, so a machine that grows slower evenly changes nothing.
    """
    triples = zip(windows[:-2:2], windows[1::2], windows[2::2], strict=True)
    return np.array([2 * middle.step / (before.step + after.step) for before, middle, after in triples])


def interval(values: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95% percentile bootstrap of the mean of `values` (float64 [n])."""
    picks = np.random.default_rng(seed).integers(0, len(values), (draws, len(values)))
    low, high = np.quantile(values[picks].mean(1), (0.025, 0.975))
    return float(low), float(high)
