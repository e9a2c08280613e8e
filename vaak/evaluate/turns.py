"""Items measured several at once and handed back in order, until asked to stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


class Stopped(Exception):
    """The caller asked to stop; what is written stays, and the next call goes on from there."""


def in_turn(
    measured: Callable[[Item], Found], items: Sequence[Item], threads: int, stop: Callable[[], bool]
) -> Iterator[Found]:
    """`measured` of each item in order, `threads` of them at once. Raises `Stopped` when `stop` turned true."""
    with ThreadPoolExecutor(threads) as pool:
        # Never more work under way than threads: a stop waits for the items at hand and no others.
        queue: deque[Future[Found]] = deque()
        for item in items:
            if stop():
                raise Stopped
            queue.append(pool.submit(measured, item))
            if len(queue) == threads:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
