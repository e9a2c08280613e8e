"""Jobs: which checkpoint is to be evaluated how, which sidecar is at it, and what became of it.

A sidecar claims a job by a lease: an owner, a time at which it expires unless renewed, and a fence, a number that grows
by one with every claim. Who lost a lease and does not know it (it was stopped, or cut off) still writes under its old
fence; `hold` checks the fence inside the transaction of every write, so such a write is refused. Expiry is by the
database's clock. That the fence decides and not the time: an expired lease that nobody took still holds.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from vaak.evaluate.database import Database
from vaak.evaluate.tables import JOBS

# A lease that nobody renewed for so long may be taken by another sidecar.
LEASE_SECONDS = 30.0
# A job whose evaluation failed this often is put aside with its reason, until a sidecar is started again.
ATTEMPTS = 2
# So is one under which this many sidecars ended or stood still without writing anything: it may be what kills them.
DEATHS = 5

# What the column `state` says. The last three are settled: nobody works on them.
WAITING, WORKING, DONE, FAILED, GONE = "waiting", "working", "done", "failed", "gone"
# The scale comes first, then what somebody asked for, then quick looks.
REFERENCE = "reference"
_ORDER = (REFERENCE, "full", "quick")

JobKey = tuple[str, str, str, str]


@dataclass(frozen=True)
class Job:
    """One evaluation. completed_at: seconds since 1970, newer ones go first. place: the checkpoint's folder, absolute."""

    checkpoint_id: str
    pack_id: str
    level: str
    instruments: str
    step: int = 0
    completed_at: float = 0.0
    place: str = ""

    @property
    def key(self) -> JobKey:
        return (self.checkpoint_id, self.pack_id, self.level, self.instruments)


@dataclass(frozen=True)
class Claim:
    """A job that was taken, and the fence under which its results may be written."""

    id: int
    fence: int
    job: Job


class LeaseLost(Exception):
    """Another sidecar has taken the job since: nothing of this one's is written any more."""


def offer_jobs(database: Database, jobs: Sequence[Job]) -> None:
    """Put jobs on the list. Those that are there stay as they are; failed ones and ones that had gone wait again."""

    def offer(connection: sa.Connection) -> None:
        fresh = {"host": socket.gethostname(), "state": WAITING, "fence": 0, "failures": 0, "deaths": 0, "reason": ""}
        database.insert_once(connection, JOBS, [vars(job) | fresh for job in jobs])
        for job in jobs:
            connection.execute(
                sa.update(JOBS)
                .where(*_is(job.key), JOBS.c.state.in_((FAILED, GONE)))
                .values(state=WAITING, failures=0, deaths=0, place=job.place, host=socket.gethostname())
            )

    if jobs:
        database.transact(offer)


def claim_job(database: Database, owner: str, wanted: Sequence[Job]) -> Claim | None:
    """Take the first of the `wanted` jobs that nobody is at: full evaluations first, then the newest; None if there is none.

    A checkpoint that another sidecar is at on another level is passed over. owner: a name of this process that no other has.
    """
    by_key = {job.key: job for job in wanted}

    def claim(connection: sa.Connection) -> Claim | None:
        database.one_at_a_time(connection)
        expired = (JOBS.c.expires_at < database.now).label("expired")
        rows = connection.execute(sa.select(JOBS, expired).where(_unsettled(wanted))).mappings().all()
        # One's own is claimable: its claim was made, but the answer was lost with the connection.
        free = {row["id"] for row in rows if row["state"] == WAITING or row["expired"] or row["owner"] == owner}
        busy = {row["checkpoint_id"] for row in rows if row["id"] not in free}
        for row in sorted(rows, key=_turn):
            job = by_key.get(_key(row))
            if job is not None and row["id"] in free and row["checkpoint_id"] not in busy:
                fence = _take(connection, database, row, owner)
                if fence is not None:
                    return Claim(row["id"], fence, job)
        return None

    return database.transact(claim) if wanted else None


def hold(connection: sa.Connection, database: Database, claim: Claim, wrote: bool = False) -> None:
    """Renew a lease as part of a transaction, which from then on nobody can take the job from.

    wrote: results go with it, so that this job is not what kills sidecars. Raises `LeaseLost` if the lease is another's.
    """
    changes: dict[str, Any] = {"expires_at": database.now + LEASE_SECONDS} | ({"deaths": 0} if wrote else {})
    if _change(connection, claim, **changes) != 1:
        raise LeaseLost(f"{claim.job.checkpoint_id}: another sidecar has taken over its evaluation")


def end_job(database: Database, claim: Claim, state: str, reason: str = "") -> str:
    """Give a claimed job back: DONE, FAILED (tried again while attempts are left), GONE, or WAITING; returns its new state.

    Raises `LeaseLost` if the lease is another's. Ending twice under one claim is ending once.
    """

    def end(connection: sa.Connection) -> str:
        row = connection.execute(sa.select(JOBS).where(JOBS.c.id == claim.id)).mappings().one()
        failures = row["failures"] + (state == FAILED)
        after = WAITING if state == FAILED and failures < ATTEMPTS else state
        if _change(connection, claim, state=after, failures=failures, reason=reason, expires_at=None) == 1:
            return after
        if row["fence"] != claim.fence or row["state"] == WORKING:
            raise LeaseLost(f"{claim.job.checkpoint_id}: another sidecar has taken over its evaluation")
        return row["state"]

    return database.transact(end)


def settle_finished(connection: sa.Connection, key: JobKey, claim: Claim | None) -> None:
    """Part of the transaction that notes an evaluation as finished: its job is done, and a quick look that it contains."""
    checkpoint_id, pack_id, level, instruments = key
    for covered in (level, "quick") if level == "full" else (level,):
        idle = JOBS.c.state.in_((WAITING, FAILED, GONE))
        same = _is((checkpoint_id, pack_id, covered, instruments))
        connection.execute(sa.update(JOBS).where(*same, idle).values(state=DONE, reason=""))
    if claim is not None:
        _change(connection, claim, state=DONE, reason="", expires_at=None)


def is_done(connection: sa.Connection, claim: Claim) -> bool:
    """Whether this very claim has ended its job as done."""
    query = sa.select(JOBS.c.id).where(JOBS.c.id == claim.id, JOBS.c.fence == claim.fence, JOBS.c.state == DONE)
    return connection.execute(query).first() is not None


def settle_gone(database: Database, pack_id: str, missing: Callable[[str], str | None]) -> dict[JobKey, str]:
    """Note jobs that nobody is at and whose checkpoint is there no more; returns their reasons.

    `missing` gives the reason for a place, or None. Asked only about places that a sidecar of this machine has named: what
    another machine sees is not for this one to say.
    """
    query = sa.select(JOBS).where(JOBS.c.pack_id == pack_id, JOBS.c.host == socket.gethostname(), _idle(database))
    found = {}
    for row in database.read(query):
        reason = missing(row["place"])
        if reason is not None:
            change = sa.update(JOBS).where(JOBS.c.id == row["id"], JOBS.c.fence == row["fence"], _idle(database))
            # With the next fence: who held it may only stand still.
            change = change.values(state=GONE, reason=reason, fence=JOBS.c.fence + 1, expires_at=None)
            if database.transact(lambda connection, change=change: connection.execute(change).rowcount):
                found[_key(row)] = reason
    return found


def list_jobs(database: Database, pack_id: str | None = None) -> list[dict[str, Any]]:
    """All jobs as dictionaries, newest checkpoint first: `state`, `reason`, `failures`, `deaths`, `owner`, `fence` and more."""
    query = sa.select(JOBS).order_by(JOBS.c.completed_at.desc(), JOBS.c.id.desc())
    if pack_id is not None:
        query = query.where(JOBS.c.pack_id == pack_id)
    return [dict(row) for row in database.read(query)]


def states_of(database: Database, jobs: Sequence[Job]) -> dict[JobKey, tuple[str, str]]:
    """(state, reason) of each of these jobs that is on the list."""
    keys = {job.key for job in jobs}
    query = sa.select(JOBS).where(JOBS.c.pack_id.in_({job.pack_id for job in jobs}))
    return {_key(row): (row["state"], row["reason"]) for row in database.read(query) if _key(row) in keys}


def _take(connection: sa.Connection, database: Database, row: sa.RowMapping, owner: str) -> int | None:
    """The new fence, or None for a job that has cost too many sidecars, which is put aside."""
    died = row["state"] == WORKING and row["owner"] != owner
    deaths = row["deaths"] + died
    changes: dict[str, Any] = {"fence": row["fence"] + 1, "deaths": deaths}
    if deaths >= DEATHS:
        reason = f"{deaths} sidecars in a row ended or stood still at it and wrote nothing"
        changes |= {"state": FAILED, "reason": reason, "expires_at": None}
    else:
        changes |= {"state": WORKING, "owner": owner, "expires_at": database.now + LEASE_SECONDS}
    # Its holder may have renewed it since it was read: the row is looked at again as it is changed.
    free = sa.or_(_idle(database), JOBS.c.owner == owner)
    changed = connection.execute(
        sa.update(JOBS).where(JOBS.c.id == row["id"], JOBS.c.fence == row["fence"], free).values(**changes)
    ).rowcount
    return row["fence"] + 1 if changed and changes["state"] == WORKING else None


def _change(connection: sa.Connection, claim: Claim, **values: Any) -> int:
    """Change a job if it is still at work under this claim; returns how many rows that were."""
    mine = (JOBS.c.id == claim.id, JOBS.c.fence == claim.fence, JOBS.c.state == WORKING)
    return connection.execute(sa.update(JOBS).where(*mine).values(**values)).rowcount


def _idle(database: Database) -> sa.ColumnElement[bool]:
    expired = sa.and_(JOBS.c.state == WORKING, JOBS.c.expires_at < database.now)
    return sa.or_(JOBS.c.state == WAITING, expired)


def _unsettled(wanted: Sequence[Job]) -> sa.ColumnElement[bool]:
    """Of whole packs: a list of every wanted checkpoint could be longer than a statement may be."""
    packs = {job.pack_id for job in wanted}
    return sa.and_(JOBS.c.pack_id.in_(packs), JOBS.c.state.in_((WAITING, WORKING)))


def _is(key: JobKey) -> tuple[sa.ColumnElement[bool], ...]:
    names = ("checkpoint_id", "pack_id", "level", "instruments")
    return tuple(JOBS.c[name] == value for name, value in zip(names, key, strict=True))


def _key(row: sa.RowMapping) -> JobKey:
    return (row["checkpoint_id"], row["pack_id"], row["level"], row["instruments"])


def _turn(row: sa.RowMapping) -> tuple[int, float, int]:
    return (_ORDER.index(row["level"]) if row["level"] in _ORDER else len(_ORDER), -row["completed_at"], -row["id"])
