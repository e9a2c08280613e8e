"""The one checkpoint that a sidecar has fetched from storage: its model in a folder that lasts as long as it speaks."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vaak.checkpoint import fetch_model
from vaak.errors import BadInput
from vaak.evaluate.turns import Stopped
from vaak.storage.files import room_on_disk
from vaak.storage.locks import lock_file, unlock
from vaak.storage.objects import StorageFailed

# Beside the results database; each checkpoint there is a run folder of its own with one step.
FOLDER = "fetched"


@contextmanager
def fetched(
    url: str, step: int, identity: str, results_folder: Path, stop: Callable[[], bool] = lambda: False
) -> Iterator[Path]:
    """The folder of a checkpoint's model while the block runs, fetched from the address of its run to `results_folder/fetched`.

    The folder is removed at the end. After a stop, or when storage broke off, it stays and the next call continues it; what
    a kill left of other checkpoints is removed first. So there is one model on the disk for each sidecar of this machine.
    Raises what `fetch_model` raises, `BadInput` while another process fetches the same one, and `Stopped` when `stop` turned
    true.
    """
    staging = results_folder / FOLDER
    folder = staging / _name(identity)
    with room_on_disk(staging):
        staging.mkdir(parents=True, exist_ok=True)
        _remove_left(staging, folder)
        lock = lock_file(_lock_of(folder), exclusive=True, wait=False, create=True)
    if lock is None:
        raise BadInput(f"{folder} is being fetched by another process; let it end")

    def progress(done: float, total: float, unit: str) -> None:
        if stop():
            raise Stopped

    try:
        yield fetch_model(url, step, identity, folder, progress)
        shutil.rmtree(folder)
    except (Stopped, StorageFailed):
        raise
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        if not folder.exists():
            _lock_of(folder).unlink(missing_ok=True)
        unlock(lock)


def _remove_left(staging: Path, wanted: Path) -> None:
    """Remove what no living process holds, but for the folder that is wanted now."""
    for lock in sorted(staging.glob("*.lock")):
        folder = lock.with_suffix("")
        if folder == wanted:
            continue
        handle = lock_file(lock, exclusive=True, wait=False)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            unlock(handle)


def _lock_of(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.lock"


def _name(identity: str) -> str:
    """A file name for a checkpoint: its run and step to be read, and a hash, so that no two meet."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return re.sub(r"[^\w-]", "_", "-".join(identity.split("/")[:2]))[:80] + f"-{digest}"
