"""Checkpoint folders as a reader sees them: which are there, which are complete, which can be trusted.

`<run>/checkpoints/step-00000100/` holds the model, in full ones what it needs to train on below `training/`, then
`MANIFEST.json` with the size and SHA-256 of every file, and, written last, `COMPLETE.json`. Without that last file a folder
is the remains of a save or of a removal and is never read. A full one may become a model-only one: `MODEL_ONLY.json` says
that `training/` is gone on purpose; the id stays, for the model is the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vaak.errors import BadInput
from vaak.storage.files import hash_json, read_json, sha256_file, write_json

MANIFEST, COMPLETE, MODEL_ONLY = "MANIFEST.json", "COMPLETE.json", "MODEL_ONLY.json"
# Tensors of the model, and, apart, what only training reads: the optimizer's and the random state.
MODEL, TRAINING = "model", "training"
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """id: `run/step/manifest hash`, empty while the checkpoint is incomplete. full: training can be resumed from it."""

    path: Path
    step: int
    id: str
    complete: bool
    full: bool


class CheckpointGone(BadInput):
    """A checkpoint is not where it was any more: it was removed, or another one of its step took its place."""


def checkpoints_folder(run: str | Path) -> Path:
    return Path(run) / "checkpoints"


def step_name(step: int) -> str:
    return f"step-{step:08d}"


def step_of(name: str) -> int | None:
    """The step of a checkpoint folder's name, or None if it is no such name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def step_folder(run: str | Path, step: int) -> Path:
    return checkpoints_folder(run) / step_name(step)


def list_checkpoints(run: str | Path) -> list[Checkpoint]:
    """All checkpoint folders of a run, by step; incomplete ones too. Nothing is hashed."""
    folder = checkpoints_folder(run)
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and path.is_dir() and not path.is_symlink():
            found.append(_checkpoint(path, int(match[1])))
    return sorted(found, key=lambda one: one.step)


def verify_checkpoint(folder: str | Path) -> list[str]:
    """What is wrong with a checkpoint, one sentence each; an empty list means that it can be trusted.

    Raises `BadInput` where the disk does not answer: that is not the same as damage.
    """
    folder = Path(folder)
    identity = _identity(folder)
    if not identity:
        return [f"{folder} has no readable {COMPLETE}: it was never finished, or its removal had begun"]
    try:
        manifest = read_json(folder / MANIFEST)
        files = [(str(f["path"]), int(f["size"]), str(f["sha256"])) for f in manifest["files"]]
        found = hash_json(manifest)
    except (BadInput, KeyError, TypeError, ValueError, RecursionError) as error:
        return [f"{folder / MANIFEST} cannot be read ({error})"]
    if identity.rsplit("/", 1)[-1] != found:
        return [f"{folder / MANIFEST} is not the one that {COMPLETE} names"]
    missing = what_lacks(name for name, _, _ in files)
    lacking = [f"{folder / MANIFEST} names no {missing}"] if missing else []
    if (folder / MODEL_ONLY).exists():
        files = [entry for entry in files if not entry[0].startswith(f"{TRAINING}/")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda entry: _problem(folder, *entry), files))
    return [problem for problem in [*problems, *_strangers(folder, files), *lacking] if problem]


def what_lacks(names: Iterable[str]) -> str:
    """What every checkpoint has and these files have not, or nothing."""
    named = set(names)
    lacking = [name for name in ("config.json", "vocabulary.json", "state.json") if name not in named]
    if not any(name.startswith(f"{MODEL}/") for name in named):
        lacking.append(f"{MODEL}/")
    return " and no ".join(lacking)


def newest_complete(
    run: str | Path, verify: bool = True, say: Callable[[str], None] | None = None, full: bool = False
) -> Checkpoint | None:
    """The newest complete checkpoint of a run, or None; with `full` the newest that training can be resumed from.

    With `verify` every file is hashed and a damaged checkpoint is passed over; `say` gets a sentence about it (by
    default it is a warning).
    """
    for one in reversed(list_checkpoints(run)):
        if not one.complete or (full and not one.full):
            continue
        problems = verify_checkpoint(one.path) if verify else []
        if not problems:
            return one
        sentence = f"passed over {one.path.name}: {'; '.join(problems)}"
        if say is not None:
            say(sentence)
        else:
            warnings.warn(sentence, stacklevel=2)
    return None


def find_checkpoint(path: str | Path) -> Checkpoint:
    """A checkpoint named by its own folder, or the newest good one of a run folder.

    Raises `BadInput` if there is none, or if the named one is damaged.
    """
    path = Path(path)
    match = _NAME.fullmatch(path.name)
    if match:
        problems = verify_checkpoint(path)
        if problems:
            raise BadInput(f"{path} cannot be used: {problems[0]}; use another step")
        return _checkpoint(path, int(match[1]))
    newest = newest_complete(path)
    if newest is None:
        raise BadInput(f"{path} holds no complete checkpoint; name a run folder or one of its checkpoints/step-…")
    return newest


def find_model(path: str | Path) -> tuple[str, Path]:
    """(id, folder) of a model to open: an export as it is, a checkpoint once verified, a run's newest good checkpoint.

    An export has no id of its own; it is named by the hash of its weights. Raises `BadInput` if there is no model.
    """
    path = Path(path)
    if (path / "model.safetensors").is_file() and not (path / MANIFEST).exists():
        return f"export/{sha256_file(path / 'model.safetensors')[:12]}", path
    found = find_checkpoint(path)
    return found.id, found.path


def load_state(folder: str | Path) -> dict[str, Any]:
    """What a checkpoint's state.json holds: step, next row, seeds, plan fingerprint, corpus ids and more."""
    return read_json(Path(folder) / "state.json")


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; `COMPLETE.json` goes first, so that a reader never trusts a half-removed one."""
    (folder / COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(folder)


def announce_model_only(folder: Path) -> None:
    write_json(folder / MODEL_ONLY, {"removed": TRAINING})


def make_model_only(folder: Path) -> None:
    """Take away what only training reads; that this was meant stands there first, so a kill between leaves it whole."""
    announce_model_only(folder)
    shutil.rmtree(folder / TRAINING, ignore_errors=True)


def _checkpoint(folder: Path, step: int) -> Checkpoint:
    identity = _identity(folder)
    full = (folder / TRAINING).is_dir() and not (folder / MODEL_ONLY).exists()
    return Checkpoint(folder, step, identity, bool(identity), full)


def distrust(folder: Path) -> None:
    """Take the mark of a damaged checkpoint away, so that retention does not count it; it stays as `DAMAGED.json`."""
    os.replace(folder / COMPLETE, folder / "DAMAGED.json")


def _identity(folder: Path) -> str:
    """Raises `BadInput` where the disk does not answer: that is not the same as an unfinished checkpoint."""
    try:
        identity = json.loads((folder / COMPLETE).read_bytes())["id"]
        return identity if isinstance(identity, str) else ""
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return ""
    except OSError as error:
        raise BadInput(
            f"{folder / COMPLETE} cannot be read ({error.strerror}); mend the disk, then run again"
        ) from error


def _strangers(folder: Path, files: list[tuple[str, int, str]]) -> list[str]:
    """Files among the tensors that the manifest does not name: they would be read as parts of the model."""
    named = {name for name, _, _ in files}
    found = (path for part in (MODEL, TRAINING) for path in sorted((folder / part).glob("*")))
    strangers = [path.relative_to(folder).as_posix() for path in found]
    removed = (folder / MODEL_ONLY).exists()
    return [
        f"{name} is not in {MANIFEST}"
        for name in strangers
        if name not in named and not (removed and name.startswith(f"{TRAINING}/"))
    ]


def _problem(folder: Path, name: str, size: int, digest: str) -> str:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        return f"{MANIFEST} names {name}, which is outside the checkpoint"
    path = folder / relative
    if any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(folder) and part != folder):
        return f"{name} is a link"
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != size:
        return f"{name} has {path.stat().st_size} bytes instead of {size}"
    return "" if sha256_file(path) == digest else f"{name} does not have the content that was saved"
