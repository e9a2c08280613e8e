"""Who prepares the documents: this process or several. The results are the same, and come in the same order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

from vaak.grammar.fast_encoding import encoder_elsewhere, fast_encoder
from vaak.grammar.tokenizer import TextTokenizer
from vaak.text.document import Raw
from vaak.text.prepare import Encode, Steps, prepare
from vaak.text.prepared import Packed, packed
from vaak.workers import end_with_parent, in_order

# What a caller wants to have back beside the result.
_Mark = TypeVar("_Mark")

_ENDED = (
    "a process was ended (often there was too little memory); inputs that are done are kept, run again with fewer "
    "--processes"
)

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
    marks: deque[_Mark] = deque()

    def pieces() -> Iterator[tuple[list[Raw], Steps]]:
        for mark, documents, steps in batches:
            marks.append(mark)
            yield documents, steps

    opening = (_open, (tokenizer.source, encoder.library, tokenizer.end_of_text_id))
    for result in in_order(_work, pieces(), processes, opening, _ENDED):
        yield marks.popleft(), result


def _open(source: str, library: str, end_of_text_id: int) -> None:
    global _opened
    end_with_parent()
    # A process has one core: batches are what runs beside each other.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _opened = encoder_elsewhere(source, library), end_of_text_id


def _work(piece: tuple[list[Raw], Steps]) -> Packed:
    assert _opened is not None
    documents, steps = piece
    return packed(prepare(documents, steps, *_opened), steps.source)
