"""A published checkpoint back into a run folder, so that training continues there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vaak.checkpoint.claim import adopt_address, run_of
from vaak.checkpoint.folder import (
    COMPLETE,
    MANIFEST,
    MODEL,
    MODEL_ONLY,
    TRAINING,
    Checkpoint,
    list_checkpoints,
    step_folder,
    step_name,
    verify_checkpoint,
)
from vaak.checkpoint.leases import lease
from vaak.checkpoint.outbox import PUBLISHED, Record, now, write_record
from vaak.checkpoint.remote import RemoteContent, list_remote, read_content, split_address, step_address
from vaak.errors import BadInput
from vaak.storage.files import write_bytes, write_json
from vaak.storage.locks import only_one
from vaak.storage.objects import ObjectState, StorageFailed, list_objects, open_objects
from vaak.storage.transfer import JOBS, Moved, Progress, download_files, unwritable


@dataclass(frozen=True)
class Pulled:
    """The checkpoint that is whole in the run folder now, and what had to travel for it.

    leased: a lease kept it at the address meanwhile; without the right to write there it is read without one.
    """

    id: str
    path: Path
    full: bool
    files: int
    bytes: int
    moved: Moved
    leased: bool


def pull_checkpoint(url: str, run: str | Path, progress: Progress | None = None, jobs: int = JOBS) -> Pulled:
    """Download a checkpoint into `RUN/checkpoints/`, every file against its hash, `COMPLETE.json` last.

    url: of a run (its newest complete checkpoint) or of one `…/checkpoints/step-NNNNNNNN`. Called again it continues, and
    restores files that are damaged. The checkpoint's recipe.yaml is put into RUN if there is none.
    Raises `BadInput` if there is no complete checkpoint, if it names what would be outside its folder, for a folder that
    holds another run or another checkpoint of that step, or that another process trains or pulls in, and what
    `download_files` raises.
    """
    run = Path(run)
    address, step = split_address(url)
    if step is None:
        complete = [one for one in list_remote(address) if one.complete]
        if not complete:
            raise BadInput(f"{address} holds no complete checkpoint; publish one there, or correct the address")
        step = complete[-1].step
    with ExitStack() as held:
        leased = lease_if_allowed(held, address, step)
        remote = step_address(address, step)
        there = list_objects(open_objects(remote))
        content = read_content(remote, step, there)
        _refuse_another(run, step, content)
        try:
            run.mkdir(parents=True, exist_ok=True)
            refused = f"{run} is being trained or pulled into by another process; wait for it, or name another folder"
            with only_one(run / ".lock", refused), _held_here(run, step):  # the lock that training holds
                moved = download_content(remote, there, content, step_folder(run, step), progress, jobs)
                _put_recipe(run, step_folder(run, step))
                with suppress(BadInput):  # it may be another's mark: what was asked for is here anyhow
                    adopt_address(open_objects(address), run)
                if content.full:  # a publisher of this folder knows then that it brings nothing new
                    write_record(
                        run, Record("full", address, content.id, step, PUBLISHED, now(), where=remote, ended=now())
                    )
        except OSError as error:
            raise unwritable(error, run) from error
    size = sum(one.size for one in content.entries)
    return Pulled(content.id, step_folder(run, step), content.full, len(content.entries), size, moved, leased)


def lease_if_allowed(held: ExitStack, address: str, step: int, purpose: str = "pull") -> bool:
    """Take a lease until `held` is left. Who may only read reads without: every file is checked against its hash anyhow."""
    try:
        held.enter_context(lease(address, step, purpose))
    except StorageFailed:
        raise
    except BadInput:
        return False
    return True


def download_content(
    remote: str,
    there: dict[str, ObjectState],
    content: RemoteContent,
    folder: Path,
    progress: Progress | None,
    jobs: int,
) -> Moved:
    """Download what `content` consists of into a folder RUN/checkpoints/step-NNNNNNNN, its mark last, and verify it there."""
    held = _held(folder)  # before it changes: what is full and complete here stays so
    folder.mkdir(parents=True, exist_ok=True)
    moved = download_files(open_objects(remote), folder, content.entries, there, progress, jobs)
    if held is None or not held.full:
        named = {one.path for one in content.entries}
        for path in [*(folder / MODEL).glob("*"), *(folder / TRAINING).glob("*")]:
            if path.is_file() and path.relative_to(folder).as_posix() not in named:
                path.unlink()  # the remains of a save that was cut off
        if content.full:
            (folder / MODEL_ONLY).unlink(missing_ok=True)
        elif content.reduced:
            write_json(folder / MODEL_ONLY, {"removed": TRAINING})
    write_bytes(folder / MANIFEST, content.manifest)
    write_bytes(folder / COMPLETE, content.complete)
    problems = verify_checkpoint(folder)
    if problems:
        (folder / COMPLETE).unlink()
        raise BadInput(f"{folder} is not whole after it was pulled: {problems[0]}; pull it again")
    return moved


def _held(folder: Path) -> Checkpoint | None:
    """The complete checkpoint that is in a folder already."""
    found = [one for one in list_checkpoints(folder.parent.parent) if one.complete and one.path.name == folder.name]
    return found[0] if found else None


def _refuse_another(run: Path, step: int, content: RemoteContent) -> None:
    """What is in the run folder must be the same run's, and of that step the same checkpoint or none."""
    folder = step_folder(run, step)
    links = [path for path in (folder, *sorted(folder.rglob("*"))) if path.is_symlink()]
    if links:
        raise BadInput(f"{links[0]} is a link, and nothing is written through it; remove it, or name a new run folder")
    complete = [one for one in list_checkpoints(run) if one.complete]
    if any(one.step == step and one.id != content.id for one in complete):
        raise BadInput(f"{run} holds another checkpoint of {step_name(step)} than is published; name a new run folder")
    names = {run_of(one.id) for one in complete}
    if names and run_of(content.id) not in names:
        raise BadInput(f"{run} holds run {min(names)!r}, not {run_of(content.id)!r}; name a new run folder")


@contextmanager
def _held_here(run: Path, step: int) -> Iterator[None]:
    """A lease in the run's folder: its own retention would take a step older than its newest for the remains of a save."""
    with ExitStack() as held:
        try:
            held.enter_context(lease(run, step, "pull"))
        except BadInput as error:
            raise BadInput(f"{run}/leases cannot be written; make it writable, then pull again") from error
        yield


def _put_recipe(run: Path, folder: Path) -> None:
    recipe = folder / "recipe.yaml"
    if recipe.is_file() and not (run / "recipe.yaml").exists():
        write_bytes(run / "recipe.yaml", recipe.read_bytes())
