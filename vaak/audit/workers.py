"""Who does the work: this process or several, with the same results in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaak import workers
from vaak.audit.finding import Around
from vaak.corpus import Corpus

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
    ended = "a process of the audit was ended (often there was too little memory); run it again with --processes 1"
    yield from workers.in_order(_work, calls, processes, (_open, (opened,)), ended)


def _open(opened: Opened) -> None:
    global _opened
    workers.end_with_parent()
    _opened = opened


def _work(call: Call) -> Any:
    assert _opened is not None
    function, task = call
    return function(_opened, task)
