"""Memory of a training step on one GPU, found by running the step with tensors that have shapes and no contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.distributed.tensor import DTensor

from vaak.grammar.prompt import IGNORED
from vaak.grammar.vocabulary import Vocabulary
from vaak.host import Precision
from vaak.launch.cost_trace import Path, count_gradient, traced_world
from vaak.launch.cost_tracker import LiveBytes
from vaak.mixture import PackedBatch
from vaak.model.layers import recompute_layers
from vaak.model.lora import add_lora
from vaak.model.open import create_model
from vaak.model.settings import LoraSettings, ModelSettings
from vaak.recipe import OptimizerSettings, ParallelSettings
from vaak.train.optimizer import build_optimizer
from vaak.train.parallel import parallelise
from vaak.train.step import Stepper

# The third microbatch finds everything as later ones do: gradients in sum, parameters still gathered, one more to come.
_MICROBATCHES = 3


@dataclass(frozen=True)
class TracedStep:
    """A step to be traced. `config`: fields of a transformers configuration, as `ModelSettings.config` has them; `rows`: of a
    microbatch; `documents`: lengths of the documents of each row; `path`: the code of a GPU or of a CPU."""

    config: dict[str, Any]
    vocabulary: Vocabulary
    rows: int
    documents: tuple[int, ...]
    accumulation: int = 1
    ranks: int = 1
    precision: Precision = "bf16"
    checkpointing: Literal["none", "selective", "full"] = "none"
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    parallel: ParallelSettings = field(default_factory=ParallelSettings)
    lora: LoraSettings | None = None
    biased: bool = False
    path: Path = "gpu"


@dataclass(frozen=True)
class Memory:
    """Bytes of tensors on one GPU. `peak`: the largest sum of a step, `parts` of it by `PARTS`, `doing`: when it was reached;
    `standing`: between steps; `beginning`: the largest sum before the first step, when each rank holds the whole model."""

    peak: int
    doing: str
    parts: dict[str, int]
    standing: int
    beginning: int

    @property
    def most(self) -> int:
        return max(self.peak, self.beginning)


def step_memory(step: TracedStep) -> Memory:
    """Trace one step of a run that has taken others. Takes seconds and no memory to speak of, whatever the size of the model."""
    live = LiveBytes(on_cpu=step.path == "cpu")
    with traced_world(live, step.ranks, step.path, step.precision == "bf16") as world:
        with live.counting("weights"):
            model = create_model(ModelSettings(config=step.config), step.vocabulary, 0)
            if step.lora is not None:
                add_lora(model, step.lora, 0)
        live.start_again()
        with live.counting("gradients"):  # of DDP, the buckets
            module = parallelise(model, step.parallel, world, step.precision)
        for parameter in model.parameters():
            live.belongs(parameter, "weights")
            if parameter.requires_grad and not isinstance(parameter, DTensor):
                count_gradient(live, parameter)
        beginning = live.peak.bytes
        recompute_layers(model, step.checkpointing)
        optimizer = build_optimizer(model, step.optimizer, 1e-4, step.precision)
        _count_update(live, optimizer)
        stepper = Stepper(model, optimizer, step.optimizer.grad_clip, step.precision, world, module)
        batch = full_rows(step.rows, step.documents, step.biased)
        _make_state(optimizer, model.parameters())
        standing = live.total
        live.start_again()
        stepper.step([batch] * min(step.accumulation, _MICROBATCHES), 1e-4)
        peak = live.peak
    return Memory(peak.bytes, peak.doing, dict(peak.parts), standing, beginning)


def full_rows(rows: int, documents: Sequence[int], biased: bool = False) -> PackedBatch:
    """Rows of documents of these lengths, every position but the last of each a target; ids are all alike."""
    length = sum(documents)
    lens = np.array(documents, np.int32)
    labels = np.zeros((rows, length), np.int64)
    labels[:, np.cumsum(lens) - 1] = IGNORED
    positions = np.concatenate([np.arange(one) for one in documents])
    tags = [np.zeros(len(lens), np.int16)] * rows
    no_bias: list[NDArray[np.float32] | None] = [None] * len(lens)
    return PackedBatch(
        input_ids=np.zeros((rows, length), np.int64),
        labels=labels,
        position_ids=np.broadcast_to(positions, labels.shape).copy(),
        doc_lens=[lens] * rows,
        doc_stream=tags,
        doc_language=tags,
        doc_source=tags,
        rows=np.arange(rows),
        n_targets=int((labels != IGNORED).sum()),
        streams=("raw",),
        languages=("en",),
        sources=("traced",),
        doc_bias=[no_bias] * rows if biased else None,
    )


def _make_state(optimizer: torch.optim.Optimizer, parameters: Iterable[torch.nn.Parameter]) -> None:
    """An update without a forward pass before it: an optimizer makes its state in its first one, and a run has taken others."""
    for parameter in parameters:
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _count_update(live: LiveBytes, optimizer: torch.optim.Optimizer) -> None:
    """What the optimizer makes counts as its own."""

    def before(*_: Any) -> None:
        live.part, live.doing = "optimizer", "update"

    def after(*_: Any) -> None:
        live.part = "activations"

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)


def largest_microbatch(
    step: TracedStep, rows_per_rank: int, room: int, traced: Callable[[TracedStep], Memory] = step_memory
) -> int | None:
    """The most rows of a microbatch whose step keeps within `room` bytes, among the divisors of a rank's rows; None if not even
    one row does.

    Memory grows with the rows, so divisors are halved and not all of them traced; only the two largest are tried before, since
    steps of one or two microbatches have no gradients in sum, or fewer parameters gathered, and may hold less than one of more.
    """

    def fits(rows: int) -> bool:
        return traced(replace(step, rows=rows, accumulation=rows_per_rank // rows)).most <= room

    divisors = [n for n in range(1, rows_per_rank + 1) if rows_per_rank % n == 0]
    *others, last = divisors
    if fits(last):
        return last
    if others and fits(others[-1]):
        return others[-1]
    low, high = 0, max(len(others) - 1, 0)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(others[middle]) else (low, middle)
    return others[low - 1] if low else None


def chunked_loss_bytes(vocabulary: Vocabulary, hidden: int, targets: int, rows: int, precision: Precision) -> int:
    """What Vaak's loss holds at its fullest moment, from the code of vaak/model/loss.py by hand, for a bf16 or float32 product.

    With V ids, V' rows of the head (padding included), width d, n targets and c rows of a chunk, s bytes of a product's number
    (2 or 4): the head's gradient in float32, 4 V' d, and in bf16 that of one chunk before it is added, s V d; logits of a chunk in
    float32, which become its probabilities, 4 c V; their slope, s c V in bf16 (in float32 the probabilities serve); the gradient of
    all states in float32, 4 n d; the states of a chunk in bf16, s c d; and losses, 4 n.
    """
    size, padded, chunk = vocabulary.size, vocabulary.padded_size, min(rows, targets)
    held = 4 * padded * hidden + 4 * chunk * size + 4 * targets * hidden + 4 * targets
    if precision == "bf16":
        held += 2 * size * hidden + 2 * chunk * size + 2 * chunk * hidden
    return held


def full_logits_bytes(vocabulary: Vocabulary, targets: int) -> int:
    """What a plain cross-entropy over all logits at once holds at its fullest moment, in the backward pass: 12 bytes for each target
    and id.

    The logarithms of the probabilities and their gradient in float32, 4 + 4; then the gradient of the logits with the head's
    padding, 4 in float32, and in bf16 2 without the padding and 2 with it.
    """
    return 12 * targets * vocabulary.size
