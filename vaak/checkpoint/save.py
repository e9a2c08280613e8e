"""Writing a checkpoint so that it is either whole or not there, and reading its tensors back.

Tensors are stored as safetensors and everything else as JSON or YAML: loading runs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vaak.checkpoint.folder import COMPLETE, MANIFEST, Checkpoint, remove_checkpoint, step_folder
from vaak.errors import BadInput
from vaak.model.open import save_model
from vaak.model.speech_lm import SpeechLM
from vaak.storage.files import hash_folder, hash_json, write_bytes, write_json

OPTIMIZER = "optimizer.safetensors"


def save_checkpoint(
    run: str | Path,
    step: int,
    model: SpeechLM,
    *,
    state: Mapping[str, Any],
    weights: Mapping[str, Tensor] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Checkpoint:
    """Save `<run>/checkpoints/step-NNNNNNNN/` and return it once it is complete.

    state: plain JSON values, saved as state.json; weights: those of the model by name where they are not its own (cut among
    processes, or merged from parts); tensors: the optimizer's moments and the random state by name, saved
    as optimizer.safetensors; files: further files by name (recipe.yaml, tokenizer.json).
    A folder of that step left by an unfinished or damaged save is removed first. `COMPLETE.json` is written last,
    after every file is on disk and its hash in the manifest.
    """
    folder = step_folder(run, step)
    if folder.exists():
        remove_checkpoint(folder)
    folder.mkdir(parents=True)
    save_model(model, folder, weights)
    if tensors is not None:
        _write_tensors(folder / OPTIMIZER, tensors)
    for name, content in (files or {}).items():
        write_bytes(folder / name, content)
    write_json(folder / "state.json", dict(state))
    _read_back(folder, tensors)
    manifest = {"run": Path(run).resolve().name, "step": step, "files": hash_folder(folder)}
    write_json(folder / MANIFEST, manifest)
    identity = f"{manifest['run']}/{step}/{hash_json(manifest)}"
    write_json(folder / COMPLETE, {"id": identity})
    return Checkpoint(folder, step, identity, True)


def load_tensors(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of a full checkpoint by name. Raises `BadInput` if it holds weights alone or the file is damaged."""
    path = Path(folder) / OPTIMIZER
    if not path.is_file():
        raise BadInput(f"{folder} holds no optimizer state; start a new run from it with --parent instead of resuming")
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own error type for a damaged file
        raise BadInput(f"{path} is damaged ({error}); use another checkpoint") from error


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read_back(folder: Path, tensors: Mapping[str, Tensor] | None) -> None:
    """Open what was written: a file that cannot be read must be found now, while the run still has its state."""
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        if not list(file.keys()):
            raise OSError(f"{folder / 'model.safetensors'} reads back empty")
    if tensors is not None:
        with safe_open(folder / OPTIMIZER, framework="pt") as file:
            missing = set(tensors) - set(file.keys())
            if missing:
                raise OSError(f"{folder / OPTIMIZER} reads back without {sorted(missing)[0]}")
