"""That a run has ended, said at its address as in its folder: `DONE.json` names its last checkpoint, once that is there."""

from __future__ import annotations

import json
from pathlib import Path

from vaak.checkpoint.remote import split_address
from vaak.errors import BadInput
from vaak.storage.files import canonical_json, read_json
from vaak.storage.objects import ObjectMissing, open_objects, read_object, write_object

DONE = "DONE.json"
_MOST_BYTES = 1 << 16


def tell_end(run: Path, url: str) -> None:
    """Write it at the address of a run that is done, unless it stands there already. Raises what writing an object raises."""
    done = read_json(run / DONE)
    if ended_with(url) != done["checkpoint"]:
        said = {"checkpoint": done["checkpoint"], "step": done["step"]}
        write_object(open_objects(split_address(url)[0]), DONE, canonical_json(said))


def ended_with(url: str) -> str | None:
    """The id of the checkpoint that a run at an address ended with, or None while it has not said so.

    One that was continued later may still say so of an older checkpoint. Raises `BadInput` if the address does not answer.
    """
    try:
        found = json.loads(read_object(open_objects(split_address(url)[0]), DONE, _MOST_BYTES))
    except ObjectMissing:
        return None
    except ValueError as error:
        raise BadInput(f"{url}/{DONE} is not JSON; remove it, and publish the run again") from error
    return str(found["checkpoint"]) if isinstance(found, dict) and "checkpoint" in found else None
