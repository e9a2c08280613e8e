"""Who does the work: this process or several, with the same results in the same order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from vaak.audit.finding import Around
from vaak.corpus import Corpus
from vaak.errors import BadInput
from vaak.workers import end_with_parent

# A process takes about as long to start as so many samples take to examine, a second or two.
SAMPLES_PER_PROCESS = 20_000


@dataclass(frozen=True)
class Opened:
    """What every piece of work needs. Another process opens the corpus itself: no token is sent to it."""

    corpus: Corpus
    around: Around
    limits: Mapping[str, Mapping[str, Any]]


# A function of this room, and the piece of work that it is called with after `Opened`.
Call = tuple[Callable[[Opened, Any], Any], Any]

_opened: Opened | None = None


def default_processes(samples: int) -> int:
    """As many as there are cores for this process, fewer for few samples."""
    return max(1, min(len(os.sched_getaffinity(0)), samples // SAMPLES_PER_PROCESS))


def in_order(opened: Opened, calls: Sequence[Call], processes: int) -> Iterator[Any]:
    """The results of the calls, in their order. Few are ever waiting, so memory does not grow with their number.

    Raises `BadInput` if the system ended a process.
    """
    if processes <= 1 or len(calls) <= 1:
        for function, task in calls:
            yield function(opened, task)
        return
    # Fresh interpreters: a fork would inherit this process's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_open, initargs=(opened,))
    waiting: deque[Future[Any]] = deque()
    try:
        for call in calls:
            waiting.append(pool.submit(_work, call))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BadInput(
            "a process of the audit was ended (often there was too little memory); run it again with --processes 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _open(opened: Opened) -> None:
    global _opened
    end_with_parent()
    _opened = opened


def _work(call: Call) -> Any:
    assert _opened is not None
    function, task = call
    return function(_opened, task)
