"""When a checkpoint is saved, and what of a running stage it carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vaak.checkpoint import Checkpoint, due, prune, save_checkpoint, step_folder
from vaak.model.lora import merged_weights
from vaak.train.adapters import lora_tensors
from vaak.train.callbacks import Callback, Meters, StepDone
from vaak.train.optimizer import optimizer_tensors
from vaak.train.parallel import on_first_rank
from vaak.train.schedule import learning_rate
from vaak.train.stage import Say, Stage
from vaak.train.world import World


class Saving(Callback):
    """Checkpoints by the recipe's policy, at the end, and where training is asked to stop. The first rank writes."""

    def __init__(self, stage: Stage, folder: Path, world: World, meters: Meters, say: Say) -> None:
        self.stage, self.folder, self.world, self.meters, self.say = stage, folder, world, meters, say
        # Of the step that ended the loop.
        self.last: Checkpoint | None = None

    def after(self, done: StepDone) -> None:
        if done.last or done.stopping:
            self.last = self.save()
            self.world.wait()  # a launcher ends those that are left, once one has left
        elif due(self.stage.recipe.checkpoints, done.step):
            self._try_to_save()

    def _try_to_save(self) -> None:
        """A save that fails does not end a run that goes well: it is said, and tried again at the next one due."""
        try:
            self.save()
        except OSError as error:
            self.say(f"the checkpoint of step {self.stage.step} could not be saved ({error}); training goes on")

    def save(self) -> Checkpoint:
        """Gather what is cut among ranks and write it; every rank calls this and gets the checkpoint's place.

        The whole state comes together in the memory of the first rank's machine.
        """
        stage, recipe = self.stage, self.stage.recipe
        tied = stage.model.config.tie_word_embeddings
        named = [one for one in stage.model.lm.state_dict().items() if not (tied and one[0].startswith("lm_head."))]
        weights = on_first_rank(named, self.world)
        moments = on_first_rank(optimizer_tensors(stage.model, stage.optimizer).items(), self.world)
        state = self._state()
        if not self.world.is_first:
            return Checkpoint(step_folder(self.folder, stage.step), stage.step, "", False)
        adapters = {}
        if recipe.lora is not None:
            adapters, weights = lora_tensors(weights), merged_weights(weights, recipe.lora)
        saved = save_checkpoint(
            self.folder,
            stage.step,
            stage.model,
            weights=weights,
            state=state,
            tensors={**moments, **adapters, "rng": torch.get_rng_state()},
            files={
                "recipe.yaml": (self.folder / "recipe.yaml").read_bytes(),
                "tokenizer.json": stage.data.tokenizer.source.encode(),
            },
        )
        prune(self.folder, recipe.checkpoints)
        return saved

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
            "skipped": guard.skipped,
            "guard": guard.state(),
            "mass": self.meters.total_mass().state(),
            "versions": {"torch": torch.__version__},
        }
