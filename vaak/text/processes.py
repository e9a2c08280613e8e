"""Who prepares the documents: this process or several. The results are the same, and come in the same order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from vaak.errors import BadInput
from vaak.grammar.fast_encoding import encoder_elsewhere, fast_encoder
from vaak.grammar.tokenizer import TextTokenizer
from vaak.text.document import Raw
from vaak.text.prepare import Encode, Steps, prepare
from vaak.text.prepared import Packed, packed
from vaak.workers import end_with_parent

# What a caller wants to have back beside the result.
_Mark = TypeVar("_Mark")

# Batches in flight for each process: one in work, the others wait for it.
_AHEAD = 3

_opened: tuple[Encode, int] | None = None


def default_processes() -> int:
    """As many as there are cores for this process."""
    return len(os.sched_getaffinity(0))


def prepared_in_order(
    batches: Iterator[tuple[_Mark, list[Raw], Steps]], tokenizer: TextTokenizer, processes: int
) -> Iterator[tuple[_Mark, Packed]]:
    """Each batch prepared and packed, in the order of the batches, whoever did it. Few are ever waiting, so memory does not grow.

    Raises `BadInput` if the system ended a process.
    """
    encoder = fast_encoder(tokenizer)
    if processes <= 1:
        encode = encoder.encode
        for mark, documents, steps in batches:
            yield mark, packed(prepare(documents, steps, encode, tokenizer.end_of_text_id), steps.source)
        return
    # Fresh interpreters: a fork would inherit this process's threads in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    opening = (tokenizer.source, encoder.library, tokenizer.end_of_text_id)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_open, initargs=opening)
    waiting: deque[tuple[Any, Future[Packed]]] = deque()
    try:
        for mark, documents, steps in batches:
            waiting.append((mark, pool.submit(_work, documents, steps)))
            if len(waiting) > _AHEAD * processes:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    except BrokenProcessPool as error:
        raise BadInput(
            "a process was ended (often there was too little memory); inputs that are done are kept, run again with "
            "fewer --processes"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _first(waiting: deque[tuple[Any, Future[Packed]]]) -> tuple[Any, Packed]:
    mark, future = waiting.popleft()
    return mark, future.result()


def _open(source: str, library: str, end_of_text_id: int) -> None:
    global _opened
    end_with_parent()
    # A process has one core: batches are what runs beside each other.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _opened = encoder_elsewhere(source, library), end_of_text_id


def _work(documents: list[Raw], steps: Steps) -> Packed:
    assert _opened is not None
    return packed(prepare(documents, steps, *_opened), steps.source)
