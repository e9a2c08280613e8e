"""Folders that are derived from corpora and can be derived again: written whole, hashed, and checked before their use."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.files import hash_folder, read_json, sync_folder, write_json
from vaak.storage.locks import lock_file, unlock

HASHES = "SHA256.json"

_log = logging.getLogger(__name__)

# Folders whose bytes this process has hashed, each with the inode of its hashes: a folder made anew has another.
_checked: set[tuple[str, int]] = set()


def derive(target: Path, make: Callable[[Path], None]) -> None:
    """Fill `target` if it is not there, or anew if it is damaged, which one warning says.

    It grows beside its place, is brought to the disk with the hashes of its files, and renamed when whole: many processes
    may try, one result stays.
    """
    if target.exists():
        if not damage(target):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file(target.with_name(f"{target.name}.lock"), exclusive=True, wait=True, create=True)
        assert lock is not None
        try:
            wrong = damage(target)  # another process may have made it anew while we waited
            if wrong:
                _log.warning("%s is damaged (%s); it is derived again", target, wrong)
                shutil.rmtree(target)
                _make(target, make)
        finally:
            unlock(lock)
        return
    _make(target, make)


def check_derived(target: Path) -> None:
    """Raise `BadInput` if a derived folder is damaged. Its bytes are hashed once in a process."""
    wrong = damage(target)
    if wrong:
        raise BadInput(f"{target} is damaged ({wrong}); remove it and plan again")


def damage(target: Path) -> str:
    """What is wrong with a derived folder, empty if nothing is."""
    try:
        known = (str(target), (target / HASHES).stat().st_ino)
        if known in _checked:
            return ""
        if read_json(target / HASHES) != hash_folder(target, exclude=[HASHES]):
            return "its files are not those that were written"
    except (OSError, BadInput):
        return f"{HASHES} or a file of it cannot be read"
    _checked.add(known)
    return ""


def _make(target: Path, make: Callable[[Path], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        make(unfinished)
        for path in unfinished.iterdir():
            sync_folder(path)
        write_json(unfinished / HASHES, hash_folder(unfinished))
        os.rename(unfinished, target)
        sync_folder(target.parent)
    except OSError:
        # Another process was first; its folder has the same content.
        if not target.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
