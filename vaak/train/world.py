"""The processes of one training run: which one this is, and the few numbers that they tell each other.

Numbers of the host go through gloo, whatever the device, so asking for them never waits for a GPU.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from vaak.errors import BadInput
from vaak.host import choose_device

# How long a rank waits for another one in a collective; planning over a large corpus happens on the first rank alone.
PATIENCE = timedelta(hours=2)
_GLOO_THREAD = "pt_gloo_runloop"


@dataclass(frozen=True)
class World:
    """rank of size processes, this one computing on `device`; `local_rank` counts within its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def total(self, numbers: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Element by element the sum over all ranks, which all call this with equally many numbers."""
        found = torch.from_numpy(np.array(numbers, np.float64))
        if self.size > 1:
            dist.all_reduce(found)
        return found.numpy()

    def any(self, flag: bool) -> bool:
        """Whether some rank says yes; all must ask."""
        return bool(self.total([float(flag)])[0]) if self.size > 1 else flag

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            self.total([0.0])

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """The first rank runs the block alone; the others follow once it is through and find what it wrote."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()


@contextmanager
def joined(wanted_device: str = "auto") -> Iterator[World]:
    """The world that torchrun's variables (RANK, WORLD_SIZE, LOCAL_RANK) describe; without them this process alone.

    Every process reaches the same number of threads and ranks by these variables, so a launcher that sets them is all that is
    needed. Raises `BadInput` for a device that is not there.
    """
    size = _number("WORLD_SIZE", "1")
    if size == 1:
        yield World(device=choose_device(wanted_device))
        return
    local = _number("LOCAL_RANK", "0")
    device = choose_device(wanted_device, local)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise BadInput(f"WORLD_SIZE is {size} but {missing[0]} is not set; start the processes with torchrun")
    if _number("TORCHELASTIC_RESTART_COUNT", "0") and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise BadInput(
            "torchrun has started the processes again with the store of those that are gone; set "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 and start it again, it continues"
        )
    if _number("RANK", "0") >= size:
        raise BadInput(f"RANK is {os.environ['RANK']} of WORLD_SIZE {size}; start the processes with torchrun")
    atexit.unregister(_let_go)
    atexit.register(_let_go)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), size, local, device)
    finally:
        dist.destroy_process_group()


def _let_go() -> None:
    """At the end of the process: until no thread of gloo holds a tensor any more, or two seconds.

    Such a thread lets go of the tensors of a collective a little after that is over, and takes Python's lock for it. If the
    interpreter is being taken down by then, the process is aborted and a run that is done looks failed (PyTorch 2.13 with
    Python before 3.14; pytorch/pytorch issue 190489). Not every group's threads end with it: DDP and DTensor keep some.
    """
    idle, end = 0, time.monotonic() + 2.0
    while idle < 3 and time.monotonic() < end:
        time.sleep(0.01)  # the lock is free meanwhile
        idle = 0 if _gloo_at_work() else idle + 1


def _gloo_at_work() -> bool:
    """Whether a thread of gloo runs or wants to. False where the system does not say."""
    for stat in Path("/proc/self/task").glob("*/stat"):
        with suppress(OSError):  # that thread has just ended
            name, _, state = stat.read_text().partition("(")[2].partition(") ")
            if name == _GLOO_THREAD and not state.startswith("S"):
                return True
    return False


def _number(name: str, default: str) -> int:
    value = os.environ.get(name, default)
    if not value.isdecimal() or (name == "WORLD_SIZE" and value == "0"):
        raise BadInput(f"the variable {name} is {value!r}, which is no number of processes; start them with torchrun")
    return int(value)
