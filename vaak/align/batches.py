"""The batches of completions that a run learns from, and the figures of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist

from vaak.align.judges import Judges
from vaak.align.meters import figures_of, rollout_values
from vaak.align.prompts import PromptOrder
from vaak.align.rollouts import Draw, Rollout, roll_out
from vaak.align.stage import AlignStage
from vaak.model.speech_lm import SpeechLM
from vaak.recipe.align_tree import RolloutSettings
from vaak.speak.generation import generate

# A judge that is broken for good drops every group for ever: after so many batches without a reward the run ends.
MOST_LOST = 10


class Batches:
    """Draws and judges completions of a run's prompts by their numbers, and keeps what the figures of a step are made of.

    Their names that begin with `judges/` are counts since the run began, `vaak.align.judge_counters`.
    """

    def __init__(self, stage: AlignStage[PromptOrder], judges: Judges, draw: Draw) -> None:
        self.stage, self.judges, self.draw = stage, judges, draw
        self._values: dict[str, list[float]] = {}
        self._seconds: dict[str, float] = {}
        self._lost = 0
        # What the judges of earlier starts of this run had counted.
        last = stage.state.get("last", {})
        self._before = {name: count for name, count in last.items() if name.startswith("judges/")}

    def roll_out(self, numbers: Sequence[int]) -> list[Rollout]:
        """The completions of these prompts; the model is as it is now."""
        recipe, model = self.stage.recipe, self.stage.model
        training = model.lm.training  # TRL asks the transformers model which of the two it is in
        model.eval()
        rollouts, seconds = roll_out(
            [self.stage.prompts[number] for number in numbers],
            numbers,
            group=recipe.group,
            seed=recipe.seed,
            batch=recipe.rollouts.batch,
            draw=self.draw,
            judges=self.judges,
        )
        model.train(training)
        alive = self.stage.world.any(not all(one.dropped for one in rollouts))
        self._lost = 0 if alive else self._lost + 1
        if self._lost >= MOST_LOST:
            raise RuntimeError(
                f"every group of the last {self._lost} batches was dropped, the last one by {rollouts[-1].judged[0].failure}; "
                "look after that judge and run it again, it continues from the last checkpoint"
            )
        self._values = rollout_values(rollouts)
        self._seconds = {"drawing_s": seconds.drawing, "judging_s": seconds.judging}
        return rollouts

    def figures(self) -> dict[str, float]:
        """Of the batch that came last, over all processes, which call this together; seconds are this process's.

        A batch is told once, so that sums over steps are right where it serves several: then only the judges' counts are.
        """
        values = self._values | {f"judges/{name}": [n] for name, n in self.judges.counters.as_figures().items()}
        if self.stage.world.size > 1:
            every: list[Any] = [None] * self.stage.world.size
            dist.all_gather_object(every, values)
            names = sorted({name for one in every for name in one})
            values = {name: [number for one in every for number in one.get(name, [])] for name in names}
        found = {**figures_of(values), **self._seconds}
        self._values, self._seconds = {}, {}
        for name, count in self._before.items():
            found[name] = found.get(name, 0.0) + count
        return found


def own_draw(model: SpeechLM, rollouts: RolloutSettings) -> Draw:
    """Vaak's own loop with a model as it is when it is asked, which keeps the log-probability of every draw."""

    def draw(prompts: Sequence[Any], limits: Sequence[int], seeds: Sequence[int]):
        return generate(
            model,
            prompts,
            max_codes=list(limits),
            temperature=rollouts.temperature,
            seeds=list(seeds),
            batch_size=rollouts.batch,
            scored=True,
        )

    return draw
