"""Peak bytes of tensors in a real training step on a CPU, by the allocator's own events: what benchmarks/cost.py compares with.

Nothing of the estimate is in here but the description of the step. `python benchmarks/_cost_run.py JSON` prints the number;
`measured` runs it, in as many processes as the step has ranks.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from vaak.grammar.vocabulary import Vocabulary
from vaak.launch.cost_memory import TracedStep, full_rows
from vaak.mixture import PackedBatch
from vaak.model.layers import recompute_layers
from vaak.model.open import create_model
from vaak.model.settings import ModelSettings
from vaak.recipe import OptimizerSettings, ParallelSettings
from vaak.train.optimizer import build_optimizer
from vaak.train.parallel import parallelise
from vaak.train.step import Stepper
from vaak.train.world import World, joined

_SECOND = "second step"


def measured(step: TracedStep) -> int:
    """The largest of all ranks: the most bytes that PyTorch's CPU allocator had given out and not got back in a run's second step."""
    if step.lora is not None or step.path != "cpu":
        raise ValueError("measured are steps on a CPU, without LoRA")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(step.ranks):
        world = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": step.ranks,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        environment = {**os.environ, **{name: str(value) for name, value in world.items()}}
        command = [sys.executable, __file__, json.dumps(_described(step))]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    found = [process.communicate(timeout=300) for process in processes]
    for process, (_, errors) in zip(processes, found, strict=True):
        if process.returncode:
            raise RuntimeError(f"the step could not be measured: {errors[-2000:]}")
    return max(int(out.splitlines()[-1]) for out, _ in found)


def _described(step: TracedStep) -> dict:
    fields = {
        name: getattr(step, name) for name in ("config", "rows", "documents", "accumulation", "ranks", "precision")
    }
    settings = {"optimizer": step.optimizer.model_dump(), "parallel": step.parallel.model_dump()}
    return {**fields, **settings, "checkpointing": step.checkpointing, "vocabulary": asdict(step.vocabulary)}


def _read(text: str) -> TracedStep:
    fields = json.loads(text)
    fields["vocabulary"] = Vocabulary(**fields["vocabulary"])
    fields["optimizer"], fields["parallel"] = (
        OptimizerSettings(**fields["optimizer"]),
        ParallelSettings(**fields["parallel"]),
    )
    return TracedStep(**{**fields, "documents": tuple(fields["documents"]), "path": "cpu"})


def _batches(step: TracedStep, seed: int) -> list[PackedBatch]:
    """Microbatches of random ids."""
    random = np.random.default_rng(seed)
    found = [full_rows(step.rows, step.documents) for _ in range(step.accumulation)]
    for batch in found:
        batch.input_ids[:] = random.integers(0, step.vocabulary.size, batch.input_ids.shape)
        batch.labels[batch.labels >= 0] = random.integers(0, step.vocabulary.size, batch.n_targets)
    return found


def _take_steps(step: TracedStep, world: World) -> None:
    """What a run does on a CPU, one microbatch at a time, and its second step marked."""
    model = create_model(ModelSettings(config=step.config), step.vocabulary, 0)
    module = parallelise(model, step.parallel, world, step.precision)
    recompute_layers(model, step.checkpointing)
    optimizer = build_optimizer(model, step.optimizer, 1e-4, step.precision)
    stepper = Stepper(model, optimizer, step.optimizer.grad_clip, step.precision, world, module)
    stepper.step(_batches(step, 1), 1e-4)
    batches = _batches(step, 2)
    with record_function(_SECOND):
        stepper.step(batches, 1e-4)


def measured_here(step: TracedStep) -> int:
    torch.set_num_threads(1)  # so many lanes
    with joined("cpu") as world, profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        _take_steps(step, world)
    found = profiler.profiler.kineto_results.events()  # pyright: ignore[reportOptionalMemberAccess]
    events = sorted(found, key=lambda one: one.start_ns())
    held = peak = 0
    inside = False
    for event in events:
        inside = inside or event.name() == _SECOND
        if event.name() == "[memory]":
            held += event.nbytes()  # pyright: ignore[reportAttributeAccessIssue]
            peak = max(peak, held) if inside else 0
    return peak


if __name__ == "__main__":
    print(measured_here(_read(sys.argv[1])))
