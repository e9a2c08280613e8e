"""Checkpoints of a run at an address, `s3://bucket/prefix`: published, listed, verified and pruned there.

The layout is that of the run's folder, so leases at the address work as they do in a folder. `COMPLETE.json` is written last and
removed first: what is there without it was never finished, or its removal had begun, and nobody reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.checkpoint.claim import claim_address
from vaak.checkpoint.folder import (
    COMPLETE,
    MANIFEST,
    MODEL,
    MODEL_ONLY,
    TRAINING,
    Checkpoint,
    list_checkpoints,
    step_name,
    step_of,
    verify_checkpoint,
)
from vaak.checkpoint.leases import LeaseWatch, lease
from vaak.checkpoint.policy import Policy, kept
from vaak.errors import BadInput
from vaak.storage.files import canonical_json, hash_json
from vaak.storage.objects import (
    ObjectMissing,
    Objects,
    ObjectState,
    delete_object,
    hash_of,
    list_objects,
    open_objects,
    read_object,
    write_object,
)
from vaak.storage.transfer import JOBS, FileEntry, Moved, Progress, file_entries, upload_files

# Nothing that a foreign server sends is read without end.
_MOST_MARK_BYTES, _MOST_MANIFEST_BYTES = 1 << 16, 64 << 20
_MARKS = {COMPLETE, MANIFEST, MODEL_ONLY}
# What no file of a checkpoint may be called, nor any folder of one: a reader trusts these.
_RESERVED = {*_MARKS, "DAMAGED.json"}


class DamagedRemote(BadInput):
    """What is at the address is no checkpoint that can be trusted."""


@dataclass(frozen=True)
class RemoteCheckpoint:
    """As `Checkpoint`, at an address; how many files and bytes are there of it, finished or not, and when its mark was
    written, in seconds since 1970 by the service's clock (0 without one)."""

    url: str
    step: int
    id: str
    complete: bool
    full: bool
    files: int
    bytes: int
    completed_at: float = 0.0


@dataclass(frozen=True)
class Published:
    """The checkpoint that is whole at the address now, and what had to travel for it; fresh: it was not whole there before."""

    id: str
    url: str
    full: bool
    files: int
    bytes: int
    moved: Moved
    fresh: bool


@dataclass(frozen=True)
class RemotePruned:
    """What retention did: removed whole; held by a lease (step name to holder) though not kept."""

    removed: list[RemoteCheckpoint]
    held: dict[str, str]


@dataclass(frozen=True)
class RemoteContent:
    """What a complete checkpoint at an address consists of: its marks as they are there, and the files of its manifest.

    full: training can be resumed from it; if not, `entries` are the model's alone. reduced: it was full once.
    """

    id: str
    full: bool
    reduced: bool
    entries: list[FileEntry]
    complete: bytes
    manifest: bytes


def split_address(url: str) -> tuple[str, int | None]:
    """The address of the run, and the step if `url` is that of one checkpoint, `…/checkpoints/step-NNNNNNNN`."""
    url = url.rstrip("/")
    above, _, name = url.rpartition("/")
    step = step_of(name)
    if step is None or not above.endswith("/checkpoints"):
        return url, None
    return above.removesuffix("/checkpoints"), step


def step_address(url: str, step: int) -> str:
    return f"{url}/checkpoints/{step_name(step)}"


def list_remote(url: str) -> list[RemoteCheckpoint]:
    """All checkpoints at the address of a run, by step; unfinished ones too. Nothing is downloaded but their marks.

    Raises `BadInput` for an address that cannot be read, `StorageFailed` if the service does not answer.
    """
    url = split_address(url)[0]
    steps: dict[int, dict[str, ObjectState]] = {}
    for path, state in _listed(f"{url}/checkpoints").items():
        name, _, file = path.partition("/")
        step = step_of(name)
        if step is not None and step_name(step) == name and file:
            steps.setdefault(step, {})[file] = state
    found = []
    for step, files in sorted(steps.items()):
        identity = _identity(open_objects(step_address(url, step)), step) if COMPLETE in files else ""
        full = MODEL_ONLY not in files and any(path.startswith(f"{TRAINING}/") for path in files)
        size = sum(state.size for state in files.values())
        at = files[COMPLETE].written_at if identity else 0.0
        address = step_address(url, step)
        found.append(RemoteCheckpoint(address, step, identity, bool(identity), full, len(files), size, at))
    return found


def publish_checkpoint(folder: str | Path, url: str, progress: Progress | None = None, jobs: int = JOBS) -> Published:
    """Upload a complete checkpoint to `url/checkpoints/step-NNNNNNNN/`, where `url` is its run's; the mark goes last.

    Called again it continues: a file that is there with the recorded hash is not sent again. A checkpoint of that step
    with another id, since the step was trained again, is replaced. While it is sent, a lease of the caller keeps `folder`.
    Raises `BadInput` for a checkpoint that cannot be trusted, for an address that holds another run's, and what
    `upload_files` raises.
    """
    folder, url = Path(folder), url.rstrip("/")
    objects = open_objects(url, create=True)
    found = list_remote(url)  # before anything is hashed: with a service that is away this ends soon
    local = _trusted(folder)
    claim_address(objects, folder.parent.parent, local.id, [one.id for one in found if one.complete])
    with lease(url, local.step, "publish"):
        return _upload(local, step_address(url, local.step), progress, jobs)


def verify_remote(url: str, step: int) -> list[str]:
    """What is wrong with a checkpoint at the address of its run, one sentence each; nothing of it is downloaded.

    Sizes, and the hashes that were recorded at the upload, are compared with the manifest. Raises `BadInput` for an address
    that cannot be read, `StorageFailed` if the service does not answer.
    """
    address = step_address(split_address(url)[0], step)
    there = _listed(address)
    try:
        content = read_content(address, step, there)
    except DamagedRemote as error:
        return [str(error)]
    objects = open_objects(address)

    def problem(entry: FileEntry) -> str:
        if entry.path not in there:
            return f"{objects.at(entry.path)} is missing"
        if there[entry.path].size != entry.size:
            return f"{objects.at(entry.path)} has {there[entry.path].size} bytes instead of {entry.size}"
        if hash_of(objects, entry.path) != entry.sha256:
            return f"{objects.at(entry.path)} is not recorded with the hash of the manifest"
        return ""

    with ThreadPoolExecutor(JOBS) as pool:
        problems = list(pool.map(problem, content.entries))
    parts = (f"{MODEL}/", f"{TRAINING}/") if content.full else (f"{MODEL}/",)
    strangers = sorted(path for path in set(there) - {one.path for one in content.entries} if path.startswith(parts))
    return [one for one in problems if one] + [f"{objects.at(path)} is not in {MANIFEST}" for path in strangers]


def marked(address: str) -> bool:
    """Whether a checkpoint at an address was finished once: it has a mark, be it damaged. Raises what `list_remote` raises."""
    return COMPLETE in _listed(address)


def prune_remote(
    url: str,
    policy: Policy,
    leases: LeaseWatch | None = None,
    keep: Collection[int] = (),
    abandoned: Callable[[RemoteCheckpoint], bool] = lambda one: False,
) -> RemotePruned:
    """Remove at the address of a run what the policy does not keep there, and the remains of unfinished uploads.

    Milestones stay, of the others the last `keep_last_full` full ones and the last `keep_last_model_only` models; never
    removed are the newest complete one, the newest full one, the steps of `keep`, and what somebody holds a lease on.
    What is `abandoned` counts as none of these and goes, milestones too, unless nothing else were left. `leases`, of the same
    address, should be the same from call to call, or no lease ever expires. Raises what `list_remote` raises.
    """
    leases = leases or LeaseWatch(url.rstrip("/"))
    found = list_remote(url)
    lost = {one.step for one in found if one.complete and abandoned(one)}
    complete = [one for one in found if one.complete and one.step not in lost]
    done = RemotePruned([], {})
    if not complete:
        return done
    whole, models = kept(complete, policy, keep)
    held = leases.held()
    for one in found:
        if one.step in lost:
            stays = False
        elif one.complete:
            # At an address nothing becomes a model alone: step 0, which the others are compared with, stays as it is.
            stays = one.step in whole or one.step == 0 or (not one.full and one.step in models)
        else:
            stays = one.step in keep or one.step > complete[-1].step
        if stays:
            continue
        name = step_name(one.step)
        holder = held.get(name) or _remove_unless_held(one, leases)
        if holder is None:
            done.removed.append(one)
        else:
            done.held[name] = holder
    return done


def read_content(address: str, step: int, there: dict[str, ObjectState]) -> RemoteContent:
    """What the checkpoint at an address consists of, by its own marks; `there` is a listing of it.

    Raises `DamagedRemote` if it is not complete, or if its manifest is not the one that the mark names, or names what
    would be outside the checkpoint.
    """
    if COMPLETE not in there or MANIFEST not in there:
        missing = COMPLETE if COMPLETE not in there else MANIFEST
        raise DamagedRemote(
            f"{address} has no {missing}: its upload was never finished, or its removal had begun; use another step"
        )
    objects = open_objects(address)
    _refuse_links(objects)
    mark = read_object(objects, COMPLETE, _MOST_MARK_BYTES)
    manifest = read_object(objects, MANIFEST, _MOST_MANIFEST_BYTES)
    identity = _id_in(mark, step, address)
    found = _named_by(identity, manifest)
    if found is None:
        raise DamagedRemote(f"{objects.at(MANIFEST)} is not the one that {COMPLETE} names; publish it again")
    every = _entries(found, objects.at(MANIFEST))
    model = [one for one in every if not one.path.startswith(f"{TRAINING}/")]
    reduced = MODEL_ONLY in there and len(model) < len(every)
    full = not reduced and len(model) < len(every)
    return RemoteContent(identity, full, reduced, every if full else model, mark, manifest)


def _upload(local: Checkpoint, address: str, progress: Progress | None, jobs: int) -> Published:
    objects = open_objects(address, create=True)
    try:
        manifest = (local.path / MANIFEST).read_bytes()  # once: what is sent is what these bytes name
    except OSError as error:
        raise BadInput(f"{local.path / MANIFEST} cannot be read ({error.strerror}); publish it again") from error
    found = _named_by(local.id, manifest)
    if found is None:
        raise BadInput(f"{local.path} was trained again while it was published; publish it again")
    every = _entries(found, str(local.path / MANIFEST))
    model = [one for one in every if not one.path.startswith(f"{TRAINING}/")]
    entries = every if local.full else model
    there = list_objects(objects)
    content = _content_or_none(address, local.step, there)
    same = content is not None and content.id == local.id and not _wrong(content.entries, there)
    if COMPLETE in there and not same:
        delete_object(objects, COMPLETE)
    moved = upload_files(objects, local.path, entries, there, progress, jobs)
    there = list_objects(objects)
    if wrong := _wrong(entries, there):
        raise BadInput(
            f"{objects.at(wrong[0])} is gone or has another size just after it was uploaded; let nobody write there"
        )
    # A checkpoint that was published whole stays whole there when its model alone is left here.
    full = local.full or (same and content is not None and content.full)
    for path in sorted(set(there) - {one.path for one in (every if full else model)} - _MARKS):
        delete_object(objects, path)
    if not full and len(model) < len(every):
        write_object(objects, MODEL_ONLY, canonical_json({"removed": TRAINING}))
    elif MODEL_ONLY in there:
        delete_object(objects, MODEL_ONLY)
    if not same:
        write_object(objects, MANIFEST, manifest)
        write_object(objects, COMPLETE, canonical_json({"id": local.id}))
    return Published(local.id, address, full, len(entries), sum(one.size for one in entries), moved, not same)


def _content_or_none(address: str, step: int, there: dict[str, ObjectState]) -> RemoteContent | None:
    try:
        return read_content(address, step, there)
    except DamagedRemote:
        return None


def _wrong(entries: list[FileEntry], there: dict[str, ObjectState]) -> list[str]:
    return [one.path for one in entries if one.path not in there or there[one.path].size != one.size]


def _trusted(folder: Path) -> Checkpoint:
    problems = verify_checkpoint(folder)
    if problems:
        raise BadInput(f"{folder} is not published: {problems[0]}; publish another step")
    found = [one for one in list_checkpoints(folder.parent.parent) if one.path.name == folder.name and one.complete]
    if folder.parent.name != "checkpoints" or not found:
        raise BadInput(f"{folder} is not published: it is no RUN/checkpoints/step-…; name one that is")
    return found[0]


def _remove_unless_held(one: RemoteCheckpoint, leases: LeaseWatch) -> str | None:
    """Remove a checkpoint, or put its mark back and return the holder if a lease came in the same moment."""
    objects = open_objects(one.url)
    delete_object(objects, COMPLETE)
    holder = leases.held().get(step_name(one.step))
    if holder is not None:
        if one.complete:
            write_object(objects, COMPLETE, canonical_json({"id": one.id}))
        return holder
    for path in list_objects(objects):
        delete_object(objects, path)
    return None


def _listed(url: str) -> dict[str, ObjectState]:
    try:
        return list_objects(open_objects(url))
    except ObjectMissing:  # a `file:///` folder that is not there yet
        return {}


def _identity(objects: Objects, step: int) -> str:
    with suppress(ObjectMissing, DamagedRemote):
        return _id_in(read_object(objects, COMPLETE, _MOST_MARK_BYTES), step, objects.url)
    return ""


def _id_in(mark: bytes, step: int, address: str) -> str:
    """The id that a `COMPLETE.json` names. Raises `DamagedRemote` if it is not one of that step."""
    try:
        identity = json.loads(mark)["id"]
        if identity.rsplit("/", 2)[1] == str(step) and identity.encode():
            return identity
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        pass
    raise DamagedRemote(f"{address}/{COMPLETE} names no checkpoint of that step; publish it again")


def _named_by(identity: str, manifest: bytes) -> dict[str, Any] | None:
    """What a manifest holds, or None if it is not the one of a checkpoint's id. Somebody else may have written it."""
    try:
        found = json.loads(manifest)
        return found if f"{found['run']}/{found['step']}/{hash_json(found)}" == identity else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _entries(manifest: dict[str, Any], where: str) -> list[FileEntry]:
    try:
        entries = file_entries(manifest.get("files"), where)
    except BadInput as error:
        raise DamagedRemote(str(error)) from error
    if marks := _RESERVED & {one.path.partition("/")[0] for one in entries}:
        raise DamagedRemote(f"{where} names {min(marks)}, itself a mark, among its files; publish another step")
    return entries


def _refuse_links(objects: Objects) -> None:
    if objects.folder is not None:
        for path in objects.folder.rglob("*"):
            if path.is_symlink():
                raise DamagedRemote(f"{path} is a link; publish it again as a file")
