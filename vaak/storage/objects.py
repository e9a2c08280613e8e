"""Objects under one address, `s3://bucket/prefix` or `file:///folder`: list, read in ranges, write.

The client is obstore. Endpoint and credentials come from the usual environment variables (`AWS_ENDPOINT_URL_S3` or
`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`). What goes wrong is
said without them: messages hold the address, the status and the service's own error code, never a header or a key.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from vaak.errors import BadInput
from vaak.storage.files import sha256_file

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

# Bytes per request, up and down. A multipart upload has at most 10,000 parts of at least 5 MiB, equal but for the last
# (R2's limits, https://developers.cloudflare.com/r2/objects/multipart-objects/), so parts of large files are larger.
PART_BYTES = 8 << 20
MOST_PARTS = 10_000

# Requests in flight for one object: its share of memory is this many parts.
WINDOW = 4

# The client retries a request itself; this many times a piece of work is begun again where that was not enough, as
# with a body that ends too early.
ATTEMPTS = 3

# An ETag is a change token and not a hash of the content, so the hash is kept beside the object.
HASH_KEY = "vaak-sha256"

_T = TypeVar("_T")


class ObjectMissing(BadInput):
    """No such object, or no such bucket."""


class ObjectChanged(BadInput):
    """The object is not the one that was listed: somebody wrote it anew in between."""


class ObjectExists(BadInput):
    """An object that was to be created is there already."""


class StorageFailed(BadInput):
    """The service could not be reached, refused, or broke off, after all attempts."""


@dataclass(frozen=True)
class ObjectState:
    """What a listing says of an object: its size in bytes, its change token, and when it was written, in seconds since
    1970 by the service's clock. The token alone says whether it is the same object."""

    size: int
    etag: str | None
    written_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Objects:
    """The objects below `url`; paths are relative to it, with forward slashes. `folder` is that of a `file:///` address."""

    url: str
    store: ObjectStore
    folder: Path | None = None

    def at(self, path: str) -> str:
        """The address of one object, for messages."""
        return f"{self.url}/{path}"


def open_objects(url: str, create: bool = False) -> Objects:
    """The objects below `s3://bucket/prefix` or `file:///folder`; nothing is asked of the service yet.

    With `create` a `file:///` folder is made if it is not there.

    Path-style addresses are used with a custom endpoint, and plain http only where the endpoint itself says http.
    Raises `BadInput` for another kind of address, for a folder that cannot be made, and for a custom endpoint without credentials.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if parts.query or parts.fragment or ".." in prefix.split("/"):
        raise BadInput(f"{url} is not an address of a folder; write it like s3://bucket/prefix")
    if parts.scheme == "file" and not parts.netloc and prefix:
        from obstore.store import LocalStore

        folder = Path("/") / unquote(prefix)
        if not folder.is_dir() and not create:
            raise ObjectMissing(f"{url} is no folder; correct the address")
        try:
            store = LocalStore(folder, mkdir=True)
        except OSError as error:
            raise BadInput(f"{url} cannot be made a folder ({error}); correct the address") from error
        return Objects(url.rstrip("/"), store, folder)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
        raise BadInput(f"{url.split('://')[0]}://… is no address that objects are kept at; write s3://bucket/prefix")
    return Objects(f"s3://{parts.netloc}/{prefix}".rstrip("/"), _s3(parts.netloc, prefix))


def _s3(bucket: str, prefix: str) -> ObjectStore:
    from obstore.store import S3Store

    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    endpoint = next((value for name in names if (value := os.environ.get(name))), None)
    options = {}
    if endpoint is not None:
        if urlsplit(endpoint).scheme not in ("http", "https"):
            raise BadInput("the endpoint of the storage must begin with https:// or http://; correct AWS_ENDPOINT_URL")
        # Without keys the client would ask the metadata service of a machine of AWS, for minutes.
        sources = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")
        if not any(os.environ.get(name) for name in sources):
            raise BadInput(
                f"s3://{bucket} needs credentials for its endpoint; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        options = {"endpoint": endpoint.rstrip("/"), "virtual_hosted_style_request": False}
    try:
        return S3Store(
            bucket,
            prefix=prefix or None,
            # The client's own limit of 30 s covers the whole body, and a part on a slow line takes longer. The limit for
            # a silent connection runs while a part goes up, too.
            client_options={
                "allow_http": endpoint is not None and endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=10),
                "read_timeout": timedelta(seconds=300),
                "timeout": timedelta(seconds=600),
            },
            retry_config={
                "max_retries": 5,
                "retry_timeout": timedelta(seconds=120),
                "backoff": {
                    "init_backoff": timedelta(seconds=0.1),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
            **options,
        )
    except Exception as error:
        raise _said(error, f"s3://{bucket}") from error


def list_objects(objects: Objects) -> dict[str, ObjectState]:
    """All objects below the address: path to state. An address where nothing is gives an empty dict."""
    import obstore

    def listed() -> dict[str, ObjectState]:
        pages = obstore.list(objects.store)
        return {
            one["path"]: ObjectState(one["size"], one["e_tag"], one["last_modified"].timestamp())
            for page in pages
            for one in page
        }

    try:
        return with_attempts(lambda: _asked(listed, objects.url))
    except ObjectMissing:
        return {}  # a bucket that does not exist yet: writing will say so, or make it


def state_of(objects: Objects, path: str) -> tuple[ObjectState, str | None]:
    """An object's state and the SHA-256 that was recorded when it was written, or None. Raises `ObjectMissing`."""
    import obstore

    def asked() -> tuple[ObjectState, str | None]:
        found = obstore.get(objects.store, path, options={"head": True})
        digest = found.attributes.get(HASH_KEY)
        return ObjectState(found.meta["size"], found.meta["e_tag"]), str(digest) if digest else None

    return _asked(asked, objects.at(path))


def hash_of(objects: Objects, path: str) -> str | None:
    """The SHA-256 of an object: as recorded when it was written, or None; in a `file:///` folder that of its bytes."""
    if objects.folder is not None:
        file = objects.folder / path
        return sha256_file(file) if file.is_file() else None  # the client writes some letters of a name in another way
    return state_of(objects, path)[1]


def read_object(objects: Objects, path: str, most: int) -> bytes:
    """A whole small object. Raises `ObjectMissing`, and `BadInput` for one of more than `most` bytes."""
    import obstore

    def asked() -> bytes:
        found = obstore.get(objects.store, path)
        if found.meta["size"] > most:
            raise BadInput(f"{objects.at(path)} has {found.meta['size']} bytes; at most {most} can be right")
        data = bytes(found.bytes())
        if len(data) != found.meta["size"]:
            raise StorageFailed(f"{objects.at(path)} broke off after {len(data)} of {found.meta['size']} bytes")
        return data

    return with_attempts(lambda: _asked(asked, objects.at(path)))


def write_object(objects: Objects, path: str, data: bytes, create: bool = False) -> None:
    """Write a small object whole. With `create` it must not be there yet (`If-None-Match: *`): `ObjectExists`."""
    import obstore

    mode = "create" if create else "overwrite"
    with_attempts(
        lambda: _asked(lambda: obstore.put(objects.store, path, data, mode=mode, use_multipart=False), objects.at(path))
    )


def delete_object(objects: Objects, path: str) -> None:
    """Remove an object; one that is not there is no error."""
    import obstore

    try:
        _asked(lambda: obstore.delete(objects.store, path), objects.at(path))
    except ObjectMissing:
        return


def upload_file(
    objects: Objects,
    path: str,
    file: Path,
    size: int,
    sha256: str,
    on_bytes: Callable[[int], None] = lambda n: None,
) -> None:
    """Write a file to an object, in parts if it is large, with its hash recorded beside it.

    The bytes are hashed as they leave: an object whose bytes are not those of `sha256` is never completed, and
    `BadInput` names the file. `on_bytes(n)` is called with what was read, negative when an attempt begins again.
    """
    import obstore

    part = part_bytes(size)
    kept: dict = {} if objects.folder is not None else {"attributes": {HASH_KEY: sha256}}

    def attempt() -> None:
        read = 0

        def blocks() -> Iterator[bytes]:
            nonlocal read
            for block in _checked_blocks(file, size, sha256):
                read += len(block)
                on_bytes(len(block))
                yield block

        try:
            if size <= part:
                obstore.put(objects.store, path, b"".join(blocks()), use_multipart=False, **kept)
            else:
                obstore.put(
                    objects.store,
                    path,
                    blocks(),
                    use_multipart=True,
                    chunk_size=part,
                    max_concurrency=WINDOW,
                    **kept,
                )
        except BaseException:
            on_bytes(-read)
            raise

    with_attempts(lambda: _asked(attempt, objects.at(path)))


def part_bytes(size: int) -> int:
    """Bytes per part of a multipart upload of `size` bytes: whole mebibytes, and no more parts than there may be."""
    return max(PART_BYTES, -(-size // (MOST_PARTS << 20)) << 20)


def _checked_blocks(file: Path, size: int, sha256: str) -> Iterator[bytes]:
    digest, read = hashlib.sha256(), 0
    try:
        with open(file, "rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
                read += len(block)
                yield block
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); restore it") from error
    if read != size or digest.hexdigest() != sha256:
        raise BadInput(f"{file} is not as it was frozen; restore it, `vaak corpus verify` names all that are damaged")


def read_ranges(objects: Objects, path: str, start: int, state: ObjectState) -> Iterator[memoryview]:
    """The bytes of an object from `start` to its end, in order, in parts of `PART_BYTES`, some requested ahead.

    Every request carries `If-Match` with the state's change token. Raises `ObjectChanged` if the object is another by
    now, `ObjectMissing`, and `StorageFailed` where no attempt gave a part whole.
    """
    ranges = [(i, min(i + PART_BYTES, state.size)) for i in range(start, state.size, PART_BYTES)]
    if len(ranges) <= 1:
        yield from (read_range(objects, path, first, last, state) for first, last in ranges)
        return
    ahead: deque[Future[memoryview]] = deque()
    with ThreadPoolExecutor(WINDOW, thread_name_prefix="ranges") as pool:
        try:
            for first, last in ranges:
                done = ahead.popleft().result() if len(ahead) == WINDOW else None
                ahead.append(pool.submit(read_range, objects, path, first, last, state))
                if done is not None:
                    yield done  # the next request is on its way while this part is hashed and written
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def read_range(objects: Objects, path: str, first: int, last: int, state: ObjectState) -> memoryview:
    """The bytes first..last of an object, in one request with `If-Match`; raises as `read_ranges` does."""
    import obstore

    options: GetOptions = {"range": (first, last)}
    if state.etag is not None:
        options["if_match"] = state.etag

    def asked() -> memoryview:
        found = obstore.get(objects.store, path, options=options)
        if found.meta["size"] != state.size:
            raise _changed(objects.at(path))
        data = memoryview(found.bytes())
        if len(data) != last - first:
            raise StorageFailed(f"{objects.at(path)} broke off after {len(data)} of {last - first} bytes; run it again")
        return data

    return with_attempts(lambda: _asked(asked, objects.at(path)))


def with_attempts(work: Callable[[], _T]) -> _T:
    """The result of some work that is begun again, after a pause, when the storage failed."""
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except StorageFailed:
            time.sleep(0.2 * 2**attempt)
    return work()


def _asked(work: Callable[[], _T], address: str) -> _T:
    from obstore.exceptions import BaseError

    try:
        return work()
    except (BaseError, FileNotFoundError, NotImplementedError) as error:
        raise _said(error, address) from None  # the client's own report is long and repeats the request


def _said(error: Exception, address: str) -> BadInput:
    """The client's error as one of ours, in one sentence that holds nothing of the request but its address."""
    from obstore import exceptions

    text = str(error)
    status = re.search(r"status code: (\d{3}[ A-Za-z]*?)(?::|$)", text, re.M)
    code = re.search(r"<Code>(\w{1,60})</Code>", text)
    why = ", ".join(found[1].strip() for found in (status, code) if found)
    if code and code[1] == "NoSuchBucket":
        return ObjectMissing(f"{address}: its bucket does not exist; make the bucket, or correct the address")
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{address} does not exist; correct the address, or push it again")
    if isinstance(error, exceptions.PreconditionError) or why.startswith("416"):
        return _changed(address)  # 416: it ends before the range that its listed size promised
    if isinstance(error, exceptions.AlreadyExistsError):
        return ObjectExists(f"{address} exists already; choose another prefix")
    # Of a listing that was refused the client makes an error without a kind.
    refused = isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError)
    if refused or why[:3] in ("401", "403"):
        return BadInput(f"{address} was refused ({why or 'no permission'}); check the credentials and their rights")
    if not why:
        why = "it cannot be reached" if "HTTP error" in text else type(error).__name__
    return StorageFailed(f"{address} failed ({why}); check the endpoint, then run it again and it continues")


def _changed(address: str) -> ObjectChanged:
    return ObjectChanged(f"{address} changed while it was read; let nobody write there, then run it again")
