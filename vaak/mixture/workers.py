"""Processes that build batches: each opens the plan for itself, and ends when the process that wanted it does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from vaak.corpus import Corpus
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.batch import PackedBatch
from vaak.mixture.plan import Plan
from vaak.mixture.row_reader import RowReader

# What a worker's reader is made from.
Opened = tuple[Plan, Sequence[Corpus], Vocabulary, TextTokenizer]

_reader: RowReader | None = None


def worker_pool(workers: int, opened: Opened) -> ProcessPoolExecutor:
    """So many processes that can `build_batch`.

    They begin anew: nothing of this process is forked, which may have threads and a GPU, and they have its environment of
    now, which a server of forks would not have.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_open, initargs=(opened,))


def build_batch(numbers: list[int]) -> PackedBatch:
    """These rows as one batch, in a worker."""
    assert _reader is not None
    return _reader.batch(numbers)


def _open(opened: Opened) -> None:
    global _reader
    # Signals to the training's group are for the training: it says when the workers end.
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _reader = RowReader(*opened)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
