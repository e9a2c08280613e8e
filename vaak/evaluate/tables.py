"""The tables of a results database as queries name them; `migrations` makes them."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()


def _text(name: str, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, primary_key=primary_key, nullable=nullable)


RESULTS = sa.Table(
    "results",
    METADATA,
    *[
        _text(name, primary_key=True)
        for name in ("checkpoint_id", "pack_id", "metric", "metric_version", "language", "item")
    ],
    sa.Column("value", sa.Float, nullable=False),
    _text("detail"),
    _text("written_at"),
)
# One row for each finished evaluation: which checkpoints need no visit any more.
EVALUATIONS = sa.Table(
    "evaluations",
    METADATA,
    *[_text(name, primary_key=True) for name in ("checkpoint_id", "pack_id", "level", "instruments")],
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    _text("finished_at"),
)
# What is to be evaluated and what became of it; `vaak.evaluate.jobs` says what the columns mean.
JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    *[_text(name) for name in ("checkpoint_id", "pack_id", "level", "instruments")],
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("completed_at", sa.Float, nullable=False),
    *[_text(name) for name in ("host", "place", "state")],
    sa.Column("fence", sa.Integer, nullable=False),
    _text("owner", nullable=True),
    sa.Column("expires_at", sa.Float, nullable=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("deaths", sa.Integer, nullable=False),
    _text("reason"),
)
# What trackers are still to be told; `vaak.evaluate.outbox` hands it out.
OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    _text("entry_key"),
    sa.Column("step", sa.Integer, nullable=False),
    _text("entry_values"),
    sa.Column("taken_until", sa.Float, nullable=True),
    _text("sent_at", nullable=True),
)
