"""Files that are whole or absent, and the hashes that say which file is which."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vaak.errors import BadInput


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, read in pieces. Raises `BadInput` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check that it exists and is readable") from error


def sha256_of(descriptor: int) -> str:
    """SHA-256 of an open file's bytes from its beginning, as 64 hex digits; the descriptor stays open."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(obj: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8 and no NaN: equal objects give equal bytes."""
    return json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def hash_json(obj: Any) -> str:
    """SHA-256 of an object's canonical JSON as 64 hex digits."""
    return hashlib.sha256(canonical_json(obj)).hexdigest()


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file that is either whole or not there: a temporary file beside it, synced, then renamed over it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: str | Path, obj: Any) -> None:
    """Write JSON with an indent of two, atomically. NaN and infinity are refused: JSON has no word for them."""
    write_bytes(path, (json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: str | Path) -> Any:
    """Parse a JSON file. Raises `BadInput` naming the file if it is missing or is not JSON."""
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON ({error}); restore it or make it again") from error


@contextmanager
def room_on_disk(folder: Path) -> Iterator[None]:
    """A full disk is said in one sentence: a `BadInput` in place of the `OSError`."""
    try:
        yield
    except OSError as error:
        # numpy reports a short write without an error number, pyarrow in words alone.
        in_words = any(words in str(error) for words in ("No space left", "requested and"))
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or in_words:
            raise BadInput(
                f"the disk of {folder} is full; make room and run the same command again: what is finished is kept"
            ) from error
        raise


def list_files(folder: str | Path) -> list[str]:
    """Paths of all files below a folder, relative, with forward slashes, sorted."""
    folder = Path(folder)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def hash_folder(folder: str | Path, exclude: Iterable[str] = ()) -> list[dict[str, Any]]:
    """`{"path", "size", "sha256"}` of every file below a folder, sorted by path, hashed on all cores.

    `exclude` holds relative paths. Hashing releases the interpreter lock, so threads are enough.
    """
    skip = set(exclude)
    paths = [path for path in list_files(folder) if path not in skip]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        digests = list(pool.map(lambda path: sha256_file(Path(folder) / path), paths))
    return [
        {"path": path, "size": (Path(folder) / path).stat().st_size, "sha256": digest}
        for path, digest in zip(paths, digests, strict=True)
    ]


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk: a rename survives a power cut only then."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
