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

from vaak.checkpoint.folder import CheckpointGone
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
    JobKey,
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


class Postponed(Exception):
    """A job could not be done now, by no fault of its checkpoint: storage is away. The text says why; the job waits again."""


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
    claim; it raises `Stopped` soon after the function that it is given turns true, `CheckpointGone` when the checkpoint
    went away, and `Postponed`. last_round: whether to return once each job seen is settled, here or elsewhere. missing: see
    `settle_gone`. Returns then, or soon after `stop` turns true. Raises `DatabaseGone`.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    done, offered, given_up = Followed(), dict[JobKey, Job](), set[JobKey]()
    while not stop():
        # Looked at before the jobs are: one that came before it is still seen.
        ending = last_round()
        wanted = find()
        # What another sidecar has noted as gone lies elsewhere too, where this one sees it; what this one did may come back.
        given_up &= {job.key for job in wanted}
        gone = {key for key, (state, _) in states_of(database, wanted).items() if state == GONE} - given_up
        offer_jobs(database, [job for job in wanted if job.key in gone or job.key not in offered])
        offered |= {job.key: job for job in wanted}
        if _settle(database, offered, missing, done, say) & {job.key for job in wanted}:
            continue  # it is gone from one place and seen at another: the next round offers it from there
        states = states_of(database, wanted)
        open_jobs = [job for job in wanted if states[job.key][0] in (WAITING, WORKING)]
        claim = claim_job(database, owner, open_jobs)
        if claim is not None:
            state = _do(database, claim, do, done, say, stop)
            if state == GONE:
                given_up.add(claim.job.key)
            elif state == WAITING and not stop():
                time.sleep(poll_seconds)
        elif ending and not open_jobs:
            break
        else:  # nothing to do, or another sidecar is at it, and may yet die
            time.sleep(poll_seconds)
    settled = states_of(database, list(offered.values()))
    done.failed = {key[0]: reason for key, (state, reason) in settled.items() if state == FAILED}
    return done


def _settle(
    database: Database,
    offered: dict[JobKey, Job],
    missing: Callable[[str], str | None],
    done: Followed,
    say: Callable[[str], None],
) -> set[JobKey]:
    """Note what is gone, into the database and into `done`; should it come back, it is offered again."""
    gone: set[JobKey] = set()
    for pack_id in {job.pack_id for job in offered.values()}:
        for key, reason in settle_gone(database, pack_id, missing).items():
            say(f"{key[0]}: {reason}")
            done.gone[key[0]] = reason
            offered.pop(key, None)
            gone.add(key)
    return gone


def _do(
    database: Database,
    claim: Claim,
    do: Callable[[Claim, Callable[[], bool]], None],
    done: Followed,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> str:
    """One claimed job, and what became of it into the database and into `done`; the job's new state."""
    identity = claim.job.checkpoint_id
    try:
        with _kept(database, claim) as lost:
            end = _tried(lambda: do(claim, lambda: stop() or lost()))
        state = end_job(database, claim, *end)
    except LeaseLost as error:
        say(str(error))
        return WORKING
    reason = end[1]
    if state == DONE:
        done.evaluated.append(identity)
        done.gone.pop(identity, None)  # its checkpoint is, and its speech was kept
    elif state == GONE:
        done.gone[identity] = reason
        say(f"{identity}: {reason}")
    elif end[0] == FAILED:
        say(f"{identity}: failed{'' if state == FAILED else ' and is tried again'}: {reason}")
    else:
        say(f"{identity}: {reason + '; it waits' if reason else 'stopped; the next start goes on from here'}")
    return state


def _tried(work: Callable[[], None]) -> tuple[str, str]:
    """(state, reason) that work leaves its job in. Raises what says that this sidecar has nothing more to say about it."""
    try:
        work()
    except Stopped:
        return WAITING, ""
    except (LeaseLost, DatabaseGone):
        raise
    except Postponed as away:
        return WAITING, str(away)
    except CheckpointGone as gone:
        return GONE, str(gone)
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
