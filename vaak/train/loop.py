"""The training loop: rows in, steps taken, numbers out, checkpoints by policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from vaak.checkpoint import Checkpoint, due, prune, save_checkpoint
from vaak.mixture import PackedBatch, RealisedMass, open_loader
from vaak.recipe import Recipe
from vaak.storage.files import read_json, write_json
from vaak.track.jsonl import JsonlTracker, Tracker
from vaak.train.alignment_prior import with_alignment_prior
from vaak.train.context_noise import with_context_noise
from vaak.train.host import Precision, keep_freed_memory
from vaak.train.meters import LossMeter
from vaak.train.optimizer import optimizer_tensors
from vaak.train.schedule import learning_rate
from vaak.train.stage import Say, Stage, check_same_recipe, locked, prepare
from vaak.train.step import Stepper, StepResult
from vaak.train.validation import Validation

# (steps done, steps in all, what to say beside the bar)
OnStep = Callable[[int, int, str], None]


class Interrupted(Exception):
    """Training was asked to stop and has saved a checkpoint to continue from."""


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

    parent: a checkpoint (or a run) whose weights the stage starts from; with it the recipe's own model is not read.
    tracker: gets every row of metrics.jsonl as well. stop: asked after each step; once it says yes a checkpoint is
    saved and `Interrupted` raised. say: takes sentences for people.
    The run folder holds recipe.yaml (resolved), plan/, metrics.jsonl, checkpoints/ and, at its end, DONE.json.
    """
    run = Path(run)
    with locked(run):
        done = finished(run)
        if done is not None:
            check_same_recipe(recipe, run)
            return done
        keep_freed_memory()
        stage = prepare(recipe, run, Path(parent) if parent is not None else None, resume, say)
        with JsonlTracker(run / "metrics.jsonl", resume_step=stage.step) as log:
            trackers: list[Tracker] = [log] if tracker is None else [log, tracker]
            last = _Loop(stage, run, trackers, say).run(on_step, stop)
        write_json(run / "DONE.json", {"checkpoint": last.id, "folder": last.path.name, "step": last.step})
        return last.path


def finished(run: Path) -> Path | None:
    """The final checkpoint of a run that has reached its end, or None."""
    if not (run / "DONE.json").is_file():
        return None
    path = run / "checkpoints" / read_json(run / "DONE.json")["folder"]
    return path if (path / "COMPLETE.json").is_file() else None


class _Loop:
    """The state of a running stage; `run` is the loop itself."""

    def __init__(self, stage: Stage, folder: Path, trackers: list[Tracker], say: Say) -> None:
        self.stage, self.folder, self.trackers, self.say = stage, folder, trackers, say
        recipe, data = stage.recipe, stage.data
        assert recipe.microbatch_rows is not None and recipe.precision != "auto"  # `prepare` has settled both
        self.precision: Precision = recipe.precision
        self.stepper = Stepper(stage.model, stage.optimizer, recipe.optimizer.grad_clip, self.precision)
        self.stepper.skipped = stage.state.get("skipped", 0)
        self.mass = RealisedMass.from_state(stage.state["mass"]) if "mass" in stage.state else RealisedMass()
        self.began = time.monotonic() - stage.state.get("time", 0.0)
        if recipe.gradient_checkpointing:
            stage.model.lm.gradient_checkpointing_enable({"use_reentrant": False})
        self.shard_wait = stage.data.shard_wait or 0.0
        self.validation = None
        if data.pack is not None:
            self.validation = Validation(
                data.pack.ce[: recipe.validation.samples],
                kind=recipe.kind,
                streams=stage.plan.streams,
                context=recipe.context,
                vocabulary=data.vocabulary,
                tokenizer=data.tokenizer,
                rows=recipe.microbatch_rows,
            )

    def run(self, on_step: OnStep | None, stop: Callable[[], bool]) -> Checkpoint:
        with closing(self._batches()) as batches:
            return self._steps(batches, on_step, stop)

    def _steps(
        self, batches: Iterator[list[PackedBatch]], on_step: OnStep | None, stop: Callable[[], bool]
    ) -> Checkpoint:
        stage, recipe = self.stage, self.stage.recipe
        saved = None
        while stage.step < stage.steps:
            began = time.perf_counter()
            step_batches = next(batches)
            waited = time.perf_counter() - began
            lr = learning_rate(recipe.schedule, stage.step, stage.steps)
            result = self.stepper.step(step_batches, lr)
            stage.step += 1
            row = self._row(step_batches, result, lr, waited, time.perf_counter() - began)
            self._log(row)
            last = stage.step == stage.steps
            if self.validation is not None and (last or stage.step % recipe.validation.every == 0):
                self._log(self.validation.measure(stage.model, self.precision))
            if on_step is not None:
                on_step(stage.step, stage.steps, f"loss {result.loss:.3f}  {row['tokens_per_s']:,.0f} tokens/s")
            stopping = not last and stop()
            if last or stopping:
                saved = self._save()
            elif due(recipe.checkpoints, stage.step):
                self._try_to_save()
            if stopping:
                raise Interrupted(f"{recipe.name}: stopped after step {stage.step} of {stage.steps}, saved")
        return saved or self._save()

    def _batches(self) -> Generator[list[PackedBatch], None, None]:
        """The microbatches of one global step after another, from the row that comes next."""
        stage, recipe = self.stage, self.stage.recipe
        rows = recipe.microbatch_rows or recipe.rows_per_step
        loader = open_loader(
            stage.plan,
            stage.data.corpora,
            stage.data.vocabulary,
            stage.data.tokenizer,
            start_row=stage.step * recipe.rows_per_step,
            microbatch_rows=rows,
            workers=recipe.loader_workers,
        )
        vocabulary, text_bytes = stage.data.vocabulary, stage.data.tokenizer.byte_lengths()
        with closing(loader):  # its threads end with the training, not when somebody collects them
            while True:
                noise = recipe.context_noise.at(stage.step, stage.steps)
                strength = recipe.alignment_prior.at(stage.step, stage.steps)
                yield [
                    with_alignment_prior(
                        with_context_noise(batch, noise, vocabulary, recipe.seed), strength, vocabulary, text_bytes
                    )
                    for batch in islice(loader, recipe.rows_per_step // rows)
                ]

    def _row(
        self, batches: list[PackedBatch], result: StepResult, lr: float, waited: float, seconds: float
    ) -> dict[str, Any]:
        """One row of metrics.jsonl; docs/train.md defines each value."""
        meter = LossMeter(self.stage.data.vocabulary)
        for batch, per_token in zip(batches, result.per_token, strict=True):
            meter.add(batch, per_token)
            self.mass.add(batch)
        vocabulary, rate = self.stage.data.vocabulary, self.stage.data.tokens_per_second
        positions = sum(batch.input_ids.size for batch in batches)
        codes = sum(int((batch.input_ids >= vocabulary.first_speech_id).sum()) for batch in batches)
        padding = sum(
            int(lengths[tags < 0].sum())
            for batch in batches
            for lengths, tags in zip(batch.doc_lens, batch.doc_stream, strict=True)
        )
        return {
            "tokens": self.stage.step * self.stage.recipe.tokens_per_step,
            "time": round(time.monotonic() - self.began, 3),
            **meter.means(),
            "grad_norm": result.grad_norm,
            "lr": lr,
            "tokens_per_s": positions / seconds,
            "audio_s_per_s": codes / rate / seconds if rate else 0.0,
            "data_wait": waited / seconds,
            "padding": padding / positions,
            "skipped": self.stepper.skipped,
            **self._shard_wait(),
        }

    def _shard_wait(self) -> dict[str, float]:
        now = self.stage.data.shard_wait
        if (
            now is None or self.stage.recipe.loader_workers
        ):  # workers wait where they are, and that shows in `data_wait`
            return {}
        waited, self.shard_wait = now - self.shard_wait, now
        return {"shard_wait_s": waited}

    def _log(self, row: dict[str, Any]) -> None:
        for tracker in self.trackers:
            tracker.log(row, self.stage.step)

    def _try_to_save(self) -> None:
        """A save that fails does not end a run that goes well: it is said, and tried again at the next one due."""
        try:
            self._save()
        except OSError as error:
            self.say(f"the checkpoint of step {self.stage.step} could not be saved ({error}); training goes on")

    def _save(self) -> Checkpoint:
        stage, recipe = self.stage, self.stage.recipe
        state = {
            "stage": recipe.name,
            "step": stage.step,
            "steps": stage.steps,
            "row": stage.step * recipe.rows_per_step,
            "lr": learning_rate(recipe.schedule, max(stage.step - 1, 0), stage.steps),
            "plan": stage.plan.fingerprint,
            "corpora": [corpus.id for corpus in stage.data.corpora],
            "pack": stage.data.pack.id if stage.data.pack else None,
            "seed": recipe.seed,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "time": time.monotonic() - self.began,
            "skipped": self.stepper.skipped,
            "mass": self.mass.state(),
            "versions": {"torch": torch.__version__},
        }
        saved = save_checkpoint(
            self.folder,
            stage.step,
            stage.model,
            state=state,
            tensors={**optimizer_tensors(stage.model, stage.optimizer), "rng": torch.get_rng_state()},
            files={
                "recipe.yaml": (self.folder / "recipe.yaml").read_bytes(),
                "tokenizer.json": stage.data.tokenizer.source.encode(),
            },
        )
        prune(self.folder, recipe.checkpoints)
        return saved
