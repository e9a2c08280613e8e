"""What of a running stage a checkpoint carries."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vaak.checkpoint import Checkpoint, Content, weights_of
from vaak.model.lora import merged_weights
from vaak.track import Tracker
from vaak.train.adapters import lora_tensors
from vaak.train.callbacks import Callback, Meters, StepDone
from vaak.train.checkpointing import Checkpointing
from vaak.train.optimizer import optimizer_tensors
from vaak.train.parallel import on_first_rank
from vaak.train.run_folder import Say
from vaak.train.schedule import learning_rate
from vaak.train.stage import Stage
from vaak.train.world import World

# Whose change may change the last bits of a continued run.
_VERSIONS = ("vaak", "torch", "transformers", "numpy")


class Saving(Callback):
    """Checkpoints of a stage, by its recipe's policy."""

    def __init__(
        self, stage: Stage, folder: Path, world: World, meters: Meters, say: Say, trackers: Sequence[Tracker]
    ) -> None:
        self.stage, self.folder, self.world, self.meters = stage, folder, world, meters
        self.files = self._files()
        self.checkpointing = Checkpointing(
            folder, stage.model, stage.recipe.checkpoints, stage.steps, self._content, world, say, trackers
        )

    @property
    def last(self) -> Checkpoint | None:
        """Of the step that ended the loop."""
        return self.checkpointing.last

    def start(self) -> None:
        """Before the first step of this process."""
        self.checkpointing.start(self.stage.step, self.stage.resumed)

    def after(self, done: StepDone) -> None:
        self.checkpointing.after(done.step, done.last or done.stopping)

    def close(self) -> None:
        self.checkpointing.close()

    def save(self) -> Checkpoint:
        """Save the step that is done and wait for it; every rank calls this."""
        return self.checkpointing.save(self.stage.step)

    def _content(self, full: bool) -> Content:
        stage, recipe = self.stage, self.stage.recipe
        weights = weights_of(stage.model)
        adapters: dict[str, Tensor] = {}
        if recipe.lora is not None:  # what is merged comes together in the memory of the first rank's machine
            entire = on_first_rank(weights.items(), self.world)
            adapters, weights = lora_tensors(entire), merged_weights(entire, recipe.lora)
        training = None
        if full:
            training = {**optimizer_tensors(stage.model, stage.optimizer), **adapters, **random_state(self.world)}
        return Content(stage.step, weights, training, self._state(), self.files)

    def _files(self) -> dict[str, bytes]:
        """Read once: that somebody moves them later is no reason to lose a checkpoint."""
        if not self.world.is_first:
            return {}
        return {
            "recipe.yaml": (self.folder / "recipe.yaml").read_bytes(),
            "plan.json": (self.folder / "plan" / "plan.json").read_bytes(),
            "tokenizer.json": self.stage.data.tokenizer.source.encode(),
        }

    def _state(self) -> dict[str, Any]:
        stage, recipe = self.stage, self.stage.recipe
        guard = self.meters.guard
        return {
            "stage": recipe.name,
            "step": stage.step,
            "steps": stage.steps,
            "row": stage.step * recipe.rows_per_step,
            "lr": learning_rate(recipe.schedule, max(stage.step - 1, 0), stage.steps),
            "plan": stage.plan.fingerprint,
            **({"lora": stage.state["lora"]} if recipe.lora is not None else {}),
            "corpora": [corpus.id for corpus in stage.data.corpora],
            "pack": stage.data.pack.id if stage.data.pack else None,
            "seed": recipe.seed,
            "precision": recipe.precision,
            "threads": torch.get_num_threads(),
            "world": self.world.size,
            "time": self.meters.seconds,
            "audio_hours": self.meters.audio_hours,
            "skipped": guard.skipped,
            "guard": guard.state(),
            "mass": self.meters.total_mass().state(),
            "versions": versions(),
        }


def random_state(world: World) -> dict[str, Tensor]:
    """Of this process, by name, as `Content.training` holds it."""
    found = {f"rng/{world.rank}": torch.get_rng_state()}
    if world.device.type == "cuda":
        found[f"cuda_rng/{world.rank}"] = torch.cuda.get_rng_state(world.device)
    return found


def versions() -> dict[str, str]:
    """Of the packages whose change may change the last bits of a continued run."""
    return {name: version(name) for name in _VERSIONS} | {"python": platform.python_version()}
