"""What the libraries under the text pipeline manage alone, each as a pipeline would call it, on one core.

A pipeline cannot be faster than its slowest step, so benchmarks/text.py holds the whole against these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, pairwise
from pathlib import Path

import ftfy
import py3langid
import pycld2
from ftfy.badness import is_bad
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue]
from selectolax.lexbor import LexborHTMLParser
from tokenizers import Tokenizer

Step = Callable[[Sequence[str]], object]

PIECE = 1_000  # characters, where a classifier sees a piece of a document only
BATCH = 64
SLOTS = 128


def library_steps(tokenizer: Path) -> dict[str, Step]:
    """Each step by name: a function of texts. `tokenizer` is a `tokenizer.json`.

    Set TOKENIZERS_PARALLELISM=false before, or that step takes all cores.
    """
    encoder = Tokenizer.from_file(str(tokenizer))
    return {
        "tokenizers encode_batch_fast": lambda texts: encoder.encode_batch_fast(list(texts), add_special_tokens=False),
        "ftfy is_bad": lambda texts: [is_bad(text) for text in texts],
        "ftfy fix_text": lambda texts: [ftfy.fix_text(text) for text in texts],
        "selectolax parse and text": lambda texts: [_text_of_page(text) for text in texts],
        "pycld2 detect": lambda texts: [_cld2(text) for text in texts],
        "pycld2 detect, 1,000 characters": lambda texts: [_cld2(text[:PIECE]) for text in texts],
        "py3langid classify": lambda texts: [py3langid.classify(text) for text in texts],
        "py3langid classify, 1,000 characters": lambda texts: [py3langid.classify(text[:PIECE]) for text in texts],
        "rensa signature of word pairs": lambda texts: [_signature(text) for text in texts],
    }


def megabytes_per_second(step: Step, texts: Iterable[str], seconds: float = 2.0) -> float:
    """MB of UTF-8 (whole documents, also where a piece is looked at) per second of CPU, after a batch that warms up.

    No text comes twice, for caches of words would make a second pass too fast. CPU time, so that other work on the machine
    does not count. Ends after `seconds`, or with the texts.
    """
    size, spent = 0, 0.0
    remaining = iter(texts)
    first = True
    while batch := list(islice(remaining, BATCH)):
        start = time.process_time()
        step(batch)
        took = time.process_time() - start
        if not first:
            spent += took
            size += sum(len(text.encode()) for text in batch)
        first = False
        if spent > seconds:
            break
    return size / 1e6 / spent if spent else float("nan")


def _text_of_page(text: str) -> str:
    return LexborHTMLParser(text).text(separator="\n")


def _cld2(text: str) -> object:
    try:
        return pycld2.detect(text, isPlainText=True, bestEffort=True)
    except (pycld2.error, UnicodeError):  # a code point that it refuses
        return None


def _signature(text: str) -> list[int]:
    sketch = RMinHash(num_perm=SLOTS, seed=1)
    sketch.update([f"{first} {second}" for first, second in pairwise(text.casefold().split())])
    return sketch.digest()
