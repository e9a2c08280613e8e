"""Milestones of a run on the Hugging Face Hub: the model of a checkpoint, its tokenizer and card; never what only training reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vaak.checkpoint.export import ExportType, export_checkpoint
from vaak.checkpoint.folder import Checkpoint, checkpoints_folder, find_checkpoint, list_checkpoints, step_name
from vaak.checkpoint.leases import lease
from vaak.errors import BadInput
from vaak.storage.files import room_on_disk
from vaak.storage.hub import Release, publish_folder
from vaak.storage.locks import lock_file, unlock


def publish_milestone(
    checkpoint_folder: str | Path,
    repo_id: str,
    notes: str | None = None,
    *,
    work_folder: str | Path,
    dtype: ExportType | None = None,
) -> str:
    """Export a checkpoint's model and publish it as one commit with the tag `step-NNNNNNNN`; returns the tag's address.

    repo_id: `owner/name`; made, private, if it is not there. notes: what an evaluation found, as Markdown for the model card.
    work_folder: where the export lies meanwhile; it is removed in the end. dtype: as of `export_model`.

    A checkpoint that is published already is not exported again. After a failure or a kill the same call finishes what is
    missing. Raises `BadInput` where the same call would fail again: a damaged checkpoint, no token or right, a tag of another
    checkpoint's; and `StorageFailed`, which is one of them, where it may succeed later.
    """
    source = _named(Path(checkpoint_folder))
    run = source.id.split("/")[0]
    release = Release(source.id, f"{run}, step {source.step}: {source.id}", step_name(source.step))
    with _place(Path(work_folder), f"{repo_id.replace('/', '--')}-{release.tag}") as out:

        def exported() -> Path:
            with ExitStack() as while_read:
                if source.path.parent.name == checkpoints_folder("").name:
                    while_read.enter_context(lease(source.path.parent.parent, source.step, "publish"))
                return export_checkpoint(find_checkpoint(source.path), out, dtype, notes)

        return publish_folder(repo_id, release, exported)


def _named(path: Path) -> Checkpoint:
    """The checkpoint of a folder; in a run's folder nothing is hashed yet."""
    known = (one for one in list_checkpoints(path.parent.parent) if one.complete and one.path == path)
    return next(known, None) or find_checkpoint(path)


@contextmanager
def _place(work: Path, name: str) -> Iterator[Path]:
    """A folder that is not there yet and is removed in the end; what a kill left of it goes first."""
    with room_on_disk(work):
        work.mkdir(parents=True, exist_ok=True)
        lock = lock_file(work / f"{name}.lock", exclusive=True, wait=False, create=True)
    if lock is None:
        raise BadInput(f"{work / name} is being published by another process; let it end")
    try:
        shutil.rmtree(work / name, ignore_errors=True)
        yield work / name
    finally:
        shutil.rmtree(work / name, ignore_errors=True)
        (work / f"{name}.lock").unlink(missing_ok=True)
        unlock(lock)
