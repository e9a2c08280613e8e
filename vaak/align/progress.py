"""What happens beside TRL's steps: rows of figures, checkpoints, an end when it is asked for, and steps that teach nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl

from vaak.align.stage import AlignStage
from vaak.checkpoint import Content, weights_of
from vaak.track import Tracker
from vaak.train.callbacks import OnStep
from vaak.train.checkpointing import Checkpointing
from vaak.train.optimizer import optimizer_tensors
from vaak.train.run_folder import Say
from vaak.train.saving import random_state, versions

# Figures of TRL's that are logged, under their names here.
_OF_TRL = {"loss": "loss", "grad_norm": "grad_norm", "learning_rate": "lr", "entropy": "entropy", "kl": "kl",
           "clip_ratio/region_mean": "clipped", "rewards/chosen": "reward/chosen", "rewards/rejected": "reward/rejected",
           "rewards/accuracies": "preferred", "rewards/margins": "margin", "logps/chosen": "logp/chosen",
           "logps/rejected": "logp/rejected"}  # fmt: skip


class Progress(TrainerCallback):
    """Beside every step of TRL's trainer. `figures` is asked once for those of the step that is done."""

    def __init__(
        self,
        stage: AlignStage,
        trackers: Sequence[Tracker],
        on_step: OnStep | None,
        stop: Callable[[], bool],
        say: Say,
    ) -> None:
        self.stage, self.trackers = stage, trackers
        self.figures: Callable[[], Mapping[str, float]] = dict
        self.on_step, self.stop, self.say = on_step, stop, say
        self.stopped = False
        self.skipped = int(stage.state.get("skipped", 0))
        self._skip: str = ""
        self._row: dict[str, Any] = dict(stage.state.get("last", {}))
        self._before = float(stage.state.get("time", 0.0))
        self._began = self._step_began = time.monotonic()
        self.files = {
            "recipe.yaml": (stage.folder / "recipe.yaml").read_bytes(),
            "tokenizer.json": stage.tokenizer.source.encode(),
        }
        self.checkpointing = Checkpointing(
            stage.folder,
            stage.model,
            stage.recipe.checkpoints,
            stage.recipe.steps,
            self._content,
            stage.world,
            say,
            trackers,
        )

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._step_began = time.monotonic()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: TrainerControl, **_: Any) -> None:
        """A step whose gradient is not finite, or of which every group was dropped, changes nothing, not even by its momentum."""
        gradients = [one.grad for one in self.stage.model.parameters() if one.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        self._skip = (
            "" if math.isfinite(norm) and norm > 0 else ("nothing to learn from" if norm == 0 else "not finite")
        )
        if self._skip:
            for one in self.stage.model.parameters():
                one.grad = None

    def on_log(
        self, args: Any, state: Any, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """After each step, with TRL's figures; its last call, of the whole run, has no loss."""
        if not logs or "loss" not in logs:
            return
        stage, recipe = self.stage, self.stage.recipe
        stage.step += 1
        now = time.monotonic()
        if self._skip:
            self.skipped += 1
            self.say(f"step {stage.step} was skipped: its gradient is {self._skip}")
        self._row = {
            "time": round(self._before + now - self._began, 3),
            "step_s": now - self._step_began,
            "skipped": self.skipped,
            **{ours: logs[name] for name, ours in _OF_TRL.items() if logs.get(name) is not None},
            **self.figures(),
        }
        for tracker in self.trackers:
            tracker.log(self._row, stage.step)
        if self.on_step is not None:
            self.on_step(stage.step, recipe.steps, " ".join(_shown(self._row)))
        last = stage.step == recipe.steps
        # Between the updates of one batch nothing can be resumed: what was drawn is in no checkpoint.
        asked = stage.step % recipe.updates_per_batch == 0 and stage.world.any(self.stop())
        self.stopped = asked and not last
        self.checkpointing.after(stage.step, last or self.stopped)
        control.should_training_stop = last or self.stopped

    def start(self) -> None:
        """Before the first step: of a new run the model is saved as it comes, what every later checkpoint is compared with."""
        if self.stage.resumed is None:
            self.checkpointing.save(0)
        self.checkpointing.start(self.stage.step, self.stage.resumed)

    def _content(self, full: bool) -> Content:
        stage, recipe = self.stage, self.stage.recipe
        training = None
        if (
            full
        ):  # with the random state, which nothing here needs, a step 0 without moments has a file to go on from, too
            training = {**optimizer_tensors(stage.model, stage.optimizer), **random_state(stage.world)}
        state = {
            "stage": recipe.name,
            "kind": recipe.kind,
            "step": stage.step,
            "steps": recipe.steps,
            "prompts": stage.prompts.fingerprint,
            "parent": stage.state["parent"],
            "trusted": sorted(stage.trusted),
            "seed": recipe.seed,
            "precision": recipe.precision,
            "threads": torch.get_num_threads(),
            "world": stage.world.size,
            "time": self._before + time.monotonic() - self._began,
            "skipped": self.skipped,
            "last": {
                name: value
                for name, value in self._row.items()
                if isinstance(value, int | float) and math.isfinite(value)
            },
            "versions": versions(),
        }
        return Content(stage.step, weights_of(stage.model), training, state, self.files)


def _shown(row: Mapping[str, Any]) -> list[str]:
    return [f"{name} {row[name]:.3f}" for name in ("reward", "loss", "margin") if name in row]
