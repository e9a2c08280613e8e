"""Leases: how a reader, perhaps on another machine, keeps a checkpoint from being removed while it reads.

A lease is an object `<run>/leases/step-NNNNNNNN/<holder>.json` that its holder writes again every minute or so; one that has
stood still for `SECONDS` has expired. Who respects leases measures that with its own monotonic clock from when it saw the
lease first or changed: no clock of another machine enters, and none that jumps.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from vaak.checkpoint.folder import step_name
from vaak.errors import BadInput
from vaak.storage.files import canonical_json
from vaak.storage.objects import (
    ObjectMissing,
    Objects,
    ObjectState,
    delete_object,
    list_objects,
    open_objects,
    write_object,
)

# A lease that nobody renewed for so long has expired.
SECONDS = 600.0
_RENEWALS = 6

_FOLDER = "leases"


def objects_of(run: str | Path) -> Objects:
    """The objects of a run: of its folder, or of the address (`s3://…`) that it was published to.

    Raises `ObjectMissing` for a folder that is not there.
    """
    return open_objects(str(run) if "://" in str(run) else f"file://{quote(str(Path(run).resolve()))}")


@contextmanager
def lease(run: str | Path, step: int, purpose: str) -> Iterator[None]:
    """Hold a lease on a checkpoint while the block runs. After entering, look whether the checkpoint is still complete.

    run: the folder or the address of its run. purpose: a word that tells people who holds it. A renewal that fails is tried
    again at the next. Raises `BadInput` if the lease cannot be written at all.
    """
    objects = objects_of(run)
    holder = f"{purpose}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    path = f"{_FOLDER}/{step_name(step)}/{holder}.json"
    over = threading.Event()

    def write(times: int) -> None:
        write_object(objects, path, canonical_json({"holder": holder, "seconds": SECONDS, "renewed": times}))

    def renew() -> None:
        times = 0
        while not over.wait(SECONDS / _RENEWALS):
            times += 1
            with suppress(BadInput, OSError):
                write(times)

    write(0)
    thread = threading.Thread(target=renew, name=f"lease-{step}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(BadInput, OSError):  # it expires by itself
            delete_object(objects, path)


class LeaseWatch:
    """Which checkpoints of a run are held now. One is kept for as long as somebody retains checkpoints: it remembers what it saw.

    A lease seen for the first time counts as held, however old it is.
    """

    def __init__(self, run: str | Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.run, self._clock = run, clock
        self._seen: dict[str, tuple[ObjectState, float]] = {}

    def held(self) -> dict[str, str]:
        """By the name of its step, `step-NNNNNNNN`, a holder of each held checkpoint. Expired leases are left where they are."""
        found, now = {}, self._clock()
        seen: dict[str, tuple[ObjectState, float]] = {}
        for path, state in self._leases().items():
            step, _, holder = path.partition("/")
            before = self._seen.get(path)
            since = before[1] if before is not None and before[0] == state else now
            seen[path] = (state, since)
            if now - since < SECONDS:
                found[step] = holder.removesuffix(".json")
        self._seen = seen
        return found

    def _leases(self) -> dict[str, ObjectState]:
        try:
            return list_objects(objects_of(f"{self.run}/{_FOLDER}"))
        except ObjectMissing:
            return {}
