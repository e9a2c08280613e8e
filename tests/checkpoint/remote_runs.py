"""Small real runs to publish, what is recorded and what is downloaded of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import obstore
import torch

from vaak.checkpoint import Checkpoint, list_checkpoints, save_checkpoint
from vaak.checkpoint.outbox import read_records
from vaak.storage.files import list_files, write_json
from vaak.storage.objects import list_objects, open_objects


class Kept(NamedTuple):
    """A policy."""

    intervals: tuple[tuple[int, int], ...] = ((10, 10),)
    model_only_every: int | None = None
    milestones: int | None = None
    keep_last_full: int = 2
    keep_last_model_only: int = 1


def save(run: Path, step: int, model, value: float | None = None, numbers: int = 3) -> Checkpoint:
    """A full checkpoint; `numbers` of 4 bytes make its training part."""
    moments = {"exp_avg/w": torch.full((numbers,), float(step if value is None else value))}
    return save_checkpoint(run, step, model, state={"step": step}, tensors=moments, files={"recipe.yaml": b"name: x\n"})


def stored(url: str) -> dict[str, bytes]:
    """Every object at an address, downloaded."""
    objects = open_objects(url)
    return {path: bytes(obstore.get(objects.store, path).bytes()) for path in list_objects(objects)}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in list_files(folder)}


def done(run: Path) -> None:
    last = list_checkpoints(run)[-1]
    write_json(run / "DONE.json", {"checkpoint": last.id, "folder": last.path.name, "step": last.step})


def states(run: Path, kind: str = "full") -> dict[int, str]:
    return {one.step: one.state for one in read_records(run) if one.kind == kind}


def until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
