"""The outbox: what trackers are to be told, written together with the results that it tells of, and handed on from there.

A tracker is told at least once: who dies between telling and noting it leaves the entry to be told again, at most the
batch at hand. Each entry has a key by which a tracker that can may drop what it knows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from vaak.evaluate.database import Database
from vaak.evaluate.tables import OUTBOX

# Entries taken at once, and how long nobody else takes them: the head of the line keeps those behind it waiting. With an
# entry go sounds that are decoded first, so a batch may take minutes beside a training.
_BATCH, _TAKEN_SECONDS = 8, 600.0


@dataclass(frozen=True)
class Entry:
    """What a tracker is told: values by name, at the step of the checkpoint they are of, under a key of their own.

    Steps go backwards when the newest checkpoint is evaluated first; so a tracker has to plot these values over this step
    and not over the order in which they come (W&B: `define_metric("evaluate/*", step_metric="evaluate/step")`).
    """

    key: str
    step: int
    values: dict[str, Any]


def put_entries(connection: sa.Connection, database: Database, entries: Iterable[Entry]) -> None:
    """Part of a transaction that writes: entries whose key is there already stay as they are."""
    rows = [
        {"entry_key": one.key, "step": one.step, "entry_values": json.dumps(one.values, ensure_ascii=False)}
        for one in entries
    ]
    database.insert_once(connection, OUTBOX, rows)


def drain_outbox(database: Database, send: Callable[[Entry], bool | None]) -> int:
    """Hand every entry that was not sent to `send`, those of a checkpoint in the order in which they were written.

    Returns how many were sent. Where `send` returns False the entry stays for another time, and those behind it have their turn.
    While another process hands entries on, this one leaves them to it. What `send` raises is raised; what it had taken before
    is noted as sent.
    """
    sent = passed = 0
    while database.read(_unsent(1, passed)):
        batch = database.transact(lambda connection, passed=passed: _take(connection, database, passed))
        if not batch:
            break
        told: list[int] = []
        try:
            for number, entry in batch.items():
                if send(entry) is False:
                    passed = number
                else:
                    told.append(number)
        finally:
            database.transact(lambda connection, batch=batch, told=told: _give_back(connection, list(batch), told))
        sent += len(told)
    return sent


def entries_after(database: Database, number: int) -> list[tuple[int, Entry]]:
    """Every entry with a higher number, sent or not, with its own; in the order in which they were written."""
    query = sa.select(OUTBOX).where(OUTBOX.c.id > number).order_by(OUTBOX.c.id)
    return [
        (row["id"], Entry(row["entry_key"], row["step"], json.loads(row["entry_values"])))
        for row in database.read(query)
    ]


def unsent_runs(database: Database) -> Counter[str]:
    """How many entries of each run no tracker has taken yet; a key begins with its run's name."""
    query = sa.select(OUTBOX.c.entry_key).where(OUTBOX.c.sent_at.is_(None))
    return Counter(key.partition("/")[0] for (key,) in database.read_tuples(query))


def _unsent(count: int, after: int = 0) -> sa.Select:
    waiting = sa.select(OUTBOX).where(OUTBOX.c.sent_at.is_(None), OUTBOX.c.id > after)
    return waiting.order_by(OUTBOX.c.id).limit(count)


def _take(connection: sa.Connection, database: Database, after: int = 0) -> dict[int, Entry]:
    """The oldest unsent entries behind the number `after`, by their own; none while the oldest of them is taken."""
    database.one_at_a_time(connection)
    taken = sa.func.coalesce(OUTBOX.c.taken_until > database.now, sa.false()).label("taken")
    rows = connection.execute(_unsent(_BATCH, after).add_columns(taken)).mappings().all()
    if not rows or rows[0]["taken"]:
        return {}
    free = [row for row in rows if not row["taken"]]
    numbers = [row["id"] for row in free]
    connection.execute(
        sa.update(OUTBOX).where(OUTBOX.c.id.in_(numbers)).values(taken_until=database.now + _TAKEN_SECONDS)
    )
    return {row["id"]: Entry(row["entry_key"], row["step"], json.loads(row["entry_values"])) for row in free}


def _give_back(connection: sa.Connection, numbers: list[int], told: list[int]) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id.in_(numbers)).values(taken_until=None))
    connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id.in_(told)).values(sent_at=now))
