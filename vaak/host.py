"""What a run decides once about the machine that it is on."""

from __future__ import annotations

import ctypes
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from vaak.errors import BadInput

Precision = Literal["bf16", "fp32"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let glibc keep what is freed instead of giving it back to the kernel; elsewhere nothing happens.

    Activations of a few megabytes are allocated and freed thousands of times a step, and each time the kernel would
    map and clear their pages anew: an RMSNorm over 1,024 x 256 took 1.0 ms with this and 2.5 ms without.
    """
    set_malloc_thresholds(1 << 30, (1 << 31) - 1)


def set_malloc_thresholds(mapped: int, trimmed: int) -> None:
    """What glibc's malloc maps for itself and gives back when it is freed, and how much free it leaves at the heap's end, in
    bytes from which on; with another libc nothing happens."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, mapped)
    mallopt(_M_TRIM_THRESHOLD, trimmed)


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """`bf16` or `fp32`; `auto` is decided by hardware on a GPU and by a small matrix product on a CPU.

    Some CPUs multiply bfloat16 five times as fast as float32, others emulate it a hundred times slower.
    Raises `BadInput` where bf16 is asked of a GPU that has none.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "fp32" if wanted == "fp32" else "bf16"
        if wanted == "bf16":
            raise BadInput("this GPU does not compute in bf16; set precision to fp32 or auto")
        return "fp32"
    if wanted == "auto":
        return "bf16" if 1.2 * _product_seconds(torch.bfloat16) < _product_seconds(torch.float32) else "fp32"
    return "bf16" if wanted == "bf16" else "fp32"


def compute_in(precision: Precision, device: torch.device) -> AbstractContextManager:
    """The context in which forward passes run: bf16 products over float32 parameters, or plain float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def choose_device(wanted: str = "auto", local_rank: int = 0) -> torch.device:
    """The GPU of a process of this machine, or the CPU where there is none or it is wanted.

    Raises `BadInput` if a GPU is wanted and there is none for this process.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise BadInput("the recipe wants device: cuda and this machine has no GPU that torch can use; set device=auto")
    if local_rank >= torch.cuda.device_count():
        raise BadInput(
            f"process {local_rank} of this machine has no GPU of its own, there are {torch.cuda.device_count()}; start "
            "as many processes as GPUs"
        )
    return torch.device("cuda", local_rank)


def _product_seconds(dtype: torch.dtype, size: int = 512, tries: int = 8) -> float:
    """The quickest of some products of two square matrices: on a busy machine most of them wait for a processor."""
    left, right = torch.ones(size, size, dtype=dtype), torch.ones(size, size, dtype=dtype)
    seconds = []
    for _ in range(tries):
        began = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - began)
    return min(seconds)
