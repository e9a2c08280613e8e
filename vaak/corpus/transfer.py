"""A frozen corpus to S3-compatible storage and back. The manifest travels last, so half a corpus is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaak.corpus.manifest import MANIFEST, UNFINISHED, check_manifest, read_manifest
from vaak.corpus.writer import FORMAT
from vaak.errors import BadInput
from vaak.storage.files import canonical_json, read_json, write_bytes, write_json
from vaak.storage.locks import lock_file, unlock
from vaak.storage.objects import (
    ObjectExists,
    ObjectMissing,
    Objects,
    ObjectState,
    delete_object,
    list_objects,
    open_objects,
    read_object,
    write_object,
)
from vaak.storage.staging import Source
from vaak.storage.transfer import (
    JOBS,
    PARTS,
    FileEntry,
    Moved,
    Progress,
    download_files,
    file_entries,
    unwritable,
    upload_files,
)

# What opening a corpus reads; in bytes a few per cent of it.
TABLES = (".offsets.npy", ".samples.parquet")

# No manifest is larger; what a foreign server sends is not read without end.
_MOST_MANIFEST_BYTES = 1 << 30


@dataclass(frozen=True)
class TransferReport:
    """The corpus that is whole at the other end now, and what had to travel for it."""

    corpus_id: str
    name: str
    files: int
    bytes: int
    moved: Moved


def push_corpus(folder: str | Path, url: str, progress: Progress | None = None, jobs: int = JOBS) -> TransferReport:
    """Upload a frozen corpus to `s3://bucket/prefix`, the manifest last (`If-None-Match: *`).

    Called again it continues: an object whose size and recorded hash are the file's is left as it is.
    `progress(done, total, "MB")` counts. Raises `BadInput` for a folder that is not frozen or has a damaged file,
    for a place that holds another corpus or anything else, and when the storage fails for good.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, FORMAT)
    data = (folder / MANIFEST).read_bytes()
    entries = _entries(manifest, str(folder / MANIFEST))
    for entry in entries:
        if not (folder / entry.path).is_file():
            raise BadInput(f"{folder / entry.path} is missing; restore it, then push again")
    objects = open_objects(url, create=True)
    there = list_objects(objects)
    _claim_place(objects, there, manifest)
    moved = upload_files(objects, folder, entries, there, progress, jobs)
    _check_all_there(objects, entries)
    try:
        write_object(objects, MANIFEST, data, create=True)
    except ObjectExists:
        # Pushed already, by us before an answer was lost or by another process. If it is another one's: by name.
        _refuse_another(objects, manifest)
    with suppress(BadInput):  # beside a manifest the mark says nothing, and some keys may write but not delete
        delete_object(objects, UNFINISHED)
    return _report(manifest, entries, moved)


def pull_corpus(folder: str | Path, url: str, progress: Progress | None = None, jobs: int = JOBS) -> TransferReport:
    """Download a corpus from `s3://bucket/prefix` into `folder`, every file against its hash, the manifest last.

    Called again it continues. Over a folder that holds the same corpus it hashes all files and restores the damaged
    ones. Raises `BadInput` for a place without a whole corpus, for a folder that holds something else or is being
    pulled into by another process, for files that stay damaged or change underway, and for a full disk.
    """
    folder = Path(folder)
    objects = open_objects(url)
    there = list_objects(objects)
    manifest, data = _remote_manifest(objects, there)
    entries = _entries(manifest, objects.at(MANIFEST))
    with _claimed(folder, manifest, url):
        moved = download_files(objects, folder, entries, there, progress, jobs)
        try:
            write_bytes(folder / MANIFEST, data)
        except OSError as error:
            raise unwritable(error, folder) from error
    return _report(manifest, entries, moved)


def pull_tables(cache: Path, url: str) -> tuple[Path, Source]:
    """All of a pushed corpus but its tokens and its audio, as `cache/corpora/<id>`, and the source of its tokens.

    Each file is checked against its hash when it comes; what is there already stays. Processes wait for each other.
    Raises what `pull_corpus` raises.
    """
    objects = open_objects(url)
    there = list_objects(objects)
    manifest, data = _remote_manifest(objects, there)
    entries = _entries(manifest, objects.at(MANIFEST))
    folder = cache / "corpora" / manifest["id"]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file(folder.with_suffix(".lock"), exclusive=True, wait=True, create=True)
    except OSError as error:
        raise unwritable(error, cache) from error
    assert lock is not None
    try:
        if not (folder / MANIFEST).exists():
            with _claimed(folder, manifest, url):
                download_files(objects, folder, [one for one in entries if one.path.endswith(TABLES)], there)
                write_bytes(folder / MANIFEST, data)
    except OSError as error:
        raise unwritable(error, folder) from error
    finally:
        unlock(lock)
    return folder, Source(objects, {entry.path: entry for entry in entries})


def corpus_source(url: str) -> Source:
    """A pushed corpus as a source for staging. Raises `BadInput` if no whole corpus is there."""
    objects = open_objects(url)
    manifest, _ = _remote_manifest(objects, list_objects(objects))
    return Source(objects, {entry.path: entry for entry in _entries(manifest, objects.at(MANIFEST))})


def check_pushed(url: str) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The manifest of a pushed corpus and the change token of each of its files, of which none is read.

    Raises `BadInput`, naming the object, if one is gone or has another size than its manifest says.
    """
    objects = open_objects(url)
    there = list_objects(objects)
    manifest, _ = _remote_manifest(objects, there)
    entries = _entries(manifest, objects.at(MANIFEST))
    for entry in entries:
        found = there.get(entry.path)
        if found is None or found.size != entry.size:
            what = "is gone" if found is None else f"has {found.size} bytes instead of {entry.size}"
            raise BadInput(f"{objects.at(entry.path)} {what}; push the corpus again")
    return manifest, {entry.path: there[entry.path].etag for entry in entries}


def _entries(manifest: dict[str, Any], where: str) -> list[FileEntry]:
    entries = file_entries(manifest.get("files"), where)
    if {MANIFEST, UNFINISHED} & {entry.path for entry in entries}:
        raise BadInput(f"{where} names itself among its files; restore it")
    return entries


def _claim_place(objects: Objects, there: dict[str, ObjectState], manifest: dict[str, Any]) -> None:
    """Mark an empty place as this corpus's own. Refuses one that is another's, finished or not."""
    if MANIFEST in there:
        _refuse_another(objects, manifest)
        return
    if there and UNFINISHED not in there:
        raise BadInput(f"{objects.url} holds {len(there)} objects that are no corpus; choose an empty prefix")
    mark = {"name": manifest["name"], "id": manifest["id"]}
    try:
        if UNFINISHED not in there:
            write_object(objects, UNFINISHED, canonical_json(mark), create=True)
            return
    except ObjectExists:
        pass  # begun at this moment, or by ourselves before an answer was lost
    found = _parsed(read_object(objects, UNFINISHED, 1 << 16), objects.at(UNFINISHED))
    if found != mark:
        raise BadInput(
            f"{objects.url} holds the unfinished push of {_named(found)}, not of {_named(manifest)}; "
            "choose another prefix, or delete what is there"
        )


def _refuse_another(objects: Objects, manifest: dict[str, Any]) -> None:
    found = _parsed(read_object(objects, MANIFEST, _MOST_MANIFEST_BYTES), objects.at(MANIFEST))
    if found != manifest:
        raise BadInput(f"{objects.url} holds {_named(found)}, not {_named(manifest)}; choose another prefix")


def _check_all_there(objects: Objects, entries: list[FileEntry]) -> None:
    there = list_objects(objects)
    wrong = [entry.path for entry in entries if entry.path not in there or there[entry.path].size != entry.size]
    if wrong:
        raise BadInput(
            f"{objects.at(wrong[0])} is gone or has another size just after it was uploaded; let nobody write there, "
            "then push again"
        )


def _remote_manifest(objects: Objects, there: dict[str, ObjectState]) -> tuple[dict[str, Any], bytes]:
    if MANIFEST not in there:
        if UNFINISHED in there:
            raise BadInput(f"{objects.url} is not finished: its push was interrupted; push it again, then pull")
        raise ObjectMissing(f"{objects.url} has no {MANIFEST}: no corpus is there; correct the address")
    data = read_object(objects, MANIFEST, _MOST_MANIFEST_BYTES)
    where = objects.at(MANIFEST)
    return check_manifest(_parsed(data, where), FORMAT, where), data


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BadInput(f"{where} is not valid JSON; delete it, then push the corpus again") from error
    return found if isinstance(found, dict) else {}


@contextmanager
def _claimed(folder: Path, manifest: dict[str, Any], url: str) -> Iterator[None]:
    """The folder, marked unfinished and locked while the body runs; the mark goes when it ends well."""
    mark = folder / UNFINISHED
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file; name a folder")
    if (folder / MANIFEST).exists():
        held = read_manifest(folder, FORMAT)
        if held["id"] != manifest["id"]:
            raise BadInput(f"{folder} holds {_named(held)}, not {_named(manifest)}; name a new folder")
    elif mark.exists():
        found = read_json(mark)
        if not isinstance(found, dict) or found.get("pull") != manifest["id"]:
            begun = _named(found) if isinstance(found, dict) else "something"
            raise BadInput(
                f"{folder} holds an unfinished version of {begun}, not a pull of {_named(manifest)}; delete it, or "
                "name another folder"
            )
    elif folder.exists() and any(not one.name.endswith(".tmp") for one in folder.iterdir()):
        raise BadInput(f"{folder} is not empty and was not begun here; name a new folder")
    try:
        if not mark.exists():
            write_json(mark, {"name": manifest["name"], "pull": manifest["id"], "from": url})
        lock = lock_file(mark, exclusive=True, wait=False)
    except OSError as error:
        raise unwritable(error, folder) from error
    if lock is None:
        raise BadInput(f"{folder} is being pulled into by another process; wait for it")
    try:
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink()
        yield
        shutil.rmtree(folder / PARTS, ignore_errors=True)
        mark.unlink()
    finally:
        unlock(lock)


def _named(manifest: dict[str, Any]) -> str:
    identity = manifest.get("id") or manifest.get("pull") or "unknown"
    return f"corpus {manifest.get('name')!r} ({str(identity)[:12]})"


def _report(manifest: dict[str, Any], entries: list[FileEntry], moved: Moved) -> TransferReport:
    return TransferReport(manifest["id"], manifest["name"], len(entries), sum(one.size for one in entries), moved)
