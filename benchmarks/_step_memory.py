"""Peak memory of training steps, each side alone in a process of its own: for benchmarks/step.py.

`python benchmarks/_step_memory.py JSON`, an object with the fields of `Case`; prints the fields of `Measured`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from _step_documents import filled_rows, padded_step
from _step_sides import LR, PaddedLoop, own_stepper, plain_model

from vaak.grammar.vocabulary import Vocabulary
from vaak.host import Precision, choose_device, keep_freed_memory
from vaak.model.flops import training_flops
from vaak.model.open import create_model
from vaak.model.settings import ModelSettings
from vaak.model.speech_lm import SpeechLM

MB = 1 << 20


@dataclass(frozen=True)
class Case:
    """`steps` optimizer steps of one microbatch of `rows` rows, each filled by one document; codebook plus base ids and
    four control tokens is the vocabulary."""

    side: Literal["vaak", "padded"]
    body: dict[str, Any]
    base_size: int
    codebook: int
    context: int
    rows: int = 1
    steps: int = 2

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.base_size, self.codebook, 0)

    @property
    def flops(self) -> int:
        """Model FLOPs of a step."""
        config = SimpleNamespace(**self.body)
        return training_flops(config, self.vocabulary.size, [self.context] * self.rows, self.rows * (self.context - 1))


@dataclass(frozen=True)
class Measured:
    """Of the whole process, or on a GPU of what torch allocated there, in bytes. peak: until the first optimizer step, so of
    weights, activations, losses and gradients; with_moments: of whole steps; built: what was held once model and batch were
    there."""

    peak: int
    with_moments: int
    built: int
    parameters: int


def measured(case: Case) -> Measured:
    """Runs a case in a fresh process."""
    command = [sys.executable, str(Path(__file__)), json.dumps(asdict(case))]
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(f"the memory of {case.side} could not be measured: {out.stderr[-2000:]}")
    return Measured(**json.loads(out.stdout.splitlines()[-1]))


def _status(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def ready(case: Case) -> tuple[Callable[[], float], SpeechLM, torch.optim.Optimizer]:
    """A function that takes one step of a case and returns its loss, the model that the case began with, and the optimizer."""
    device = choose_device("auto")
    precision: Precision = "bf16" if device.type == "cuda" else "fp32"
    model = create_model(ModelSettings(config=case.body), case.vocabulary, 1).to(device)
    batch = filled_rows(case.vocabulary, case.rows, case.context, 0)
    if case.side == "vaak":
        stepper = own_stepper(model, precision)
        return lambda: stepper.step([batch], LR).loss, model, stepper.optimizer
    loop = PaddedLoop.of(plain_model(model), precision)
    microbatches = padded_step([batch], 1, 0, device)
    return lambda: loop.step(microbatches), model, loop.optimizer


def measured_here(case: Case) -> Measured:
    """As `measured`, but in this process, whose peak may be older than the case."""
    if case.side == "vaak":
        keep_freed_memory()  # as its training loop does; the plain loop does not know of it
    step, model, optimizer = ready(case)
    parameters, on_gpu = model.n_parameters, model.device.type == "cuda"
    del model  # the plain loop has a copy of its own
    built = torch.cuda.memory_allocated() if on_gpu else _status("VmRSS")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    peaks: list[int] = []
    noted = optimizer.register_step_pre_hook(lambda *_: peaks.append(_peak(on_gpu)))
    for _ in range(case.steps):
        step()
    noted.remove()
    return Measured(peaks[0], _peak(on_gpu), built, parameters)


def _peak(on_gpu: bool) -> int:
    return torch.cuda.max_memory_allocated() if on_gpu else _status("VmHWM")


if __name__ == "__main__":
    print(json.dumps(asdict(measured_here(Case(**json.loads(sys.argv[1]))))))
