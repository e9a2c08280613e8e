"""Named tensors in a folder, whole or cut among processes, through PyTorch's distributed checkpoints (DCP) as safetensors.

Each process writes what it holds to a file of its own, `shard-00001-model-00001-of-00001.safetensors` for the first one; where
a part belongs in its tensor stands in that file's header. Any number of processes reads it back. Nothing is pickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from vaak.errors import BadInput


def write_tensors(folder: Path, tensors: Mapping[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
    """Write this process's part of the tensors; with a group all of its processes call this and end together.

    What all of them hold is written once. Every file is synced. Raises `OSError` on all of them if it failed on one.
    """
    with _plainly(f"{folder} could not be written"):
        writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
        save(dict(tensors), storage_writer=writer, process_group=group, no_dist=group is None)


def written_by(rank: int, folder: Path) -> list[Path]:
    """The files of one process below a folder that `write_tensors` filled; it may have none."""
    return sorted(folder.glob(f"shard-{rank + 1:05d}-*.safetensors"))


def read_tensors(folder: str | Path, wanted: Callable[[str], bool] = lambda _: True) -> dict[str, Tensor]:
    """The whole tensors of a folder by name, in memory of the host. Raises `BadInput` for a damaged one."""
    with _as_bad_input(folder):
        described = _described(folder)
        empty = {name: torch.empty(one.size, dtype=one.properties.dtype) for name, one in described.items()}
    return fill_tensors(folder, {name: tensor for name, tensor in empty.items() if wanted(name)})


def shapes_of(folder: str | Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the whole tensors of a folder by name; no tensor is read. Raises `BadInput` for a damaged one."""
    with _as_bad_input(folder):
        return {name: tuple(one.size) for name, one in _described(folder).items()}


def fill_tensors(folder: str | Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fill tensors, each whole or this process's part of it, with what the folder holds under their names; returns them.

    Only what is needed of the files is read. Raises `BadInput` for a name that is not there and for a damaged file.
    """
    if not tensors:
        return tensors
    with _as_bad_input(folder):
        load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
    return tensors


def _described(folder: str | Path) -> dict[str, TensorStorageMetadata]:
    found: dict[str, Any] = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    return found


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    """DCP's own exception is no `Exception` and holds one for each process: the first is said."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            yield
    except CheckpointException as error:
        rank, (cause, _) = next(iter(error.failures.items()))
        raise OSError(getattr(cause, "errno", None), f"{what} by process {rank}: {cause}") from cause


@contextmanager
def _as_bad_input(folder: str | Path) -> Iterator[None]:
    try:
        with _plainly(f"{folder} could not be read"):
            yield
    except Exception as error:  # safetensors raises its own error type for a damaged file
        raise BadInput(f"{folder} is damaged ({' '.join(str(error).split())}); use another checkpoint") from error
