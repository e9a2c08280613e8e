"""Sidecars that share jobs on one database while they crash, stand still and lose the database; for tests and the benchmark.

What an item costs is a stand-in, `stand_in_figure`: a hash instead of a voice. Everything else is the real thing: the
database, the jobs and leases, the loop with its heartbeat, the outbox. Run as a program it is one such sidecar.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event

from vaak.errors import BadInput
from vaak.evaluate import jobs as leases
from vaak.evaluate.database import Database
from vaak.evaluate.jobs import DONE, Claim, Job, LeaseLost, list_jobs
from vaak.evaluate.outbox import Entry, drain_outbox
from vaak.evaluate.store import Result, Results, open_results
from vaak.evaluate.tables import OUTBOX
from vaak.evaluate.turns import Stopped
from vaak.evaluate.working import work_through

PACK, INSTRUMENTS = "chaos", "stand-in"
_POLL_SECONDS = 0.05
# Exit codes: of a hard crash, and of a start while the database is away, which whoever supervises sidecars tries again.
_CRASHED, _NO_DATABASE = 9, 2
_MOST_REFUSED_STARTS = 100


@dataclass(frozen=True)
class Plan:
    """What is done and what goes wrong. Shares are of claims; a stall lasts half as long again as a lease."""

    jobs: int
    items: int
    processes: int
    crash_share: float = 0.15
    stall_share: float = 0.05
    lease_seconds: float = 2.0
    seed: int = 1


@dataclass(frozen=True)
class Found:
    """Counts of what happened and of what is in the database afterwards."""

    wanted: int
    results: int
    results_twice: int
    right: int
    late_writes: int
    entries: int
    told: int
    told_again: int
    out_of_order: int
    jobs_done: int
    claims: int
    crashes: int
    crashes_in_a_transaction: int
    stalls: int
    refused: int
    restarts: int
    seconds: float


def run_chaos(plan: Plan, db: str, folder: Path, restart: Callable[[], None] | None = None) -> Found:
    """Sidecars of `plan` on the database `db` until every job is settled; those that died are started again.

    restart: restarts the database, called once, when a third of the results is there.
    """
    results = open_results(db)
    began, restarts, refused_starts = time.monotonic(), 0, 0
    running = [_start(plan, db, folder) for _ in range(plan.processes)]
    while running:
        time.sleep(0.1)
        ended = [process for process in running if process.poll() is not None]
        for process in ended:
            running.remove(process)
            refused_starts += process.returncode == _NO_DATABASE
            if (
                process.returncode in (-signal.SIGKILL, _CRASHED, _NO_DATABASE)
                and refused_starts < _MOST_REFUSED_STARTS
            ):
                running.append(_start(plan, db, folder))
            elif process.returncode != 0:
                raise AssertionError(
                    f"a sidecar ended with {process.returncode}: {(folder / 'errors').read_text()[-4000:]}"
                )
        if restart is not None and restarts == 0 and _written(results.database) >= plan.jobs * plan.items // 3:
            restart()
            restarts = 1
    drain_outbox(results.database, _tracker(folder))
    seconds = time.monotonic() - began
    try:
        return _found(plan, results, folder, restarts, seconds)
    finally:
        results.close()


def stand_in_figure(job: str, item: str) -> float:
    """Stands for all that measuring an item takes: a number that only this item of this job has."""
    return int.from_bytes(hashlib.sha256(f"{job} {item}".encode()).digest()[:4], "big") / 2**32


def _start(plan: Plan, db: str, folder: Path) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "CHAOS_DB": db}
    with open(folder / "errors", "ab") as errors:
        command = [sys.executable, "-m", "tests.evaluate.chaos", json.dumps(asdict(plan)), str(folder)]
        return subprocess.Popen(command, env=environment, stderr=errors)


def _note(folder: Path, what: str) -> None:
    """One line, with the operating system before anything else happens to this process."""
    with open(folder / "events", "ab", buffering=0) as file:
        file.write(f"{what}\n".encode())


def _tracker(folder: Path) -> Callable[[Entry], None]:
    """The tracker of these sidecars: a file that all of them append to."""

    def send(entry: Entry) -> None:
        with open(folder / "told", "ab", buffering=0) as file:
            file.write(json.dumps([entry.key, entry.step]).encode() + b"\n")

    return send


def _sidecar(plan: Plan, db: str, folder: Path) -> None:
    leases.LEASE_SECONDS = plan.lease_seconds
    try:
        results = open_results(db)
    except BadInput as error:
        print(error, file=sys.stderr)
        sys.exit(_NO_DATABASE)
    offered = [_job(number) for number in range(plan.jobs)]
    dying: list[bool] = []
    event.listen(results.database._engine, "after_cursor_execute", _dying_in_a_transaction(dying, folder))

    def find() -> list[Job]:
        drain_outbox(results.database, _tracker(folder))
        return offered

    def do(claim: Claim, stop: Callable[[], bool]) -> None:
        _note(folder, "claim")
        fate = random.Random(f"{plan.seed} {claim.job.checkpoint_id} {claim.fence}")
        what, when = fate.random(), fate.randrange(plan.items)
        if claim.fence % (leases.DEATHS - 1) == 0:
            what = 1.0  # nothing goes wrong so often in a row that the job is put aside, which is another test's matter
        under = results.under(claim)
        there = results.items_with(claim.job.checkpoint_id, PACK, {"figure": "1"})
        for number in range(plan.items):
            if number == when and what < plan.crash_share / 2:
                _note(folder, "crash")
                os.kill(os.getpid(), signal.SIGKILL)
            elif number == when and what < plan.crash_share:
                dying.append(True)
            elif number == when and what < plan.crash_share + plan.stall_share:
                _stand_still(1.5 * plan.lease_seconds, folder)
            elif stop():
                raise Stopped
            if f"{number:04d}" not in there or (number == when and what < plan.crash_share + plan.stall_share):
                _write(under, claim, number, folder)
        under.finish(*claim.job.key, plan.items, 0.0)

    work_through(results.database, find, do, last_round=lambda: True, poll_seconds=_POLL_SECONDS)


def _job(number: int) -> Job:
    return Job(f"run/{number}/x", PACK, "full", INSTRUMENTS, step=number, completed_at=float(number))


def _write(under: Results, claim: Claim, number: int, folder: Path) -> None:
    job, item = claim.job.checkpoint_id, f"{number:04d}"
    row = Result(job, PACK, "figure", "1", "en", item, stand_in_figure(job, item), {"fence": claim.fence})
    values = {"evaluate/step": claim.job.step, "fence": claim.fence}
    try:
        under.write([row], [Entry(f"{job} {item}", claim.job.step, values)])
    except LeaseLost:
        _note(folder, "refused")
        raise


def _dying_in_a_transaction(dying: list[bool], folder: Path) -> Callable[..., None]:
    def after(connection, cursor, statement: str, *_: object) -> None:
        if dying and statement.startswith("INSERT INTO results"):
            _note(folder, "crash in a transaction")
            os._exit(_CRASHED)

    return after


def _stand_still(seconds: float, folder: Path) -> None:
    """The whole process, its heartbeat too, as on a machine that is suspended."""
    _note(folder, "stall")
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)


def _written(database: Database) -> int:
    return int(database.read(sa.select(sa.func.count().label("n")).select_from(OUTBOX))[0]["n"])


def _found(plan: Plan, results: Results, folder: Path, restarts: int, seconds: float) -> Found:
    rows = results.read(pack_id=PACK)
    of_item = Counter((row.checkpoint_id, row.item) for row in rows)
    outbox = results.database.read(sa.select(OUTBOX).order_by(OUTBOX.c.id))
    newest: dict[int, int] = {}
    late = 0
    for entry in outbox:
        fence = json.loads(entry["entry_values"])["fence"]
        late += fence < newest.get(entry["step"], 0)
        newest[entry["step"]] = max(fence, newest.get(entry["step"], 0))
    told = [tuple(json.loads(line)) for line in (folder / "told").read_text().splitlines()]
    first = list(dict.fromkeys(told))
    order = {entry["entry_key"]: entry["id"] for entry in outbox}
    by_step: dict[int, list[int]] = {}
    for key, step in first:
        by_step.setdefault(step, []).append(order[key])
    events = Counter((folder / "events").read_text().splitlines())
    return Found(
        wanted=plan.jobs * plan.items,
        results=len(of_item),
        results_twice=len(rows) - len(of_item),
        right=sum(row.value == stand_in_figure(row.checkpoint_id, row.item) for row in rows),
        late_writes=late,
        entries=len({entry["entry_key"] for entry in outbox} & {f"{job} {item}" for job, item in of_item}),
        told=len(first),
        told_again=len(told) - len(first),
        out_of_order=sum(a > b for ids in by_step.values() for a, b in pairwise(ids)),
        jobs_done=sum(job["state"] == DONE for job in list_jobs(results.database, PACK)),
        claims=events["claim"],
        crashes=events["crash"] + events["crash in a transaction"],
        crashes_in_a_transaction=events["crash in a transaction"],
        stalls=events["stall"],
        refused=events["refused"],
        restarts=restarts,
        seconds=seconds,
    )


if __name__ == "__main__":
    _sidecar(Plan(**json.loads(sys.argv[1])), os.environ["CHAOS_DB"], Path(sys.argv[2]))
