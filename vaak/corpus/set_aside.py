"""What could not become a sample: a line of JSON each, with its kind and its reason, in a file that the user finds."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from vaak.corpus.samples import file_stem, readable_id
from vaak.corpus.work_folders import make_folder
from vaak.errors import BadInput
from vaak.storage.files import sync_folder


def set_aside_file(quarantine: Path, name: str) -> Path:
    """Where the lines of the corpus `name` stand in the folder that `--quarantine` names."""
    return quarantine / f"{file_stem(readable_id(name) or 'corpus')}.set-aside.jsonl"


def set_aside_line(kind: str, detail: str, where: str, sample_id: str | None, **more: Any) -> bytes:
    """One line: `kind` to count by, a sentence, the file and row that it was found in, the id if it has one, and what
    else its source knows of it."""
    record = {"kind": kind, "detail": detail, "where": where, "sample_id": sample_id, **more}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def publish(lines: Path, place: Path) -> None:
    """Copy the finished file of lines to its place: whole or not at all, and on the disk when this returns."""
    make_folder(place.parent)
    temporary = place.with_name(f".{place.name}.tmp")
    with open(lines, "rb") as source, open(temporary, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    os.replace(temporary, place)
    sync_folder(place.parent)


def check_new(place: Path) -> None:
    """Raise `BadInput` if the file is there already: its lines would be lost."""
    if place.exists():
        raise BadInput(f"{place} is there already, of an earlier run; move it away, or name another --quarantine")


def check_places(out: Path, work: Path, quarantine: Path | None, source: Path | None) -> None:
    """Raise `BadInput` if the corpus or the quarantine would be written into the folder that it is made from, or the
    quarantine into the corpus or its work folder, or where nothing can be. Makes the quarantine."""
    for place, what in ((out, "--out"), (quarantine, "--quarantine")):
        if place is not None and source is not None and _inside(place, source):
            raise BadInput(
                f"{what} {place} is inside the source {source.resolve()}, which stays as it is; name another place"
            )
    if quarantine is not None and (_inside(quarantine, out) or _inside(quarantine, work)):
        raise BadInput(f"--quarantine {quarantine} is inside the new corpus; name another place")
    if quarantine is not None:
        make_folder(quarantine)


def _inside(place: Path, folder: Path) -> bool:
    return folder.resolve() in (place.resolve(), *place.resolve().parents)
