"""Who encodes the parts: this process, or several; each on one thread, so that their number changes no code."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from vaak.corpus.encode_parts import Encoder, encode_part
from vaak.corpus.recordings import Recordings
from vaak.errors import BadInput
from vaak.storage.files import room_on_disk
from vaak.workers import end_with_parent


def encode_parts(
    parts: Path, numbers: Sequence[int], codec: Encoder, workers: int, done: Callable[[int], None]
) -> None:
    """Encode the numbered parts in `workers` processes and call `done(number)` after each.

    With one worker it happens in this process. A codec for several must pickle: the ones of `vaak.codec` are opened
    again in each process. Raises `BadInput` for a worker's own, and for one that the system ended.
    """
    if workers <= 1 or len(numbers) <= 1:
        _encode_here(parts, numbers, codec, done)
        return
    # A fresh interpreter per worker: a fork would inherit this one's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, Any] = {}
    try:
        for first in range(min(workers, len(numbers))):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=_worker, args=(theirs, parts, numbers[first::workers], codec, codec.hash), daemon=True
            )
            process.start()
            theirs.close()
            running[ours] = process
        while running:
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                if not _heard(connection, running[connection], done):
                    running.pop(connection).join()
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()


def _heard(connection: Connection, process: Any, done: Callable[[int], None]) -> bool:
    """Take one message of a worker; whether it has more to say."""
    try:
        kind, content = connection.recv()
    except EOFError:
        process.join()
        raise BadInput(
            f"a worker ended with {_ended(process.exitcode)}; finished parts are kept, run again with fewer --workers"
        ) from None
    if kind == "bad":
        raise BadInput(content)
    if kind == "failed":
        raise RuntimeError(f"a worker failed:\n{content}")
    if kind == "part":
        done(content)
    return kind != "end"


def _ended(code: int) -> str:
    return f"signal {-code} (9 is often too little memory)" if code < 0 else f"exit code {code}"


def _encode_here(parts: Path, numbers: Sequence[int], codec: Encoder, done: Callable[[int], None]) -> None:
    from vaak.codec.batches import one_thread

    recordings = Recordings()
    for number in numbers:
        with one_thread(), room_on_disk(parts):
            encode_part(parts, number, codec, recordings)
        done(number)


def _worker(connection: Connection, parts: Path, numbers: Sequence[int], codec: Encoder, codec_hash: str) -> None:
    end_with_parent()
    try:
        if codec.hash != codec_hash:
            raise BadInput(f"codec {codec.name} changed while it was in use; restore its files")
        _encode_here(parts, numbers, codec, lambda number: connection.send(("part", number)))
        connection.send(("end", None))
    except BadInput as error:
        connection.send(("bad", str(error)))
    except Exception:
        connection.send(("failed", traceback.format_exc()))
