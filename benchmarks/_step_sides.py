"""Two of the sides that benchmarks/step.py lets train on the same documents: Vaak, and a plain padded loop."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from vaak.host import Precision, compute_in, keep_freed_memory, set_malloc_thresholds
from vaak.mixture import PackedBatch
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import OptimizerSettings
from vaak.train.optimizer import build_optimizer
from vaak.train.step import Stepper

LR = 1e-4
SETTINGS = OptimizerSettings()  # AdamW, clipped at 1

Padded = Sequence[dict[str, Tensor]]


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def free_as_usual() -> None:
    """Undo `keep_freed_memory`: the thresholds that glibc reaches by itself, 32 MiB and twice that (malloc/malloc.c).

    For the peers, whose users would have no others.
    """
    set_malloc_thresholds(32 << 20, 64 << 20)


def own_stepper(model: SpeechLM, precision: Precision) -> Stepper:
    """Vaak's step as its loop takes it."""
    return Stepper(model, build_optimizer(model, SETTINGS, LR, precision), SETTINGS.grad_clip, precision)


def plain_model(model: SpeechLM) -> Any:
    """The same weights as an ordinary transformers model, with transformers' own attention and loss."""
    config = copy.deepcopy(model.config)
    config.use_cache = False
    plain = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.float32)
    plain.load_state_dict(model.lm.state_dict())
    return plain.to(model.device).train()


@dataclass
class PaddedLoop:
    """A loop as it is usually written. The objective is Vaak's: the mean over all targets of the step."""

    model: Any
    optimizer: torch.optim.Optimizer
    precision: Precision

    @classmethod
    def of(cls, model: Any, precision: Precision) -> PaddedLoop:
        optimizer = torch.optim.AdamW(_groups(model), lr=LR, betas=SETTINGS.betas, eps=SETTINGS.eps, fused=True)
        return cls(model, optimizer, precision)

    def step(self, microbatches: Padded) -> float:
        """One update; returns the loss in nats."""
        targets = sum(int((one["labels"] >= 0).sum()) for one in microbatches)
        total = torch.zeros((), device=self.model.device)
        for one in microbatches:
            with compute_in(self.precision, one["labels"].device):
                loss = self.model(**one, num_items_in_batch=targets).loss
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.model.parameters(), SETTINGS.grad_clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(total)


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Decay where Vaak has it: on matrices, but not on the embedding (tied to the head)."""
    embedding = model.get_input_embeddings().weight  # pyright: ignore
    matrices = [p for p in model.parameters() if p.ndim >= 2 and p is not embedding]
    rest = [p for p in model.parameters() if p.ndim < 2 or p is embedding]
    return [{"params": matrices, "weight_decay": SETTINGS.weight_decay}, {"params": rest, "weight_decay": 0.0}]


def own_side(stepper: Stepper, steps: Sequence[Sequence[PackedBatch]]) -> Callable[[int], float]:
    """Takes the step of that number, with memory kept as Vaak's loop keeps it, and returns its loss."""

    def step(number: int) -> float:
        keep_freed_memory()
        loss = stepper.step(steps[number], LR).loss
        free_as_usual()
        return loss

    return step
