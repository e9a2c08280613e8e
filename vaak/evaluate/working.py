"""The loop of a sidecar: offer what it sees, claim a job, do it under a lease that a heartbeat renews, note what became of it."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from vaak.errors import BadInput
from vaak.evaluate import jobs as leases
from vaak.evaluate.database import Database, DatabaseGone
from vaak.evaluate.jobs import (
    DONE,
    FAILED,
    GONE,
    WAITING,
    WORKING,
    Claim,
    Job,
    LeaseLost,
    claim_job,
    end_job,
    hold,
    offer_jobs,
    settle_gone,
    states_of,
)
from vaak.evaluate.turns import Stopped

# A lease is renewed so often before it expires: several renewals may fail, or come late.
_RENEWALS = 6


class Removed(Exception):
    """The checkpoint of a job was removed before or while it was evaluated; the text says by whom."""


@dataclass
class Followed:
    """What a sidecar did: ids of checkpoints that it evaluated, and the reasons of those that failed or were removed.

    A checkpoint that failed counts whoever tried it last; it is tried again by the next sidecar that starts.
    """

    evaluated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)


def work_through(
    database: Database,
    find: Callable[[], Sequence[Job]],
    do: Callable[[Claim, Callable[[], bool]], None],
    *,
    last_round: Callable[[], bool],
    missing: Callable[[str], str | None] = lambda place: None,
    poll_seconds: float = 2.0,
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Followed:
    """Do jobs, sharing them with every other sidecar of this database.

    find: the jobs that this one sees and could do, asked at every round. do: one of them, all of whose writes name the
    claim; it raises `Stopped` soon after the function that it is given turns true, and `Removed` when the checkpoint went
    away. last_round: whether to return once each job seen is settled, here or elsewhere. missing: see `settle_gone`.
    Returns then, or soon after `stop` turns true. Raises `DatabaseGone`.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    done, offered = Followed(), dict[tuple, Job]()
    while not stop():
        # Looked at before the jobs are: one that came before it is still seen.
        ending = last_round()
        wanted = find()
        offer_jobs(database, [job for job in wanted if job.key not in offered])
        offered |= {job.key: job for job in wanted}
        for pack_id in {job.pack_id for job in offered.values()}:
            for key, reason in settle_gone(database, pack_id, missing).items():
                say(f"{key[0]}: {reason}")
                done.gone[key[0]] = reason
                offered.pop(key, None)  # should it come back, it is offered again
        states = states_of(database, wanted)
        open_jobs = [job for job in wanted if states[job.key][0] in (WAITING, WORKING)]
        claim = claim_job(database, owner, open_jobs)
        if claim is not None:
            _do(database, claim, do, done, say, stop)
        elif ending and not open_jobs:
            break
        else:  # nothing to do, or another sidecar is at it, and may yet die
            time.sleep(poll_seconds)
    settled = states_of(database, list(offered.values()))
    done.failed = {key[0]: reason for key, (state, reason) in settled.items() if state == FAILED}
    return done


def _do(
    database: Database,
    claim: Claim,
    do: Callable[[Claim, Callable[[], bool]], None],
    done: Followed,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> None:
    """One claimed job, and what became of it into the database and into `done`."""
    identity = claim.job.checkpoint_id
    try:
        with _kept(database, claim) as lost:
            end = _tried(lambda: do(claim, lambda: stop() or lost()))
        state = end_job(database, claim, *end)
    except LeaseLost as error:
        say(str(error))
        return
    reason = end[1]
    if state == DONE:
        done.evaluated.append(identity)
    elif state == GONE:
        done.gone[identity] = reason
        say(f"{identity}: {reason}")
    elif end[0] == FAILED:
        say(f"{identity}: failed{'' if state == FAILED else ' and is tried again'}: {reason}")
    else:
        say(f"{identity}: stopped; the next start goes on from here")


def _tried(work: Callable[[], None]) -> tuple[str, str]:
    """(state, reason) that work leaves its job in. Raises what says that this sidecar has nothing more to say about it."""
    try:
        work()
    except Stopped:
        return WAITING, ""
    except (LeaseLost, DatabaseGone):
        raise
    except Removed as removed:
        return GONE, str(removed)
    except Exception as error:
        return FAILED, str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
    return DONE, ""


@contextmanager
def _kept(database: Database, claim: Claim) -> Iterator[Callable[[], bool]]:
    """Renew a lease from a thread while the block runs; gives a function that tells whether another sidecar has it now."""
    over, lost = threading.Event(), threading.Event()

    def renew() -> None:
        while not over.wait(leases.LEASE_SECONDS / _RENEWALS):
            try:
                database.transact(lambda connection: hold(connection, database, claim))
            except LeaseLost:
                lost.set()
                return
            except DatabaseGone:  # the work itself will find that out
                continue

    thread = threading.Thread(target=renew, name=f"lease-of-job-{claim.id}", daemon=True)
    thread.start()
    try:
        yield lost.is_set
    finally:
        over.set()
        thread.join()
