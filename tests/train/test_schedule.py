"""Rates against their closed forms."""

from math import cos, pi

import pytest

from vaak.recipe import ScheduleSettings, load_recipe, stage_names
from vaak.train.schedule import learning_rate, warmup_steps


@pytest.mark.parametrize("name", stage_names())
def test_every_stage_rises_to_its_peak_and_falls_to_its_minimum(name):
    schedule, steps = load_recipe(name).schedule, 1000
    rates = [learning_rate(schedule, step, steps) for step in range(steps)]
    warmup = warmup_steps(schedule, steps)
    assert max(rates) == rates[warmup] == schedule.peak_lr
    assert rates[-1] == pytest.approx(schedule.min_lr)
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1]) and rates[warmup:] == sorted(rates[warmup:], reverse=True)
    middle = (warmup + steps - 1) / 2
    u = (int(middle) - warmup) / (steps - 1 - warmup)
    if schedule.kind == "cosine":
        expected = schedule.min_lr + (schedule.peak_lr - schedule.min_lr) * (1 + cos(pi * u)) / 2
    else:
        expected = schedule.peak_lr + (schedule.min_lr - schedule.peak_lr) * u
    assert rates[int(middle)] == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_stages_have_rates(steps):
    schedule = ScheduleSettings(peak_lr=1.0, min_lr=0.1, warmup_ratio=0.5)
    assert all(0 < learning_rate(schedule, step, steps) <= 1 for step in range(steps))
