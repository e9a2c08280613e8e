"""Two sides of a benchmark in turn, so that a machine that slows down slows both."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def compared(peer: Callable[[], Any], own: Callable[[], Any], rounds: int = 7) -> tuple[float, float]:
    """Median over rounds of the peer's seconds by our own, in turn, after one round to warm up; and our median seconds."""
    ratios, seconds = [], []
    for number in range(rounds + 1):
        began = time.perf_counter()
        peer()
        middle = time.perf_counter()
        own()
        if number:
            seconds.append(time.perf_counter() - middle)
            ratios.append((middle - began) / seconds[-1])
    return float(np.median(ratios)), float(np.median(seconds))
