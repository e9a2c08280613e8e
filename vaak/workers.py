"""Worker processes: what one owes the one that started it, and how several work through pieces in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from vaak.errors import BadInput

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

# Pieces in flight for each process: one in work, the others wait for it.
_AHEAD = 3


def end_with_parent() -> None:
    """Let this worker process end when its parent is gone: one that is killed cannot end its workers. Ctrl-C and the end of a
    terminal, which reach every process of it, and what a scheduler sends to all of a job, are left to the parent."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def in_order(
    work: Callable[[_Piece], _Result],
    pieces: Iterable[_Piece],
    processes: int,
    opening: tuple[Callable[..., None], tuple[Any, ...]],
    ended: str,
) -> Iterator[_Result]:
    """What `work` makes of each piece, in the order of the pieces. Few are ever waiting, so memory does not grow.

    `opening` is a function, with its arguments, that each process calls first. Raises `BadInput` with the sentence `ended` if
    the system ended a process.
    """
    # Fresh interpreters: a fork would inherit this process's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=opening[0], initargs=opening[1])
    waiting: deque[Future[_Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BadInput(ended) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
