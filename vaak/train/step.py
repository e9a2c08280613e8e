"""One optimizer step over the microbatches of one global batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaak.errors import CheckFailed
from vaak.mixture import PackedBatch
from vaak.model.speech_lm import SpeechLM
from vaak.train.host import Precision, compute_in
from vaak.train.optimizer import set_rate

# A run whose gradients are not finite this many times in a row will not recover by itself.
SKIPS_IN_A_ROW = 5


@dataclass(frozen=True)
class StepResult:
    """loss: mean over all targets of the step, in nats; per_token: float32[B, L] of each microbatch;
    grad_norm: before clipping; skipped: the gradients were not finite and nothing was changed."""

    loss: float
    per_token: list[NDArray[np.float32]]
    grad_norm: float
    skipped: bool


def gradients(
    model: SpeechLM, batches: Sequence[PackedBatch], precision: Precision, lanes: int | None = None
) -> tuple[float, list[NDArray[np.float32]]]:
    """Accumulate the gradients of the mean loss over all targets of `batches`; returns that mean and all token losses.

    The divisor is the number of targets of the whole step and is known before the first backward pass, so the result
    does not depend on how the rows are cut into microbatches. `lanes` microbatches are computed at once: on a CPU one per
    core unless told otherwise, elsewhere one.
    """
    total = sum(batch.n_targets for batch in batches)
    if total == 0:
        raise CheckFailed(f"rows {batches[0].rows[0]} to {batches[-1].rows[-1]} hold no target token; look at the plan")
    if lanes is None:
        lanes = torch.get_num_threads() if model.device.type == "cpu" else 1
    if min(lanes, len(batches)) > 1:
        losses = _in_lanes(model, batches, precision, total, min(lanes, len(batches)))
    else:
        losses = [_backward(model, batch, precision, total) for batch in batches]
    # One synchronisation per step, after all the work is queued.
    per_token = [one.cpu().numpy() for one in losses]
    return sum(float(one.sum(dtype=np.float64)) for one in per_token) / total, per_token


def _backward(model: SpeechLM, batch: PackedBatch, precision: Precision, total: int) -> Tensor:
    """Add the gradients of one microbatch to those of the step; returns its token losses."""
    with compute_in(precision, model.device):
        output = model.forward_loss(batch)
    (output.sum / total).backward()
    return output.per_token


def _in_lanes(
    model: SpeechLM, batches: Sequence[PackedBatch], precision: Precision, total: int, lanes: int
) -> list[Tensor]:
    """As `_backward` of one microbatch after the other, several at a time, each on its share of the cores.

    The products of a small model are too small to be cut among cores: see benchmarks/lanes.py. Gradients are added in
    the order of the microbatches, so the result does not depend on which of them is done first.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    threads = max(torch.get_num_threads() // lanes, 1)

    def one(batch: PackedBatch) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        with compute_in(precision, model.device):
            output = model.forward_loss(batch)
        # Not `backward`: lanes that add to the same `grad` at once would lose some of it.
        return output.per_token, torch.autograd.grad(output.sum / total, parameters, allow_unused=True)

    losses = []
    with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        for per_token, found in pool.map(one, batches):
            losses.append(per_token)
            for parameter, gradient in zip(parameters, found, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return losses


class Stepper:
    """Takes optimizer steps and counts those it had to skip."""

    def __init__(
        self, model: SpeechLM, optimizer: torch.optim.Optimizer, grad_clip: float, precision: Precision
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.grad_clip = grad_clip
        self.precision: Precision = precision
        self.skipped = 0
        self._in_a_row = 0

    def step(self, batches: Sequence[PackedBatch], lr: float) -> StepResult:
        """Forward, backward, clip, update. Raises `CheckFailed` after several steps in a row without finite gradients."""
        self.model.train()
        loss, per_token = gradients(self.model, batches, self.precision)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip, foreach=True))
        finite = math.isfinite(norm) and math.isfinite(loss)
        if finite:
            set_rate(self.optimizer, lr)
            self.optimizer.step()
            self._in_a_row = 0
        else:
            self.skipped += 1
            self._in_a_row += 1
        self.optimizer.zero_grad(set_to_none=True)
        if self._in_a_row >= SKIPS_IN_A_ROW:
            raise CheckFailed(
                f"no finite gradients in {self._in_a_row} steps in a row, last in rows {batches[0].rows[0]} to "
                f"{batches[-1].rows[-1]}; lower schedule.peak_lr or look at these rows"
            )
        return StepResult(loss, per_token, norm, not finite)
