"""What keeps a recording's codes its own: batches of one length, windows of long recordings, one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


def equal_length_batches(lengths: Sequence[int], limit: int) -> list[list[int]]:
    """Indices of `lengths` in batches of one length each, at most `limit` in total (but never less than one item).

    An encoder without a mask hears padding: only what is equally long may share a batch. Shorter ones come first,
    equal ones in their order.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        last = batches[-1] if batches else []
        fits = bool(last) and lengths[last[0]] == lengths[index] and (len(last) + 1) * lengths[index] <= limit
        if fits:
            last.append(index)
        else:
            batches.append([index])
    return batches


def windows(n: int, whole: int, window: int, context: int) -> list[tuple[int, int, int, int]]:
    """(start, stop, left, right) of each piece of `n` codes: what to keep, and the wider part to compute for it.

    Up to `whole` codes are one piece without context.
    """
    if n <= whole:
        return [(0, n, 0, n)]
    starts = range(0, n, window)
    return [(s, min(s + window, n), max(0, s - context), min(n, s + window + context)) for s in starts]


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: how a sum is divided among threads can change its last bit, and so a code."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
