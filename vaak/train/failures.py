"""One rank's failure ends all ranks, within seconds and with that rank's own sentence.

A rank that fails writes why into the store through which the processes found each other; every rank looks there twice a
second. A rank that dies without a word (out of memory, a lost machine) is missed when its sign of life stops. Without this
the others would stand in a collective, at full price, until its timeout.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch.distributed as dist

from vaak.errors import BadInput, Interrupted
from vaak.train.world import World

EVERY = 0.5
# A rank whose interpreter is held up (a long call that keeps the lock) is not dead yet.
SILENCE = 60.0

# The store may live in the first rank's process, which then stays for so long until the others have read why they end.
LAST_WORDS = 5.0

_FAILED, _ALIVE, _KNOWS = "vaak/failed", "vaak/alive/", "vaak/knows/"


@contextmanager
def sharing_failures(world: World) -> Iterator[None]:
    """While the block runs, a failure of any rank ends this process too: exit 2 for bad input, else 1."""
    if world.size == 1:
        yield
        return
    # A connection of its own: a call that waits on the group's would hold up the sign of life.
    store: Any = dist.distributed_c10d._get_default_store()
    store = store.clone()
    over, rounds = threading.Event(), [0]
    watch = threading.Thread(target=_watch, args=(world, store, over, rounds), name="vaak-failures", daemon=True)
    watch.start()
    threading.Thread(target=_guard, args=(over, rounds), name="vaak-failures-guard", daemon=True).start()
    try:
        try:
            yield
        except Interrupted:  # all of them stop at the same step
            world.wait()
            raise
        world.wait()  # who leaves early would be missed by those that are still here
    except Interrupted:
        raise
    except BaseException as error:
        # Whoever is first is the one to blame; what follows on other ranks are broken connections.
        report = {"rank": world.rank, "message": _sentence(error), "code": 2 if isinstance(error, BadInput) else 1}
        with suppress(dist.DistError):  # where the store has gone before, the error speaks for itself
            before = json.loads(store.compare_set(_FAILED, "", json.dumps(report)))
            _part(world, store)
            if before["rank"] != world.rank:
                _leave(before)
        raise
    finally:
        over.set()
        watch.join(LAST_WORDS)


def _guard(over: threading.Event, rounds: list[int]) -> None:
    """End this process where a call of the watch never returns, because the process that hosts the store hangs.

    Counted in turns of this thread and not by a clock: what holds up the interpreter holds up both.
    """
    seen, turns = -1, 0
    while not over.wait(EVERY):
        turns = turns + 1 if rounds[0] == seen else 0
        seen = rounds[0]
        if turns * EVERY > SILENCE:
            _leave({"rank": 0, "message": f"no sign of life for {SILENCE:.0f} s", "code": 1})


def _watch(world: World, store: Any, over: threading.Event, rounds: list[int]) -> None:
    beats: dict[int, tuple[bytes, float]] = {}
    beat = 0
    while not over.wait(EVERY):
        beat += 1
        rounds[0] = beat
        try:
            if store.check([_FAILED]):
                report = json.loads(store.get(_FAILED))
                if report["rank"] != world.rank:
                    _part(world, store)
                    _leave(report)
                return
            store.set(f"{_ALIVE}{world.rank}", str(beat))
            silent = _silent(world, beats, lambda rank: store.get(f"{_ALIVE}{rank}"), store)
        except Exception:  # the store lives in the first process, or its launcher
            if not over.is_set():
                _leave({"rank": 0, "message": "its process is gone", "code": 1})
            return
        if silent is not None:
            _leave({"rank": silent, "message": f"no sign of life for {SILENCE:.0f} s", "code": 1})


def _silent(
    world: World, beats: dict[int, tuple[bytes, float]], last: Callable[[int], bytes], store: Any
) -> int | None:
    """A rank that has given no sign of life for too long. The first rank looks at all, the others at the first."""
    now = time.monotonic()
    for rank in range(world.size) if world.is_first else (0,):
        if rank == world.rank or not store.check([f"{_ALIVE}{rank}"]):
            continue
        found = last(rank)
        if rank not in beats or beats[rank][0] != found:
            beats[rank] = (found, now)
        elif now - beats[rank][1] > SILENCE:
            return rank
    return None


def _part(world: World, store: Any) -> None:
    """Let the first rank know that this one knows; the first waits for all. A store that has gone meanwhile needs no word."""
    end = time.monotonic() + LAST_WORDS
    everyone = [f"{_KNOWS}{rank}" for rank in range(world.size)]
    with suppress(dist.DistError):
        store.set(everyone[world.rank], "yes")
        while world.is_first and time.monotonic() < end and not store.check(everyone):
            time.sleep(EVERY / 10)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, BadInput) else f"{type(error).__name__}: {text}"


def _leave(report: dict[str, Any]) -> None:
    """End this process at once: its main thread may stand in a collective that nobody will finish."""
    print(f"rank {report['rank']} failed, so this one ends: {report['message']}", file=sys.stderr, flush=True)
    os._exit(int(report["code"]))
