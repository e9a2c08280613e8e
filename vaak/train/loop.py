"""The training loop: rows in, steps taken. What else happens at a step stands in `callbacks.py`, `saving.py`, `profiling.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from itertools import count, islice
from pathlib import Path

from vaak.checkpoint import verify_checkpoint
from vaak.errors import Interrupted
from vaak.host import keep_freed_memory
from vaak.mixture import PackedBatch, open_loader
from vaak.model.layers import compile_layers, recompute_layers
from vaak.recipe import Recipe, split_batch
from vaak.storage.files import read_json, write_json
from vaak.track import JsonlTracker, RunTracker, Tracker
from vaak.train.alignment_prior import with_alignment_prior
from vaak.train.callbacks import Callback, InLoopValidation, Meters, OnStep, Progress, SkippedSteps, StepDone
from vaak.train.context_noise import with_context_noise
from vaak.train.failures import sharing_failures
from vaak.train.profiling import ProfilerWindows
from vaak.train.run_folder import Say, locked, parent_held
from vaak.train.saving import Saving
from vaak.train.schedule import learning_rate
from vaak.train.spikes import SpikeGuard
from vaak.train.stage import Stage, check_same_recipe, prepare
from vaak.train.step import Stepper
from vaak.train.world import World, joined


def train(
    recipe: Recipe,
    run: str | Path,
    *,
    parent: str | Path | None = None,
    resume: bool = True,
    tracker: Tracker | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Say = print,
) -> Path:
    """Train one stage in a run folder, or continue it, and return the folder of its final checkpoint.

    Under torchrun every process calls this with the same arguments and they train together; the first one writes.
    parent: a checkpoint (or a run) whose weights the stage starts from; with it the recipe's own model is not read.
    tracker: gets every row of metrics.jsonl as well, behind a queue, so that it can neither stop nor slow the run. stop: asked after each step; once it says yes on any process a
    checkpoint is saved and `Interrupted` raised. say: takes sentences for people.
    The run folder holds recipe.yaml (resolved), plan/, metrics.jsonl, checkpoints/ and, at its end, DONE.json.
    """
    run = Path(run)
    with joined(recipe.device) as world, sharing_failures(world), locked(run) if world.is_first else nullcontext():
        done = finished(run) if world.is_first else None
        if world.any(done is not None):
            check_same_recipe(recipe, run)
            return done or last_folder(run)
        keep_freed_memory()
        say = say if world.is_first else _say_nothing
        parent = Path(parent) if parent is not None else None
        with ExitStack() as opened:
            if world.is_first:
                opened.enter_context(parent_held(recipe, run, parent, say))
            stage = prepare(recipe, run, parent, resume, say, world)
            trackers: list[Tracker] = []
            if world.is_first:
                jsonl = opened.enter_context(JsonlTracker(run / "metrics.jsonl", stage.step, say))
                trackers = [opened.enter_context(RunTracker(jsonl, tracker, say))]
            last = _Loop(stage, run, world, trackers, say, on_step, stop).run()
        if world.is_first:
            write_json(run / "DONE.json", {"checkpoint": last.id, "folder": last.path.name, "step": last.step})
        return last.path


def finished(run: Path) -> Path | None:
    """The final checkpoint of a run that has reached its end, or None; also None if it is damaged: its last steps are due again."""
    if not (run / "DONE.json").is_file():
        return None
    path = last_folder(run)
    return None if verify_checkpoint(path) else path


def last_folder(run: Path) -> Path:
    """The final checkpoint of a run that says that it is done."""
    return run / "checkpoints" / read_json(run / "DONE.json")["folder"]


def _say_nothing(_: str) -> None:
    pass


class _Loop:
    """A stage, the step that it takes, and who is told after each."""

    def __init__(
        self,
        stage: Stage,
        folder: Path,
        world: World,
        trackers: Sequence[Tracker],
        say: Say,
        on_step: OnStep | None,
        stop: Callable[[], bool],
    ) -> None:
        self.stage, self.world, self.stop = stage, world, stop
        recipe = stage.recipe
        assert recipe.precision != "auto"  # `prepare` has settled it
        recompute_layers(stage.model, recipe.activation_checkpointing)
        if recipe.compile:
            compile_layers(stage.model)
        guard = SpikeGuard.from_state(stage.state.get("guard", {}))
        self.stepper = Stepper(
            stage.model, stage.optimizer, recipe.optimizer.grad_clip, recipe.precision, world, stage.module, guard
        )
        self.meters = Meters(stage, world, trackers, guard)
        self.saving = Saving(stage, folder, world, self.meters, say, trackers)
        self.callbacks: list[Callback] = [
            self.meters,
            SkippedSteps(folder, guard, world, say),
            InLoopValidation(stage, world, trackers, recipe.precision),
            *([ProfilerWindows(folder / "profile", world)] if recipe.profile else []),
            Progress(stage.steps, self.meters, on_step),
            self.saving,
        ]

    def run(self):
        """Every step that is left, and the checkpoint of the last."""
        with closing(self._batches()) as batches, ExitStack() as callbacks:
            for callback in self.callbacks:
                callbacks.callback(callback.close)
            self._steps(batches)
        return self.saving.last or self.stage.resumed or self.saving.save()

    def _steps(self, batches: Iterator[list[PackedBatch]]) -> None:
        stage, schedule = self.stage, self.stage.recipe.schedule
        if self.world.any(self.stop()):  # asked while data and model were prepared
            raise Interrupted(f"{stage.recipe.name}: stopped before step {stage.step + 1} of {stage.steps}")
        self.saving.start()
        while stage.step < stage.steps:
            for callback in self.callbacks:
                callback.before(stage.step + 1)
            began = time.perf_counter()
            step_batches = next(batches)
            waited = time.perf_counter() - began
            lr = learning_rate(schedule, stage.step, stage.steps)
            result = self.stepper.step(step_batches, lr)
            seconds = time.perf_counter() - began
            stage.step += 1
            last = stage.step == stage.steps
            stopping = not last and self.world.any(self.stop())
            done = StepDone(stage.step, step_batches, result, lr, waited, seconds, last, stopping)
            for callback in self.callbacks:
                callback.after(done)
            if stopping:
                raise Interrupted(f"{stage.recipe.name}: stopped after step {stage.step} of {stage.steps}, saved")

    def _batches(self) -> Generator[list[PackedBatch], None, None]:
        """This rank's microbatches of one global step after another, from the row that comes next."""
        stage, recipe, data = self.stage, self.stage.recipe, self.stage.data
        rows, accumulation = split_batch(recipe.rows_per_step, self.world.size, recipe.microbatch_rows)
        loader = open_loader(
            stage.plan,
            data.corpora,
            data.vocabulary,
            data.tokenizer,
            start_row=stage.step * recipe.rows_per_step,
            microbatch_rows=rows,
            rank=self.world.rank,
            world=self.world.size,
            workers=recipe.loader_workers,
        )
        text_bytes = data.tokenizer.byte_lengths()

        def of_step(step: int) -> list[PackedBatch]:
            noise = recipe.context_noise.at(step, stage.steps)
            strength = recipe.alignment_prior.at(step, stage.steps)
            noisy = (with_context_noise(b, noise, data.vocabulary, recipe.seed) for b in islice(loader, accumulation))
            return [with_alignment_prior(batch, strength, data.vocabulary, text_bytes) for batch in noisy]

        steps = count(stage.step)
        with closing(loader):  # its threads end with the training, not when somebody collects them
            if self.world.device.type == "cpu":
                yield from map(of_step, steps)
            # Never reached on a CPU, whose steps have no end. While a GPU computes, a processor has time for the next batches.
            with ThreadPoolExecutor(1) as pool:
                following = pool.submit(of_step, next(steps))
                while True:
                    ready, following = following.result(), pool.submit(of_step, next(steps))
                    yield ready
