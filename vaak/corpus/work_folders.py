"""The folder beside a new corpus in which a long work keeps what it has done, until the corpus is frozen."""

from __future__ import annotations

import re
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.files import sync_folder


def work_folder(out: Path, ending: str, own: re.Pattern[str]) -> Path:
    """`<out><ending>`, which may not be there yet. `own` matches the names of what the work itself puts into it.

    Raises `BadInput` if `out` names no folder that can be new, or if something else stands in the work folder, which
    would go when the work is done.
    """
    if out.name in ("", ".."):
        raise BadInput(f"--out {out} is no name for a new folder; name one, such as corpus-v1")
    work = out.with_name(out.name + ending)
    if not work.exists():
        return work
    if not work.is_dir():
        raise BadInput(f"{work} is a file where the unfinished work of {out} goes; move it away")
    try:
        foreign = sorted(one.name for one in work.iterdir() if not own.fullmatch(one.name) and not one.match(".*.tmp"))
    except FileNotFoundError:  # another process has just ended the work
        return work
    if foreign:
        raise BadInput(f"{work} holds {foreign[0]!r}, which was not begun here; move it away, or name another folder")
    return work


def make_folder(folder: Path) -> None:
    """Make a folder and those around it, and bring them to the disk: what is in it survives a power cut only then.

    Raises `BadInput` if it cannot be made, before a long work and not at its end.
    """
    try:
        around = [one.parent for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in around:
            sync_folder(one)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made ({error.strerror}); name a place that can be written") from error
