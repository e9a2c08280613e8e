"""Checkpoints beside a training of whatever kind: when one is due, never two at once, and old ones removed by the policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from vaak.checkpoint import Checkpoint, Content, LeaseWatch, Saver, due, milestone, model_due, prune
from vaak.checkpoint.folder import step_name
from vaak.errors import BadInput
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import CheckpointSettings
from vaak.track import Tracker
from vaak.track.tracker import log_reference
from vaak.train.run_folder import Say
from vaak.train.save_figures import SaveFigures
from vaak.train.world import World

# How long one rank of a save waits for another: to write what one rank holds takes minutes.
_PATIENCE = timedelta(minutes=30)

# After so many seconds it is said what an ending run waits for.
_SAY_AFTER = 30.0

# How long a loop that ends with an error waits for a save that goes on, in seconds.
_LAST_WAIT = 5.0


class Checkpointing:
    """Saves what `content(full)` gives, by the policy; and one that is waited for at the end and where training is asked to stop.
    Every rank writes its part and calls the same methods in step."""

    def __init__(
        self,
        folder: Path,
        model: SpeechLM,
        policy: CheckpointSettings,
        steps: int,
        content: Callable[[bool], Content],
        world: World,
        say: Say,
        trackers: Sequence[Tracker],
    ) -> None:
        self.folder, self.policy, self.steps, self.content = folder, policy, steps, content
        self.world, self.say, self.trackers = world, say, trackers
        # Of its own, since the ranks of a save talk while those of the training do.
        group = None
        if world.size > 1:
            group = dist.new_group(backend="gloo", timeout=_PATIENCE)
            assert isinstance(group, dist.ProcessGroup)
        self.saver = Saver(folder, model, group)
        self.leases = LeaseWatch(folder)
        self.figures = SaveFigures(policy, steps, trackers)
        # The step that is being saved, and the one that was done last.
        self.saving = self._step = 0
        # Of the step that ended the loop.
        self.last: Checkpoint | None = None

    def start(self, step: int, newest: Checkpoint | None) -> None:
        """Before the step after number `step`. newest: the checkpoint that the run continues, if it does."""
        self._step = step
        self.figures.start(step, newest)

    def after(self, step: int, ending: bool) -> None:
        """After step number `step`, the last one if it is `ending`: for good or because training was asked to stop."""
        self._step = step
        if ending:
            self.last = self.save(step)
            self.world.wait()  # a launcher ends those that are left, once one has left
        elif due(self.policy, step):
            self._begin(step, full=True)
        elif model_due(self.policy, step):
            self._begin(step, full=False)
        self.figures.tell(step)

    def close(self) -> None:
        """When the loop ends, however it ends."""
        if self.saver.running:  # the loop has failed: what was good before is worth a moment
            with suppress(OSError):
                self.saver.wait(_LAST_WAIT)
        self.figures.tell(self._step)
        self.saver.close()

    def save(self, step: int) -> Checkpoint:
        """Save the step that is done and wait for it; every rank calls this. Raises `BadInput` if it cannot be saved."""
        self._settle()
        try:
            self._save(step, full=True, then=self._ended)
            saved = self.saver.wait()
        except OSError as error:
            raise BadInput(
                f"the checkpoint of step {step} could not be saved ({error}); correct that, run it again, and it "
                "continues from the checkpoint before"
            ) from error
        assert saved is not None
        return saved

    def _begin(self, step: int, full: bool) -> None:
        """A save that fails or is slow does not hold up a run that goes well: it is said, and tried again at the next one due."""
        if milestone(self.policy, step):  # it does not come again
            self._settle()
        if self.world.any(self.saver.running):
            self.say(
                f"step {step} is not saved: the checkpoint of step {self.saving} is still being written; save less "
                "often, or to a faster disk"
            )
            self.figures.left_out()
            return
        try:
            self._save(step, full, self._saved)
        except OSError as error:
            self._saved(error)

    def _settle(self) -> None:
        with suppress(OSError):  # said already
            self.saver.wait(_SAY_AFTER)
            if self.saver.running:
                self.say(f"waiting for the checkpoint of step {self.saving}, which is still being written")
            self.saver.wait()

    def _save(self, step: int, full: bool, then: Callable[[Checkpoint | OSError], None]) -> None:
        """Raises `OSError` on all ranks if one of them has no memory for the copies."""
        self.saving = step
        self.figures.begins()
        content, staged, why = self.content(full), None, "on another process"
        try:
            staged = self.saver.stage(content)
        except (RuntimeError, MemoryError) as error:
            why = str(error)
        if self.world.any(staged is None) or staged is None:
            raise OSError(f"there is no memory for its copies: {why}")
        self.saver.begin(staged, then, (lambda _: None) if step == self.steps else self._holder)

    def _holder(self, step: int) -> str | None:
        return self.leases.held().get(step_name(step))

    def _saved(self, result: Checkpoint | OSError) -> None:
        """Called from the saver's thread."""
        if isinstance(result, OSError):
            self.say(f"the checkpoint of step {self.saving} could not be saved ({result}); training goes on")
        self._ended(result)

    def _ended(self, result: Checkpoint | OSError) -> None:
        self.figures.ends(result)
        if isinstance(result, Checkpoint) and self.world.is_first:
            metadata = {"id": result.id, "full": result.full}
            for tracker in self.trackers:
                log_reference(tracker, "checkpoint", result.path.resolve().as_uri(), result.step, metadata)
            try:
                prune(self.folder, self.policy, keep={result.step}, leases=self.leases)
            except (OSError, BadInput) as error:
                self.say(f"old checkpoints of {self.folder} could not be removed ({error}); make it writable")
