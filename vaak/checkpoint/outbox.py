"""What a publisher has sent, has still to send, and has given up, on disk: `RUN/publish/`, a file per checkpoint and target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from vaak.checkpoint.folder import step_name
from vaak.errors import BadInput
from vaak.storage.files import read_json, write_json
from vaak.storage.locks import only_one

Kind = Literal["full", "milestone"]
WAITING, PUBLISHED, SUPERSEDED = "waiting", "published", "superseded"


@dataclass(frozen=True)
class Record:
    """One checkpoint on its way to one target.

    target: an address, or a repository of the Hub. since: when it began to wait. attempts: that failed, and `error` the last
    one's sentence, or why it is superseded. where, files, bytes, seconds: of what was published. ended: when it was published
    or superseded the last time, also of one that waits again.
    """

    kind: Kind
    target: str
    checkpoint: str
    step: int
    state: str
    since: str
    attempts: int = 0
    error: str = ""
    where: str = ""
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    ended: str = ""


def again(record: Record) -> Record:
    """The record of what was published or superseded and is to be sent after all."""
    return replace(record, state=WAITING, since=now(), attempts=0, error="")


def publish_folder(run: str | Path) -> Path:
    return Path(run) / "publish"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def only_publisher(run: Path) -> Iterator[None]:
    """Be the only publisher of a run, by a lock that ends with its process. Raises `BadInput` if there is another."""
    folder = publish_folder(run)
    with ExitStack() as held:
        try:
            folder.mkdir(exist_ok=True)
            held.enter_context(
                only_one(folder / "lock", f"{run} is being published by another process; stop that one first")
            )
        except OSError as error:
            raise BadInput(
                f"{folder} cannot be written ({error.strerror}); correct that, then publish again"
            ) from error
        yield


def write_record(run: Path, record: Record) -> None:
    """Write a record whole or not at all. Raises `OSError` if the disk takes it not."""
    key = hashlib.sha256(f"{record.kind}\0{record.target}\0{record.checkpoint}".encode()).hexdigest()[:16]
    write_json(publish_folder(run) / f"{step_name(record.step)}-{record.kind}-{key}.json", asdict(record))


def read_records(run: str | Path) -> list[Record]:
    """All records of a run by step. One that cannot be read is left out: its checkpoint is looked at again."""
    return sorted(_readable(publish_folder(run).glob("step-*.json")), key=lambda one: (one.step, one.since))


def _readable(paths: Iterable[Path]) -> Iterable[Record]:
    for path in paths:
        try:
            found = read_json(path)
            yield Record(**{field.name: found[field.name] for field in fields(Record)})
        except (BadInput, KeyError, TypeError):
            continue
