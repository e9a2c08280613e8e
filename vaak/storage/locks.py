"""Locks that die with their process: `flock` on a file, checked to be still the file of that name."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vaak.errors import BadInput


def lock_file(path: Path, exclusive: bool, wait: bool, create: bool = False) -> int | None:
    """Lock a file; returns its descriptor, which `unlock` gives back.

    None if there is no such file (and `create` is off), or if somebody else holds it and `wait` is off. A file that was
    replaced or removed while we waited is not the one that was meant: the name is looked up again. A process that is
    killed loses its locks with its descriptors, so none is ever stale.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    kind = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB)
    while True:
        try:
            handle = os.open(path, flags, 0o666)
        except FileNotFoundError:
            if create and not path.parent.is_dir():
                raise
            return None
        try:
            fcntl.flock(handle, kind)
            if _is_named(handle, path):
                return handle
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


@contextmanager
def only_one(path: Path, refused: str) -> Iterator[None]:
    """Hold the lock of a file, made if need be, while the block runs.

    Raises `BadInput` with the sentence `refused` if somebody else holds it, and `OSError` where no such file or lock can be.
    """
    handle = lock_file(path, exclusive=True, wait=False, create=True)
    if handle is None:
        raise BadInput(refused)
    try:
        yield
    finally:
        unlock(handle)


def share(handle: int) -> None:
    """Make an exclusive lock a shared one."""
    fcntl.flock(handle, fcntl.LOCK_SH)


def unlock(handle: int) -> None:
    """Give a lock back, also where a forked child still holds a copy of the descriptor."""
    fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _is_named(handle: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(handle)
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
