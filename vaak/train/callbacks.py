"""What happens beside the step: numbers logged, validation measured, skipped steps written down, a bar moved on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaak.host import Precision
from vaak.mixture import PackedBatch, RealisedMass
from vaak.storage.files import write_json
from vaak.track import Tracker
from vaak.train.meters import LossMeter, total_mass
from vaak.train.run_folder import Say
from vaak.train.spikes import SpikeGuard
from vaak.train.stage import Stage
from vaak.train.step import StepResult
from vaak.train.validation import Validation
from vaak.train.world import World

# (steps done, steps in all, what to say beside the bar)
OnStep = Callable[[int, int, str], None]


@dataclass(frozen=True)
class StepDone:
    """One step as a callback sees it. step: how many are done now; batches: this rank's; waited, seconds: for data and in
    all; last: the stage ends with it; stopping: training was asked to stop here."""

    step: int
    batches: Sequence[PackedBatch]
    result: StepResult
    lr: float
    waited: float
    seconds: float
    last: bool
    stopping: bool


class Callback:
    """Called on every rank around every step; what a kind does not need it leaves as it is."""

    def before(self, step: int) -> None:
        """Before step number `step`, counted from 1."""

    def after(self, done: StepDone) -> None:
        """After a step."""

    def close(self) -> None:
        """When the loop ends, however it ends."""


class Meters(Callback):
    """A row of metrics.jsonl for each step; docs/metrics.md defines every value. Keeps the realised mass."""

    def __init__(self, stage: Stage, world: World, trackers: Sequence[Tracker], guard: SpikeGuard) -> None:
        self.stage, self.world, self.trackers, self.guard = stage, world, trackers, guard
        # What was served before a resume is counted once, on the first rank.
        before = stage.state.get("mass") if world.is_first else None
        self.mass = RealisedMass.from_state(before) if before else RealisedMass()
        self.began = time.monotonic() - stage.state.get("time", 0.0)
        self.shard_wait = stage.data.shard_wait or 0.0
        self.tokens_per_s = 0.0
        # Audio served since the stage began.
        self.audio_hours = float(stage.state.get("audio_hours", 0.0))

    @property
    def seconds(self) -> float:
        """Time in this stage, interruptions not counted."""
        return time.monotonic() - self.began

    def total_mass(self) -> RealisedMass:
        """Of all ranks, which all call this."""
        return total_mass(self.mass, self.stage.plan, self.world)

    def after(self, done: StepDone) -> None:
        row = self._row(done)
        for tracker in self.trackers:
            tracker.log(row, done.step)

    def _row(self, done: StepDone) -> dict[str, Any]:
        vocabulary, rate = self.stage.data.vocabulary, self.stage.data.tokens_per_second
        meter = LossMeter(vocabulary)
        counts = np.zeros(4)
        for batch, per_token in zip(done.batches, done.result.per_token, strict=True):
            meter.add(batch, per_token)
            self.mass.add(batch)
            counts += _positions(batch, vocabulary.first_speech_id)
        found = self.world.total([*counts, *meter.vector()])
        (positions, targets, codes, padding), sums = found[:4], found[4:]
        self.tokens_per_s = positions / done.seconds
        audio_s = codes / rate if rate else 0.0
        self.audio_hours += float(audio_s) / 3600
        return {
            "tokens": self.stage.step * self.stage.recipe.tokens_per_step,
            "audio_hours": self.audio_hours,
            "time": round(self.seconds, 3),
            "step_s": done.seconds,
            **meter.with_vector(sums).means(),
            "grad_norm": done.result.grad_norm,
            "lr": done.lr,
            "tokens_per_s": self.tokens_per_s,
            "targets_per_s": targets / done.seconds,
            "audio_s_per_s": audio_s / done.seconds,
            "data_wait": done.waited / done.seconds,
            "padding": padding / positions,
            "skipped": self.guard.skipped,
            "nonfinite": self.guard.nonfinite,
            "spikes": self.guard.spikes,
            **self._memory(),
            **self._shard_wait(),
        }

    def _memory(self) -> dict[str, float]:
        if self.world.device.type != "cuda":
            return {}
        return {"memory_gb": torch.cuda.max_memory_allocated(self.world.device) / 1e9}

    def _shard_wait(self) -> dict[str, float]:
        now = self.stage.data.shard_wait
        # Workers wait where they are, and that shows in `data_wait`.
        if now is None or self.stage.recipe.loader_workers:
            return {}
        waited, self.shard_wait = now - self.shard_wait, now
        return {"shard_wait_s": waited}


def _positions(batch: PackedBatch, first_speech_id: int) -> list[int]:
    """Positions, targets, codes and padding of a batch."""
    padding = sum(int(lengths[tags < 0].sum()) for lengths, tags in zip(batch.doc_lens, batch.doc_stream, strict=True))
    return [batch.input_ids.size, batch.n_targets, int((batch.input_ids >= first_speech_id).sum()), padding]


class InLoopValidation(Callback):
    """The gold pack's samples every so many steps and at the end, into the same trackers."""

    def __init__(self, stage: Stage, world: World, trackers: Sequence[Tracker], precision: Precision) -> None:
        recipe, data = stage.recipe, stage.data
        self.stage, self.world, self.trackers = stage, world, trackers
        self.precision: Precision = precision
        self.every = recipe.validation.every
        self.validation = None
        if data.pack is not None:
            self.validation = Validation(
                data.pack.ce[: recipe.validation.samples],
                kind=recipe.kind,
                streams=stage.plan.streams,
                context=recipe.context,
                vocabulary=data.vocabulary,
                tokenizer=data.tokenizer,
                rows=recipe.microbatch_rows or 1,
            )

    def after(self, done: StepDone) -> None:
        if self.validation is None or not (done.last or done.step % self.every == 0):
            return
        row = self.validation.measure(self.stage.module, self.precision, self.world)
        for tracker in self.trackers:
            tracker.log(row, done.step)


class SkippedSteps(Callback):
    """Writes down what a skipped step was made of, so that it can be looked at and replayed, and ends hopeless runs."""

    def __init__(self, folder: Path, guard: SpikeGuard, world: World, say: Say) -> None:
        self.folder, self.guard, self.world, self.say = folder / "skipped", guard, world, say

    def after(self, done: StepDone) -> None:
        fault = done.result.fault
        if fault is None:
            return
        rows, losses = self._rows(done)
        if self.world.is_first:
            self._write(done, rows, losses)
        why = "not finite" if fault == "nonfinite" else f"{done.result.grad_norm:.3g}, above {self.guard.limit:.3g}"
        self.say(
            f"step {done.step} was skipped: its gradient is {why}; rows {rows[0]} to {rows[-1]}, see {self.folder}"
        )
        self.guard.check((rows[0], rows[-1]))

    def _write(self, done: StepDone, rows: list[int], losses: list[float]) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
            write_json(
                self.folder / f"step-{done.step:08d}.json",
                {
                    "step": done.step,
                    "fault": done.result.fault,
                    "grad_norm": _plain(done.result.grad_norm),
                    "limit": _plain(self.guard.limit),
                    "loss": _plain(done.result.loss),
                    "rows": [{"row": row, "loss": _plain(loss)} for row, loss in zip(rows, losses, strict=True)],
                },
            )
        except OSError as error:
            self.say(f"step {done.step} could not be written down in {self.folder} ({error.strerror}); make room")

    def _rows(self, done: StepDone) -> tuple[list[int], list[float]]:
        """Row numbers of the whole step in order, and the mean loss of each row's targets."""
        first = int(done.batches[0].rows[0]) - self.world.rank
        count = sum(len(batch.rows) for batch in done.batches) * self.world.size
        sums, targets = np.zeros(count), np.zeros(count)
        for batch, per_token in zip(done.batches, done.result.per_token, strict=True):
            sums[batch.rows - first] = per_token.sum(axis=1, dtype=np.float64)
            targets[batch.rows - first] = (batch.labels >= 0).sum(axis=1)
        found = self.world.total(np.concatenate([sums, targets]))
        means = found[:count] / np.maximum(found[count:], 1)
        return list(range(first, first + count)), means.tolist()


def _plain(number: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return number if np.isfinite(number) else str(number)


class Progress(Callback):
    """A bar for a person."""

    def __init__(self, steps: int, meters: Meters, on_step: OnStep | None) -> None:
        self.steps, self.meters, self.on_step = steps, meters, on_step

    def after(self, done: StepDone) -> None:
        if self.on_step is not None:
            speed = self.meters.tokens_per_s
            self.on_step(done.step, self.steps, f"loss {done.result.loss:.3f}  {speed:,.0f} tokens/s")
