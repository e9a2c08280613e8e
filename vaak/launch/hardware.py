"""The GPUs whose cost can be asked for, by their short names (hardware.yaml)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vaak.errors import BadInput

GIB = 1 << 30


@dataclass(frozen=True)
class Hardware:
    """`gpus` GPUs of one kind; what is None is the table's (`filled`). mfu: share of the peak that is reached, above 0 and at
    most 1; price_per_gpu_hour: in dollars."""

    gpu: str
    gpus: int
    mfu: float | None = None
    price_per_gpu_hour: float | None = None


@dataclass(frozen=True)
class Gpu:
    """One row of the table. memory_gib in 2^30 bytes; flops: a second, dense, bf16."""

    memory_gib: float
    flops: float
    mfu: float
    dollars_per_hour: float


@cache
def _table() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("hardware.yaml").read_text(encoding="utf-8"))


def gpu_names() -> list[str]:
    return list(_table()["gpus"])


def gpu_named(name: str) -> Gpu:
    """Raises `BadInput` for a name that is not in the table, with the nearest that is."""
    found = _table()["gpus"].get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), gpu_names(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"name one of {', '.join(gpu_names())}"
        raise BadInput(f"there is no GPU {name!r} in the table of costs; {hint}")
    return Gpu(**found)


def filled(hardware: Hardware) -> Hardware:
    """With the table's figures where none are given. Raises `BadInput` for an unknown GPU and for numbers that cannot be."""
    gpu = gpu_named(hardware.gpu)
    if hardware.gpus < 1:
        raise BadInput(f"{hardware.gpus} GPUs cannot train; give --gpus 1 or more")
    mfu = gpu.mfu if hardware.mfu is None else hardware.mfu
    if not 0 < mfu <= 1:
        raise BadInput(f"an MFU of {mfu:g} is impossible; give a share such as --mfu 0.4")
    price = gpu.dollars_per_hour if hardware.price_per_gpu_hour is None else hardware.price_per_gpu_hour
    if price < 0:
        raise BadInput(f"a price of {price:g} an hour is impossible; give dollars, such as --price 2.5")
    return replace(hardware, gpu=hardware.gpu.lower(), mfu=mfu, price_per_gpu_hour=price)


def room_for_tensors(gpu: Gpu) -> int:
    """Bytes of tensors that a GPU takes beside what is not tensors (`reserve_gib`, `fragmentation` of the table)."""
    return int((gpu.memory_gib - _table()["reserve_gib"]) * GIB / (1 + _table()["fragmentation"]))
