"""The learning rate as a closed form of the step, so that resuming needs nothing but the step."""

from __future__ import annotations

from math import ceil, cos, pi

from vaak.recipe import ScheduleSettings


def warmup_steps(schedule: ScheduleSettings, steps: int) -> int:
    """Steps of linear warm-up in a stage of `steps` steps."""
    return ceil(schedule.warmup_ratio * steps)


def learning_rate(schedule: ScheduleSettings, step: int, steps: int) -> float:
    """The rate of optimizer step `step` (from 0) of `steps`.

    Warm-up of w steps: peak · (step + 1) / (w + 1), so that no step has rate zero and step w has the peak. Then down to
    `min_lr`, which the last step has exactly: with u = (step - w) / (steps - 1 - w), linear is
    peak + (min - peak) · u and cosine peak + (min - peak) · (1 - cos(pi · u)) / 2 (Loshchilov & Hutter 2017).
    """
    peak, low = schedule.peak_lr, schedule.min_lr
    warmup = warmup_steps(schedule, steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    u = min((step - warmup) / max(steps - 1 - warmup, 1), 1.0)
    if schedule.kind == "linear":
        return peak + (low - peak) * u
    return peak + (low - peak) * (1 - cos(pi * u)) / 2
