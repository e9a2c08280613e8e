"""When a checkpoint is saved, and what of a running stage it carries."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from vaak.checkpoint import (
    Checkpoint,
    Content,
    LeaseWatch,
    Saver,
    due,
    milestone,
    model_due,
    prune,
    weights_of,
)
from vaak.checkpoint.folder import step_name
from vaak.errors import BadInput
from vaak.model.lora import merged_weights
from vaak.train.adapters import lora_tensors
from vaak.train.callbacks import Callback, Meters, StepDone
from vaak.train.optimizer import optimizer_tensors
from vaak.train.parallel import on_first_rank
from vaak.train.run_folder import Say
from vaak.train.schedule import learning_rate
from vaak.train.stage import Stage
from vaak.train.world import World

# How long one rank of a save waits for another: to write what one rank holds takes minutes.
_PATIENCE = timedelta(minutes=30)

# After so many seconds it is said what an ending run waits for.
_SAY_AFTER = 30.0

# How long a loop that ends with an error waits for a save that goes on, in seconds.
_LAST_WAIT = 5.0

# Whose change may change the last bits of a continued run.
_VERSIONS = ("vaak", "torch", "transformers", "numpy")


class Saving(Callback):
    """Checkpoints by the recipe's policy, beside the training; and one that is waited for at the end and where training is asked
    to stop. Every rank writes its part."""

    def __init__(self, stage: Stage, folder: Path, world: World, meters: Meters, say: Say) -> None:
        self.stage, self.folder, self.world, self.meters, self.say = stage, folder, world, meters, say
        # Of its own, since the ranks of a save talk while those of the training do.
        group = None
        if world.size > 1:
            group = dist.new_group(backend="gloo", timeout=_PATIENCE)
            assert isinstance(group, dist.ProcessGroup)
        self.saver = Saver(folder, stage.model, group)
        self.leases = LeaseWatch(folder)
        self.files = self._files()
        self.saving = 0
        # Of the step that ended the loop.
        self.last: Checkpoint | None = None

    def after(self, done: StepDone) -> None:
        policy = self.stage.recipe.checkpoints
        if done.last or done.stopping:
            self.last = self.save()
            self.world.wait()  # a launcher ends those that are left, once one has left
        elif due(policy, done.step):
            self._begin(full=True)
        elif model_due(policy, done.step):
            self._begin(full=False)

    def close(self) -> None:
        if self.saver.running:  # the loop has failed: what was good before is worth a moment
            with suppress(OSError):
                self.saver.wait(_LAST_WAIT)
        self.saver.close()

    def save(self) -> Checkpoint:
        """Save the step that is done and wait for it; every rank calls this. Raises `BadInput` if it cannot be saved."""
        self._settle()
        try:
            self._save(full=True, then=self._prune)
            saved = self.saver.wait()
        except OSError as error:
            raise BadInput(
                f"the checkpoint of step {self.stage.step} could not be saved ({error}); correct that, run it again, and it "
                "continues from the checkpoint before"
            ) from error
        assert saved is not None
        return saved

    def _begin(self, full: bool) -> None:
        """A save that fails or is slow does not hold up a run that goes well: it is said, and tried again at the next one due."""
        if milestone(self.stage.recipe.checkpoints, self.stage.step):  # it does not come again
            self._settle()
        if self.world.any(self.saver.running):
            self.say(
                f"step {self.stage.step} is not saved: the checkpoint of step {self.saving} is still being written; save less "
                "often, or to a faster disk"
            )
            return
        try:
            self._save(full, self._saved)
        except OSError as error:
            self._saved(error)

    def _settle(self) -> None:
        with suppress(OSError):  # said already
            self.saver.wait(_SAY_AFTER)
            if self.saver.running:
                self.say(f"waiting for the checkpoint of step {self.saving}, which is still being written")
            self.saver.wait()

    def _save(self, full: bool, then: Callable[[Checkpoint | OSError], None]) -> None:
        """Raises `OSError` on all ranks if one of them has no memory for the copies."""
        self.saving = self.stage.step
        content, staged, why = self._content(full), None, "on another process"
        try:
            staged = self.saver.stage(content)
        except (RuntimeError, MemoryError) as error:
            why = str(error)
        if self.world.any(staged is None) or staged is None:
            raise OSError(f"there is no memory for its copies: {why}")
        ending = self.stage.step == self.stage.steps
        self.saver.begin(staged, then, (lambda _: None) if ending else self._holder)

    def _holder(self, step: int) -> str | None:
        return self.leases.held().get(step_name(step))

    def _saved(self, result: Checkpoint | OSError) -> None:
        """Called from the saver's thread."""
        if isinstance(result, OSError):
            self.say(f"the checkpoint of step {self.saving} could not be saved ({result}); training goes on")
        self._prune(result)

    def _prune(self, result: Checkpoint | OSError) -> None:
        if isinstance(result, Checkpoint) and self.world.is_first:
            try:
                prune(self.folder, self.stage.recipe.checkpoints, keep={result.step}, leases=self.leases)
            except (OSError, BadInput) as error:
                self.say(f"old checkpoints of {self.folder} could not be removed ({error}); make it writable")

    def _content(self, full: bool) -> Content:
        stage, recipe = self.stage, self.stage.recipe
        weights = weights_of(stage.model)
        adapters: dict[str, Tensor] = {}
        if recipe.lora is not None:  # what is merged comes together in the memory of the first rank's machine
            entire = on_first_rank(weights.items(), self.world)
            adapters, weights = lora_tensors(entire), merged_weights(entire, recipe.lora)
        training = None
        if full:
            training = {**optimizer_tensors(stage.model, stage.optimizer), **adapters, **self._random_state()}
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

    def _random_state(self) -> dict[str, Tensor]:
        found = {f"rng/{self.world.rank}": torch.get_rng_state()}
        if self.world.device.type == "cuda":
            found[f"cuda_rng/{self.world.rank}"] = torch.cuda.get_rng_state(self.world.device)
        return found

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
            "versions": {name: version(name) for name in _VERSIONS} | {"python": platform.python_version()},
        }
