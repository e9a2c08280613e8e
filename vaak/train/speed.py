"""How fast this machine takes steps of a recipe."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch

from vaak.codec import code_levels
from vaak.host import choose_device, choose_precision, keep_freed_memory
from vaak.mixture import PackedBatch, open_loader
from vaak.model.layers import recompute_layers
from vaak.model.open import create_model
from vaak.recipe import Length, Recipe, plan_recipe, split_batch
from vaak.train.optimizer import build_optimizer
from vaak.train.schedule import learning_rate
from vaak.train.stage import open_data
from vaak.train.step import Stepper


def measure_speed(recipe: Recipe, seconds: float = 5.0) -> float:
    """Positions (tokens of rows, padding included) a second of the recipe's training step on this machine.

    Real rows of the recipe's own plan through a fresh model: one round to warm up, then as many as fill `seconds` (at
    least two). A round is what is computed at once, one microbatch, or on a CPU one per core, with an optimizer update.
    Validation and checkpoints are not in it.
    """
    keep_freed_memory()
    batches = first_round(recipe)
    device = choose_device(recipe.device)
    data = open_data(recipe)
    model = create_model(recipe.model, data.vocabulary, recipe.seed, code_levels(recipe.codec)).to(device)
    recompute_layers(model, recipe.activation_checkpointing)
    precision = choose_precision(recipe.precision, device)
    optimizer = build_optimizer(model, recipe.optimizer, recipe.schedule.peak_lr, precision)
    stepper = Stepper(model, optimizer, recipe.optimizer.grad_clip, precision)
    rate = learning_rate(recipe.schedule, 0, 100)
    stepper.step(batches, rate)
    done, spent = 0, 0.0
    while spent < seconds or done < 2:
        began = time.perf_counter()
        stepper.step(batches, rate)
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent += time.perf_counter() - began
        done += 1
    return done * sum(batch.input_ids.size for batch in batches) / spent


def first_round(recipe: Recipe) -> Sequence[PackedBatch]:
    data = open_data(recipe)
    rows, microbatches = split_batch(recipe.rows_per_step, 1, recipe.microbatch_rows)
    count = 1 if choose_device(recipe.device).type == "cuda" else min(microbatches, torch.get_num_threads())
    with tempfile.TemporaryDirectory(prefix="vaak-speed-") as folder:
        plan = plan_recipe(
            recipe.model_copy(update={"length": Length(steps=1)}),
            data.corpora,
            tokenizer=data.tokenizer,
            vocabulary=data.vocabulary,
            cache_folder=Path(folder),
            excluded_ids=data.pack.excluded_ids if data.pack else (),
        )
        loader = open_loader(plan, data.corpora, data.vocabulary, data.tokenizer, microbatch_rows=rows)
        return list(islice(loader, count))
