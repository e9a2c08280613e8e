"""Peak memory and seconds of training steps, each side alone in a process of its own: for benchmarks/step.py.

`python benchmarks/_step_memory.py JSON`, an object with the fields of `Case`; prints the fields of `Measured`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

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


@dataclass(frozen=True)
class Measured:
    """peak: of the whole process, or on a GPU of what torch allocated there, in bytes; built: what was held once model and
    batch were there; seconds: of the quickest step but the first; parameters, vocabulary: for the record."""

    peak: int
    built: int
    seconds: float
    parameters: int
    vocabulary: int


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


def measured_here(case: Case) -> Measured:
    """As `measured`, but in this process, whose peak may be older than the case."""
    import torch
    from _step_documents import filled_rows, padded_step
    from _step_sides import LR, PaddedLoop, own_stepper, plain_model, synchronise

    from vaak.grammar.vocabulary import Vocabulary
    from vaak.model.open import create_model
    from vaak.model.settings import ModelSettings
    from vaak.train.host import Precision, choose_device, keep_freed_memory

    device = choose_device("auto")
    precision: Precision = "bf16" if device.type == "cuda" else "fp32"
    vocabulary = Vocabulary(case.base_size, case.codebook, 0)
    if case.side == "vaak":
        keep_freed_memory()  # as its training loop does; the plain loop does not know of it
    model = create_model(ModelSettings(config=case.body), vocabulary, 1).to(device)
    batch = filled_rows(vocabulary, case.rows, case.context, 0)
    parameters = model.n_parameters
    if case.side == "vaak":
        stepper = own_stepper(model, precision)

        def step() -> float:
            return stepper.step([batch], LR).loss

    else:
        loop = PaddedLoop.of(plain_model(model), precision)
        del model
        microbatches = padded_step([batch], 1, 0, device)

        def step() -> float:
            return loop.step(microbatches)

    built = torch.cuda.memory_allocated() if device.type == "cuda" else _status("VmRSS")
    seconds = []
    for _ in range(case.steps):
        began = time.perf_counter()
        step()
        synchronise(device)
        seconds.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else _status("VmHWM")
    return Measured(peak, built, min(seconds[1:] or seconds), parameters, vocabulary.size)


if __name__ == "__main__":
    print(json.dumps(asdict(measured_here(Case(**json.loads(sys.argv[1]))))))
