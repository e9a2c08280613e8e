"""The results database: one row per checkpoint, pack, metric, metric version, language and item, written once.

SQLite in WAL mode on a local disk, so that a page can read while a sidecar writes. A row that is there is never
changed: writing it again does nothing, so work that was interrupted is simply done again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError

from vaak.errors import BadInput

_METADATA = sa.MetaData()
_RESULTS = sa.Table(
    "results",
    _METADATA,
    sa.Column("checkpoint_id", sa.String, primary_key=True),
    sa.Column("pack_id", sa.String, primary_key=True),
    sa.Column("metric", sa.String, primary_key=True),
    sa.Column("metric_version", sa.String, primary_key=True),
    sa.Column("language", sa.String, primary_key=True),
    sa.Column("item", sa.String, primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("detail", sa.String, nullable=False),
    sa.Column("written_at", sa.String, nullable=False),
)
# One row for each finished evaluation: which checkpoints need no visit any more.
_EVALUATIONS = sa.Table(
    "evaluations",
    _METADATA,
    sa.Column("checkpoint_id", sa.String, primary_key=True),
    sa.Column("pack_id", sa.String, primary_key=True),
    sa.Column("level", sa.String, primary_key=True),
    sa.Column("instruments", sa.String, primary_key=True),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("finished_at", sa.String, nullable=False),
)


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
    """An open database; `folder` is where files that belong to it (generations, logs) are kept."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._engine = engine
        self.folder = folder

    def write(self, results: Iterable[Result]) -> None:
        """Write all of them in one transaction; those that are there already stay as they are."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = [
            {**vars(result), "detail": json.dumps(result.detail, ensure_ascii=False, sort_keys=True), "written_at": now}
            for result in results
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(sqlite.insert(_RESULTS).on_conflict_do_nothing(), rows)

    def read(self, checkpoint_id: str | None = None, pack_id: str | None = None) -> list[Result]:
        """Rows of a checkpoint and a pack (None: of all), in the order in which they were written."""
        query = sa.select(*[_RESULTS.c[name] for name in Result.__dataclass_fields__])
        if checkpoint_id is not None:
            query = query.where(_RESULTS.c.checkpoint_id == checkpoint_id)
        if pack_id is not None:
            query = query.where(_RESULTS.c.pack_id == pack_id)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_RESULTS.c.written_at, sa.text("rowid"))).mappings().all()
        return [Result(**{**row, "detail": json.loads(row["detail"])}) for row in rows]

    def items_with(self, checkpoint_id: str, pack_id: str, versions: dict[str, str]) -> dict[str, set[str]]:
        """Which of the metrics (name -> version) each item has already."""
        found: dict[str, set[str]] = {}
        for row in self.read(checkpoint_id, pack_id):
            if versions.get(row.metric) == row.metric_version:
                found.setdefault(row.item, set()).add(row.metric)
        return found

    def finish(
        self, checkpoint_id: str, pack_id: str, level: str, instruments: str, items: int, seconds: float
    ) -> None:
        """Note that every item of `level` has been measured with these instruments."""
        row = {
            "checkpoint_id": checkpoint_id,
            "pack_id": pack_id,
            "level": level,
            "instruments": instruments,
            "items": items,
            "seconds": seconds,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._engine.begin() as connection:
            connection.execute(sqlite.insert(_EVALUATIONS).on_conflict_do_nothing(), row)

    def finished(self, pack_id: str | None = None) -> list[dict[str, Any]]:
        """Finished evaluations (checkpoint_id, pack_id, level, instruments, items, seconds, finished_at), oldest first."""
        query = sa.select(_EVALUATIONS).order_by(_EVALUATIONS.c.finished_at)
        if pack_id is not None:
            query = query.where(_EVALUATIONS.c.pack_id == pack_id)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        self._engine.dispose()


def open_results(path: str | Path) -> Results:
    """The database in file `path`, made if it is not there. Raises `BadInput` if the file is no database of Vaak."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
        event.listen(engine, "connect", _configure)
        _METADATA.create_all(engine)
    except (DatabaseError, OSError) as error:
        raise BadInput(
            f"{path}: cannot be used as a results database ({error.__cause__ or error}); name another file"
        ) from error
    return Results(engine, path.parent)


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
