"""The figures of one step of GRPO, from what was said and what the judges said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from vaak.align.judges import EQUAL
from vaak.align.rollouts import Rollout
from vaak.score.prosody import f0_spread
from vaak.score.reward import GATES

# What is counted over processes; of the rest they have the mean.
_SUMMED = ("gated/", "judges/")


def rollout_values(rollouts: Sequence[Rollout]) -> dict[str, list[float]]:
    """What was measured, by name: a number for each completion or group that has one. What none has is absent: a judge that
    failed is no zero."""
    values: dict[str, list[float]] = defaultdict(list)
    for one in rollouts:
        values["dropped"].append(float(one.dropped))
        for generation in one.generations:
            values["stopped"].append(float(generation.stopped))
            values["codes"].append(float(len(generation.codes)))
            values["length_ratio"].append(len(generation.codes) / max(len(one.prompt.reference_codes), 1))
        if one.dropped:
            continue
        values["reward_spread"].append(_spread(one))
        rewards = [judged.reward for judged in one.judged if judged.reward is not None]
        values["dead"].append(float(max(rewards) - min(rewards) <= EQUAL))
        language = one.prompt.language
        heard = next((judged.wave for judged in one.judged if judged.wave is not None and not judged.gate), None)
        if heard is not None:
            values["f0_spread"].append(f0_spread(heard, one.prompt.codec.output_rate))
        for judged in one.judged:
            assert judged.reward is not None
            values["reward"].append(judged.reward)
            values[f"reward/language/{language}"].append(judged.reward)
            values["gated"].append(float(bool(judged.gate)))
            for gate in GATES:  # those with none too: a chart draws its line across a figure that is absent
                values[f"gated/{gate}"].append(float(judged.gate == gate))
            for part, worth in judged.parts.items():
                values[f"reward/{part}"].append(worth)
                values[f"reward/{part}/language/{language}"].append(worth)
    return dict(values)


def figures_of(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """A row of metrics.jsonl, docs/metrics.md defines each: means, the spread of lengths, and counts of what fell to each gate."""
    figures = {
        name: float(sum(numbers) if name.startswith(_SUMMED) else np.mean(numbers)) for name, numbers in values.items()
    }
    if values.get("length_ratio"):
        figures["length_spread"] = float(np.std(values["length_ratio"]))
    return figures


def _spread(one: Rollout) -> float:
    return float(np.std([judged.reward for judged in one.judged if judged.reward is not None]))
