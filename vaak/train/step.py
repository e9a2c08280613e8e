"""One optimizer step over the rows of one global batch, on however many processes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vaak.errors import CheckFailed
from vaak.host import Precision, compute_in
from vaak.mixture import PackedBatch
from vaak.model.speech_lm import SpeechLM
from vaak.train.optimizer import set_rate
from vaak.train.parallel import adding_up, whole
from vaak.train.spikes import Fault, SpikeGuard
from vaak.train.world import World


@dataclass(frozen=True)
class StepResult:
    """loss: mean over all targets of the step on all ranks, in nats; per_token: float32[B, L] of each microbatch of this
    rank; grad_norm: of the whole gradient, before clipping; fault: why nothing was changed, if so."""

    loss: float
    per_token: list[NDArray[np.float32]]
    grad_norm: float
    fault: Fault | None


def gradients(
    model: SpeechLM,
    batches: Sequence[PackedBatch],
    precision: Precision,
    lanes: int | None = None,
    *,
    module: nn.Module | None = None,
    world: World | None = None,
) -> tuple[float, list[NDArray[np.float32]]]:
    """Accumulate the gradients of the mean loss over all targets of a step; returns that mean and this rank's token losses.

    batches: this rank's microbatches. The divisor is the number of targets of the whole step on all ranks and is known
    before the first backward pass, so the result does not depend on how the rows are cut into microbatches or ranks.
    module: the model as `parallelise` gave it. `lanes` microbatches are computed at once: on a CPU, one process alone,
    one per core unless told otherwise, elsewhere one.
    """
    world, module = world or World(), module or model
    targets = float(world.total([sum(batch.n_targets for batch in batches)])[0])
    if targets == 0:
        raise CheckFailed(f"rows {batches[0].rows[0]} to {batches[-1].rows[-1]} hold no target token; look at the plan")
    if lanes is None:
        lanes = torch.get_num_threads() if model.device.type == "cpu" and world.size == 1 else 1
    if min(lanes, len(batches)) > 1:
        losses = _in_lanes(model, batches, precision, targets, min(lanes, len(batches)))
    else:
        # Ranks average their gradients where a sum is wanted.
        scale = world.size / targets
        losses = []
        for place, batch in enumerate(batches, start=1):
            with adding_up(module, last=place == len(batches)):
                losses.append(_backward(module, batch, precision, model.device, scale))
    # One synchronisation per step, after all the work is queued.
    per_token = [one.cpu().numpy() for one in losses]
    lost = float(world.total([sum(float(one.sum(dtype=np.float64)) for one in per_token)])[0])
    return lost / targets, per_token


def _backward(
    module: nn.Module, batch: PackedBatch, precision: Precision, device: torch.device, scale: float
) -> Tensor:
    """Add the gradients of one microbatch to those of the step; returns its token losses."""
    with compute_in(precision, device):
        output = module(batch)
    (output.sum * scale).backward()
    return output.per_token


def _in_lanes(
    model: SpeechLM, batches: Sequence[PackedBatch], precision: Precision, targets: float, lanes: int
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
        return output.per_token, torch.autograd.grad(output.sum / targets, parameters, allow_unused=True)

    losses = []
    with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        for per_token, found in pool.map(one, batches):
            losses.append(per_token)
            for parameter, gradient in zip(parameters, found, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return losses


@dataclass
class Stepper:
    """Takes optimizer steps and leaves out those whose gradients are no good (`guard`).

    module: the model as `parallelise` gave it, by default the model itself.
    """

    model: SpeechLM
    optimizer: torch.optim.Optimizer
    grad_clip: float
    precision: Precision
    world: World = field(default_factory=World)
    module: nn.Module | None = None
    guard: SpikeGuard = field(default_factory=SpikeGuard)

    def step(self, batches: Sequence[PackedBatch], lr: float) -> StepResult:
        """Forward, backward, clip, update. Raises `CheckFailed` after several skipped steps in a row."""
        self.model.train()
        loss, per_token = gradients(self.model, batches, self.precision, module=self.module, world=self.world)
        norm = float(whole(nn.utils.clip_grad_norm_(self.model.parameters(), self.grad_clip, foreach=True)))
        fault = self.guard.judge(norm, loss)
        if fault is None:
            set_rate(self.optimizer, lr)
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return StepResult(loss, per_token, norm, fault)
