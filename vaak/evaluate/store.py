"""The results database: one row per checkpoint, pack, metric, metric version, language and item, written once.

A row that is there is never changed: writing it again does nothing, so work that was interrupted is simply done again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vaak.evaluate.database import Database, open_database
from vaak.evaluate.jobs import Claim, hold, is_done, settle_finished
from vaak.evaluate.outbox import Entry, put_entries
from vaak.evaluate.tables import EVALUATIONS, RESULTS


@dataclass(frozen=True)
class Result:
    """One figure. `value` is finite; `detail` holds what explains it (counts, what was heard, why it is zero)."""

    checkpoint_id: str
    pack_id: str
    metric: str
    metric_version: str
    language: str
    item: str
    value: float
    detail: dict[str, Any] = field(default_factory=dict)


class Results:
    """An open database; `folder` is where files that belong to it (generations, logs) are kept.

    With a `claim` everything is written under its lease: once another sidecar has taken the job, writing raises
    `LeaseLost` and changes nothing.
    """

    def __init__(self, database: Database, claim: Claim | None = None) -> None:
        self.database, self.folder = database, database.folder
        self._claim = claim

    def under(self, claim: Claim) -> Results:
        """The same database, written under the lease of `claim`."""
        return Results(self.database, claim)

    def write(self, results: Iterable[Result], entries: Iterable[Entry] = ()) -> None:
        """Write all of them, and what trackers are to be told of them, in one transaction; what is there already stays."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = [
            {**vars(result), "detail": json.dumps(result.detail, ensure_ascii=False, sort_keys=True), "written_at": now}
            for result in results
        ]
        told = list(entries)

        def write(connection: sa.Connection) -> None:
            if self._claim is not None:
                hold(connection, self.database, self._claim, wrote=True)
            self.database.insert_once(connection, RESULTS, rows)
            put_entries(connection, self.database, told)

        if rows or told:
            self.database.transact(write)

    def read(self, checkpoint_id: str | None = None, pack_id: str | None = None) -> list[Result]:
        """Rows of a checkpoint and a pack (None: of all), in the order in which they were written; of one moment by item."""
        query = sa.select(*[RESULTS.c[name] for name in Result.__dataclass_fields__])  # `detail` is the last
        if checkpoint_id is not None:
            query = query.where(RESULTS.c.checkpoint_id == checkpoint_id)
        if pack_id is not None:
            query = query.where(RESULTS.c.pack_id == pack_id)
        rows = self.database.read_tuples(query.order_by(RESULTS.c.written_at, RESULTS.c.item, RESULTS.c.metric))
        return [Result(*figure, detail={} if detail == "{}" else json.loads(detail)) for *figure, detail in rows]

    def items_with(self, checkpoint_id: str, pack_id: str, versions: dict[str, str]) -> dict[str, set[str]]:
        """Which of the metrics (name -> version) each item has already."""
        found: dict[str, set[str]] = {}
        for row in self.read(checkpoint_id, pack_id):
            if versions.get(row.metric) == row.metric_version:
                found.setdefault(row.item, set()).add(row.metric)
        return found

    def finish(
        self,
        checkpoint_id: str,
        pack_id: str,
        level: str,
        instruments: str,
        items: int,
        seconds: float,
        entries: Iterable[Entry] = (),
    ) -> None:
        """Note, in one transaction with what trackers are told of it, that every item of `level` has been measured with
        these instruments; the job of it is done then, whoever did it."""
        row = {
            "checkpoint_id": checkpoint_id,
            "pack_id": pack_id,
            "level": level,
            "instruments": instruments,
            "items": items,
            "seconds": seconds,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        told = list(entries)

        def finish(connection: sa.Connection) -> None:
            if self._claim is not None:
                if is_done(connection, self._claim):
                    return  # it was committed, and the answer was lost
                hold(connection, self.database, self._claim, wrote=True)
            self.database.insert_once(connection, EVALUATIONS, [row])
            put_entries(connection, self.database, told)
            settle_finished(connection, (checkpoint_id, pack_id, level, instruments), self._claim)

        self.database.transact(finish)

    def finished(self, pack_id: str | None = None) -> list[dict[str, Any]]:
        """Finished evaluations (checkpoint_id, pack_id, level, instruments, items, seconds, finished_at), oldest first."""
        query = sa.select(EVALUATIONS).order_by(EVALUATIONS.c.finished_at)
        if pack_id is not None:
            query = query.where(EVALUATIONS.c.pack_id == pack_id)
        return [dict(row) for row in self.database.read(query)]

    def close(self) -> None:
        self.database.close()


def newest_versions(rows: Sequence[Result]) -> list[Result]:
    """Rows of the version of each metric that was written last: figures of two versions are never put together."""
    newest = {row.metric: row.metric_version for row in rows}
    return [row for row in rows if newest[row.metric] == row.metric_version]


def open_results(db: str | Path) -> Results:
    """The results database in the file `db`, made if it is not there, or at an address `postgresql+psycopg://user@host/name`.

    SQLite is for sidecars of one machine, on its own disk; PostgreSQL for those of several. A database of an older Vaak is
    brought up to date. Raises `BadInput` as `open_database` does.
    """
    return Results(open_database(db))
