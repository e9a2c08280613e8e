"""Which gradients are too strange to step along: those that are not finite, and those far above what came before."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from vaak.errors import CheckFailed

Fault = Literal["nonfinite", "spike"]

# A norm is a spike above the mean of the last WINDOW good ones plus SIGMAS of their deviations.
SIGMAS = 6.0
WINDOW = 128
# Fewer than this many norms say little about their spread, and those of a warm-up fall fast.
FEWEST = 32
# Late in training norms hardly differ; six of such small deviations would be no spike at all.
LEAST_DEVIATION = 0.1
# A run that cannot step this many times in a row will not recover by itself. Norms that rise for a while are no reason to end it:
# while the alignment prior of the demo's second stage ended, 8 steps of 13 were spikes, 3 of them in a row.
SKIPS_IN_A_ROW = 10


@dataclass
class SpikeGuard:
    """Norms of the gradients of good steps, and what was skipped. The same on every rank, since it sees global norms.

    norms: the last `WINDOW` finite norms that were stepped along; no other enters, so one NaN does not blind it; sigmas:
    infinite where nothing counts as a spike.
    """

    norms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    nonfinite: int = 0
    spikes: int = 0
    in_a_row: int = 0
    sigmas: float = SIGMAS

    @property
    def skipped(self) -> int:
        """Steps that changed nothing."""
        return self.nonfinite + self.spikes

    @property
    def limit(self) -> float:
        """The largest norm that is no spike; infinite until enough steps were taken."""
        n = len(self.norms)
        if n < FEWEST:
            return math.inf
        mean = sum(self.norms) / n
        deviation = math.sqrt(sum((norm - mean) ** 2 for norm in self.norms) / n)
        return mean + self.sigmas * max(deviation, LEAST_DEVIATION * mean)

    def judge(self, norm: float, loss: float) -> Fault | None:
        """Whether to step along gradients of this norm, and why not; a good norm enters the window."""
        if math.isfinite(norm) and math.isfinite(loss) and norm <= self.limit:
            self.norms.append(norm)
            self.in_a_row = 0
            return None
        self.in_a_row += 1
        if math.isfinite(norm) and math.isfinite(loss):
            self.spikes += 1
            return "spike"
        self.nonfinite += 1
        return "nonfinite"

    def check(self, rows: tuple[int, int]) -> None:
        """Raise `CheckFailed` once too many steps in a row were skipped. rows: first and last of the step's."""
        if self.in_a_row >= SKIPS_IN_A_ROW:
            raise CheckFailed(
                f"{self.in_a_row} steps in a row had gradients that are not finite or far too large, the last in rows "
                f"{rows[0]} to {rows[1]}; lower schedule.peak_lr or look at these rows (skipped/ in the run folder)"
            )

    def state(self) -> dict[str, Any]:
        return {
            "norms": list(self.norms),
            "nonfinite": self.nonfinite,
            "spikes": self.spikes,
            "in_a_row": self.in_a_row,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SpikeGuard:
        """The inverse of `state`; what an older checkpoint does not have starts anew."""
        norms = deque((float(norm) for norm in state.get("norms", ())), maxlen=WINDOW)
        return cls(norms, *(int(state.get(name, 0)) for name in ("nonfinite", "spikes", "in_a_row")))
