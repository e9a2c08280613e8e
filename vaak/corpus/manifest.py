"""The manifest of a frozen folder: every file with its size and hash, and one root hash over them all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.storage.files import hash_folder, hash_json, list_files, read_json, write_json

MANIFEST = "MANIFEST.json"

# Present from the first write until the manifest is there: a folder with only this one was not finished.
UNFINISHED = "UNFINISHED.json"


def claim_folder(folder: Path, owner: str, name: str, parts: Iterable[str], restart: bool = False) -> None:
    """Make `folder` ready for a new frozen folder and mark it as the unfinished one of `owner`, a work in a few words.

    With `restart` the leftover of a crash of the same owner is cleared first, but only `parts`, the entries that the
    writer itself makes. Raises `BadInput` as `check_unclaimed` does.
    """
    check_unclaimed(folder, owner if restart else None)
    if (folder / UNFINISHED).exists():
        for part in parts:
            shutil.rmtree(folder / part) if (folder / part).is_dir() else (folder / part).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*.tmp"):  # of a crash in the middle of writing the mark or the manifest
        leftover.unlink()
    write_json(folder / UNFINISHED, {"name": name, "owner": owner})


def check_unclaimed(folder: Path, owner: str | None = None) -> None:
    """Raise `BadInput` unless `folder` is new or empty, or the unfinished work of `owner`."""
    if (folder / MANIFEST).exists():
        raise BadInput(f"{folder} is frozen; write a changed version into a new folder")
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file; name a folder")
    if (folder / UNFINISHED).exists():
        mark = read_json(folder / UNFINISHED)
        found = mark.get("owner") if isinstance(mark, dict) else None
        if owner is None or found != owner:
            whose = f"of {found}" if found else "of another command"
            raise BadInput(
                f"{folder} holds an unfinished version {whose}; finish it with what began it, delete it, or name "
                "another folder"
            )
    elif folder.exists() and any(not one.match(".*.tmp") for one in folder.iterdir()):
        raise BadInput(f"{folder} is not empty and was not begun here; name a new folder")


def freeze_folder(
    folder: Path, metadata: dict[str, Any], hashed: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Hash every file below a folder and write its manifest, last and atomically. Returns the manifest.

    `hashed` has the size and SHA-256 of files, by path, that were hashed when they were closed: they are not read again.

    The root hash, `id`, is the SHA-256 of the canonical JSON of everything else in the manifest.
    Raises `BadInput` over a frozen folder.
    """
    if (folder / MANIFEST).exists():
        raise BadInput(f"{folder} is already frozen; a changed corpus or pack is a new folder")
    hashed = hashed or {}
    for path, one in hashed.items():
        if not (folder / path).is_file() or (folder / path).stat().st_size != one["size"]:
            raise BadInput(f"{folder / path} is not as it was closed; make {folder} again")
    files = hash_folder(folder, exclude=[UNFINISHED, *hashed])
    files += [{"path": path, "size": one["size"], "sha256": one["sha256"]} for path, one in hashed.items()]
    body = {**metadata, "files": sorted(files, key=lambda one: one["path"])}
    manifest = {"id": hash_json(body), **body}
    write_json(folder / MANIFEST, manifest)
    (folder / UNFINISHED).unlink(missing_ok=True)
    return manifest


def read_manifest(folder: Path, form: str) -> dict[str, Any]:
    """The manifest of a frozen folder of format `form`. Raises `BadInput` for an unfinished, foreign or edited one."""
    if not (folder / MANIFEST).is_file():
        raise BadInput(f"{folder} has no {MANIFEST}: it is unfinished or no such folder; finish or make it again")
    return check_manifest(read_json(folder / MANIFEST), form, folder / MANIFEST)


def check_manifest(manifest: Any, form: str, where: Path | str) -> dict[str, Any]:
    """The parsed manifest that was read at `where`, if it is of format `form` and has its own root hash."""
    if not isinstance(manifest, dict) or manifest.get("format") != form:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise BadInput(f"{where} is of format {found!r}, not {form!r}; open it with what wrote it")
    if root_hash(manifest) != manifest.get("id"):
        raise BadInput(f"{where} does not match its own root hash: it was edited or damaged; restore it")
    return manifest


def root_hash(manifest: dict[str, Any]) -> str:
    """The id that a manifest should have."""
    return hash_json({key: value for key, value in manifest.items() if key != "id"})


def damaged_files(folder: Path, form: str) -> list[str]:
    """One line for each damaged, missing or extra file of a frozen folder, every byte hashed again; empty is whole."""
    try:
        manifest = read_manifest(folder, form)
    except BadInput as error:
        return [f"{MANIFEST}: {error}"]
    wanted = {one["path"]: one for one in manifest["files"]}
    # A crash right after the manifest leaves the mark of the unfinished folder; it says nothing any more.
    own = {MANIFEST, UNFINISHED}
    extra = set(list_files(folder)) - own - wanted.keys()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        wrong = pool.map(lambda path: _damage(folder / path, wanted[path]), wanted)
        lines = {path: what for path, what in zip(wanted, wrong, strict=True) if what is not None}
    lines |= dict.fromkeys(extra, "extra, not in the manifest")
    return [f"{path}: {lines[path]}" for path in sorted(lines)]


def _damage(path: Path, wanted: Mapping[str, Any]) -> str | None:
    """What is wrong with one file, in a few words; None if it is whole."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if size != wanted["size"]:
        return f"damaged, {size} bytes instead of {wanted['size']}"
    return None if digest == wanted["sha256"] else "damaged, its SHA-256 is another"
