"""Which run an address belongs to: `publish/run.json` holds the same key there and in the run's folder.

A name is not enough, for the stages of every launch are called alike, and publishing replaces and prunes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from pathlib import Path

from vaak.checkpoint.folder import list_checkpoints
from vaak.errors import BadInput
from vaak.storage.files import canonical_json, read_json, write_json
from vaak.storage.objects import ObjectExists, ObjectMissing, Objects, read_object, write_object
from vaak.storage.transfer import unwritable

_MARK = "publish/run.json"


def run_of(identity: str) -> str:
    """The name of the run in a checkpoint's id."""
    return identity.rsplit("/", 2)[0]


def claim_address(objects: Objects, run: Path, identity: str, there: Collection[str]) -> None:
    """Make an address the run's own; `there` are the ids of the complete checkpoints at it.

    A run that shares a checkpoint with the address continues what is there, on another machine or under another name.
    Raises `BadInput` if the address is another run's, or if the run's folder cannot be written.
    """
    names = {run_of(one) for one in there}
    shared = bool({one.id for one in list_checkpoints(run)} & set(there))
    if names and run_of(identity) not in names and not shared:
        raise BadInput(
            f"{objects.url} holds checkpoints of run {min(names)!r}, not of {run_of(identity)!r}; choose another prefix"
        )
    here, found = _here(run), _there(objects)
    if found is None:
        here = here or secrets.token_hex(8)
        _keep(run, here)
        try:
            write_object(objects, _MARK, canonical_json({"run": run_of(identity), "key": here}), create=True)
            return
        except ObjectExists:  # claimed at this moment, or by ourselves before an answer was lost
            found = _there(objects)
    name, key = found or ("", "")
    if key == here:
        return
    begun = here is None and not there and name == run_of(identity)
    if not shared and not begun:
        raise BadInput(
            f"{objects.url} belongs to another run {name!r}, not to the one in {run}; choose another prefix, or pull from "
            "there first to continue that run"
        )
    _keep(run, key)


def is_claimed(run: Path) -> bool:
    """Whether a run's folder has an address of its own already."""
    return _here(run) is not None


def adopt_address(objects: Objects, run: Path) -> None:
    """Let a run's folder that has no key belong to the run of an address, of which it holds a checkpoint now.

    Retention there may remove that checkpoint before the folder publishes. Raises `BadInput` if the address cannot be read or the
    folder cannot be written.
    """
    if _here(run) is None and (found := _there(objects)) is not None:
        _keep(run, found[1])


def _here(run: Path) -> str | None:
    """The key in the run's folder; one that cannot be read is none, and comes back where a checkpoint is shared."""
    try:
        return str(read_json(run / _MARK)["key"])
    except (BadInput, KeyError, TypeError):
        return None


def _there(objects: Objects) -> tuple[str, str] | None:
    """Name and key of the run that the address belongs to."""
    try:
        found = json.loads(read_object(objects, _MARK, 1 << 16))
        name, key = str(found["run"]), str(found["key"])
        (name + key).encode()  # half a character could not be kept in the run's folder
        return name, key
    except ObjectMissing:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"{objects.at(_MARK)} is none of ours; choose another prefix, or remove it") from error


def _keep(run: Path, key: str) -> None:
    try:
        write_json(run / _MARK, {"key": key})
    except OSError as error:
        raise unwritable(error, run) from error
