"""The figures of a batch: means over what was judged, counts of what was not."""

from __future__ import annotations

import numpy as np

from tests.align.toy_alignment import make_prompt, said
from vaak.align.judges import Judged
from vaak.align.meters import figures_of, rollout_values
from vaak.align.rollouts import Rollout


def judged(reward: float | None, gate: str = "", **parts: float) -> Judged:
    return Judged(reward, parts, None, gate, "", None, "")


def test_rewards_are_told_by_language_and_by_part():
    english = Rollout(
        make_prompt("one"), [said(1, 2, 3), said(*range(9))], [judged(0.2, content=0.1), judged(0.6, content=0.5)]
    )
    hindi = Rollout(make_prompt("two", "hi"), [said(1), said(2)], [judged(0.9, quality=0.9), judged(0.0, "short")])
    figures = figures_of(rollout_values([english, hindi]))
    assert np.isclose(figures["reward"], 0.425) and np.isclose(figures["reward/language/en"], 0.4)
    assert np.isclose(figures["reward/language/hi"], 0.45) and np.isclose(figures["reward/content/language/en"], 0.3)
    assert "reward/content/language/hi" not in figures
    assert figures["gated"] == 0.25 and figures["gated/short"] == 1.0 and figures["gated/loop"] == 0.0
    assert figures["stopped"] == 1.0 and figures["codes"] == 3.5
    assert np.isclose(figures["length_ratio"], np.mean([3, 9, 1, 1]) / 6)
    assert np.isclose(figures["length_spread"], np.std(np.array([3, 9, 1, 1]) / 6))


def test_a_dropped_group_is_counted_and_has_no_reward():
    dropped = Rollout(make_prompt("one"), [said(1), said(2)], [judged(None), judged(None)])
    dead = Rollout(make_prompt("two"), [said(1), said(2)], [judged(0.5), judged(0.5)])
    figures = figures_of(rollout_values([dropped, dead]))
    assert figures["dropped"] == 0.5 and figures["dead"] == 1.0 and figures["reward"] == 0.5
    only = figures_of(rollout_values([dropped]))
    assert only["dropped"] == 1.0 and "reward" not in only and "dead" not in only
