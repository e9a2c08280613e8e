"""Starts this module, or a command, as several processes of one run, and what each of them then computes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.train.toy_stage import SFT, make_recipe
from vaak.mixture import open_loader
from vaak.model import create_model
from vaak.model.layers import recompute_layers
from vaak.recipe import OptimizerSettings, ParallelSettings, plan_recipe
from vaak.train.optimizer import build_optimizer, optimizer_tensors
from vaak.train.parallel import on_first_rank, parallelise
from vaak.train.stage import open_data
from vaak.train.step import Stepper, gradients
from vaak.train.validation import Validation
from vaak.train.world import World, joined

ROOT = Path(__file__).parents[2]
ROWS, MICROBATCH = 16, 2
SETTINGS = {
    "ddp": ParallelSettings(kind="ddp"),
    "fsdp": ParallelSettings(kind="fsdp"),
    "hsdp": ParallelSettings(kind="fsdp", shards=2),
}
OPTIMIZERS = {"adamw": OptimizerSettings(), "muon": OptimizerSettings(kind="muon")}


def start_ranks(size: int, *command: str, **variables: str) -> list[subprocess.Popen]:
    """`python command` as `size` processes with the variables that torchrun would set; their output is captured together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = []
    for rank in range(size):
        environment = os.environ | variables | {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        started.append(
            subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return started


def ended(started: list[subprocess.Popen], within: float = 120.0) -> list[tuple[int, str]]:
    """Exit code and output of each process; those that do not end in time are killed, and their code says so."""
    limit = time.monotonic() + within
    found = []
    for process in started:
        try:
            output, _ = process.communicate(timeout=max(limit - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        found.append((process.returncode, output))
    return found


def rows_of(toy: Path, cache: Path, world: World, microbatch: int, kind: str = "sft") -> tuple[Any, Any, list]:
    """Recipe, data and this rank's microbatches of the first global step."""
    recipe = make_recipe(toy, **(SFT if kind == "sft" else {}))
    data = open_data(recipe)
    plan = plan_recipe(
        recipe, data.corpora, tokenizer=data.tokenizer, vocabulary=data.vocabulary,
        cache_folder=cache / str(world.rank), excluded_ids=(),
    )  # fmt: skip
    loader = open_loader(
        plan,
        data.corpora,
        data.vocabulary,
        data.tokenizer,
        microbatch_rows=microbatch,
        rank=world.rank,
        world=world.size,
    )
    return recipe, data, list(islice(loader, ROWS // world.size // microbatch))


def first_gradients(toy: Path, cache: Path, world: World, settings: ParallelSettings, microbatch: int) -> dict:
    """Of the mean loss of a global step, in float32; on the first rank."""
    recipe, data, batches = rows_of(toy, cache, world, microbatch)
    model = create_model(recipe.model, data.vocabulary, recipe.seed)
    module = parallelise(model, settings, world, "fp32")
    loss, _ = gradients(model, batches, "fp32", module=module, world=world)
    found = on_first_rank(((name, p.grad) for name, p in model.named_parameters() if p.grad is not None), world)
    return found | {"loss": torch.tensor(loss), "targets": torch.tensor(sum(one.n_targets for one in batches))}


def after_steps(
    toy: Path, cache: Path, world: World, settings: ParallelSettings, microbatch: int, optimizer: str, steps: int = 5
) -> dict:
    """Parameters and moments after some steps over the same rows, in float64; on the first rank."""
    recipe, data, batches = rows_of(toy, cache, world, microbatch, "pretrain")
    model = create_model(recipe.model, data.vocabulary, recipe.seed).double()
    if optimizer == "adamw":
        recompute_layers(model, "full")
    module = parallelise(model, settings, world, "fp32")
    taken = build_optimizer(model, OPTIMIZERS[optimizer], 1e-3)
    if optimizer == "muon":
        taken._compute = torch.float64  # pyright: ignore[reportAttributeAccessIssue]
    stepper = Stepper(model, taken, 1.0, "fp32", world, module)
    norms = [stepper.step(batches, 1e-3).grad_norm for _ in range(steps)]
    found = on_first_rank(model.named_parameters(), world) | on_first_rank(
        optimizer_tensors(model, taken).items(), world
    )
    return found | {"norms": torch.tensor(norms, dtype=torch.float64)}


def validated(toy: Path, cache: Path, world: World, settings: ParallelSettings) -> dict[str, float]:
    """In-loop validation of a fresh model."""
    recipe, data, _ = rows_of(toy, cache, world, MICROBATCH)
    model = create_model(recipe.model, data.vocabulary, recipe.seed)
    module = parallelise(model, settings, world, "fp32")
    assert data.pack is not None
    validation = Validation(
        data.pack.ce, kind="pretrain", streams=("raw", "paired", "text"), context=recipe.context, vocabulary=data.vocabulary,
        tokenizer=data.tokenizer, rows=2,
    )  # fmt: skip
    return validation.measure(module, "fp32", world)


def main(toy: Path, out: Path) -> None:
    with joined("cpu") as world:
        kinds = [kind for kind in SETTINGS if kind != "hsdp" or world.size > 2]
        numbers = {}
        for kind in kinds:
            settings = SETTINGS[kind]
            found = {"gradients": first_gradients(toy, out, world, settings, MICROBATCH)}
            for optimizer in OPTIMIZERS:
                found[optimizer] = after_steps(toy, out, world, settings, MICROBATCH, optimizer)
            numbers[kind] = validated(toy, out, world, settings)
            for what, tensors in found.items():
                if world.is_first:
                    save_file(
                        {name: one.contiguous() for name, one in tensors.items()}, out / f"{kind}-{what}.safetensors"
                    )
        if world.is_first:
            (out / "validation.json").write_text(json.dumps(numbers))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
