"""The model of a published checkpoint, fetched to be read once: without what only training reads, and without touching a run."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from vaak.checkpoint.folder import TRAINING, CheckpointGone, step_folder
from vaak.checkpoint.pull import download_content, lease_if_allowed
from vaak.checkpoint.remote import list_remote, read_content, step_address
from vaak.errors import BadInput
from vaak.storage.objects import StorageFailed, list_objects, open_objects
from vaak.storage.transfer import JOBS, Progress, unwritable


def fetch_model(
    url: str, step: int, identity: str, into: str | Path, progress: Progress | None = None, jobs: int = JOBS
) -> Path:
    """Fetch the model of the checkpoint `identity` from the address of its run; its folder `into/checkpoints/step-NNNNNNNN`.

    It has the id that it has there, and every file the hash of its manifest. Called again it continues. While it travels a
    lease at the address keeps it, if the credentials allow that. Whoever fetches one folder at a time holds its lock.
    Raises `CheckpointGone`; `BadInput` for a checkpoint that is damaged there and a disk without room; `StorageFailed` if
    the service does not answer. What `progress` raises ends the transfer and is raised.
    """
    remote, folder = step_address(url, step), step_folder(into, step)
    with ExitStack() as held:
        lease_if_allowed(held, url, step, "evaluate")
        try:
            there = list_objects(open_objects(remote))
            content = read_content(remote, step, there)
            if content.id == identity:
                model = [one for one in content.entries if not one.path.startswith(f"{TRAINING}/")]
                content = replace(content, full=False, reduced=content.full or content.reduced, entries=model)
                download_content(remote, there, content, folder, progress, jobs)
                return folder
        except OSError as error:
            raise unwritable(error, Path(into)) from error
        except StorageFailed:
            raise
        except BadInput:
            if _is_there(url, step, identity):
                raise
    raise CheckpointGone(f"{remote} was removed or replaced before it was fetched")


def _is_there(url: str, step: int, identity: str) -> bool:
    """Whether the checkpoint is still complete: what went wrong with it then is damage, and no removal."""
    return any(one.complete and one.step == step and one.id == identity for one in list_remote(url))
