"""Model FLOPs a second of Vaak's own step: for benchmarks/step.py."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from _step_documents import filled_rows
from _step_sides import LR, own_stepper, synchronise

from vaak.grammar.vocabulary import Vocabulary
from vaak.host import Precision
from vaak.model.flops import training_flops
from vaak.model.layers import recompute_layers
from vaak.model.open import create_model
from vaak.model.settings import ModelSettings

# Dense bf16 with fp32 sums, FLOP/s, as the makers' data sheets give them, by what torch calls the card.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


@dataclass(frozen=True)
class ModelSpeed:
    flops_per_s: float
    tokens_per_s: float
    parameters: int
    checkpointing: str


def model_speed(
    body: dict[str, Any], vocabulary: Vocabulary, context: int, precision: Precision, device: torch.device
) -> ModelSpeed:
    """Optimizer steps over rows filled by one document each, microbatches of two rows, the median of a few.

    On a GPU as the large recipes train: every layer is computed again in the backward pass, which counts for nothing.
    """
    on_gpu = device.type == "cuda"
    checkpointing = "full" if on_gpu else "none"
    model = create_model(ModelSettings(config=body), vocabulary, 1).to(device)
    recompute_layers(model, checkpointing)
    stepper = own_stepper(model, precision)
    batches = [filled_rows(vocabulary, 2 if on_gpu else 1, context, i) for i in range(8 if on_gpu else 1)]
    lens = [int(n) for batch in batches for row in batch.doc_lens for n in row]
    flops = training_flops(model.config, vocabulary.size, lens, sum(batch.n_targets for batch in batches))
    seconds = []
    for _ in range(8 if on_gpu else 3):
        synchronise(device)
        began = time.perf_counter()
        stepper.step(batches, LR)
        synchronise(device)
        seconds.append(time.perf_counter() - began)
    median = sorted(seconds[1:])[len(seconds[1:]) // 2]
    return ModelSpeed(flops / median, sum(lens) / median, model.n_parameters, checkpointing)
