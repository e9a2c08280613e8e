"""Small real runs to publish, and what is downloaded of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import obstore
import torch

from vaak.checkpoint import Checkpoint, save_checkpoint
from vaak.storage.files import list_files
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
