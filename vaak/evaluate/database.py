"""The connection to a results database: a SQLite file on this machine, or a PostgreSQL server for sidecars on several.

Everything is written in short transactions that may be done again from their start: rows have unique keys, and writers
of jobs name the fence of their lease. So a lost connection, a restart of the server or a deadlock is waited out here,
and a commit whose answer was lost is simply tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from vaak.errors import BadInput
from vaak.evaluate.migrations import migrate

SCHEME = "postgresql+psycopg"
# A server that restarts is back well within this; how long one is waited for, and how long at the start.
PATIENCE_SECONDS = 60.0
_CONNECT_SECONDS, _IDLE_SECONDS = 10, 30
# Any constant: the advisory lock under which claims are made one at a time, and the schema is changed.
_LOCK = 0x7661616B
T = TypeVar("T")


class DatabaseGone(BadInput):
    """The database did not answer for too long, or cannot write: no fault of the job at hand."""


class Database:
    """An open database. `name` is how messages call it, without a password; `folder` holds files that belong to it."""

    def __init__(self, engine: sa.Engine, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._engine = engine
        self._reading = engine.execution_options(reading=True)
        self._server = engine.dialect.name == "postgresql"
        # Seconds since 1970 by the database's clock: no clock of a sidecar's machine enters a lease.
        self.now: sa.ColumnElement[float] = sa.literal_column(
            "extract(epoch from clock_timestamp())::float8"
            if self._server
            else "((julianday('now') - 2440587.5) * 86400.0)",
            sa.Float,
        )

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` gives, done in one transaction that writes. After a lost connection it is done again from its start.

        Raises `DatabaseGone` when the database does not answer for a minute, or cannot write.
        """

        def once() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return self._patiently(once)

    def read(self, query: sa.Select) -> Sequence[sa.RowMapping]:
        """The rows of a query, without keeping any writer waiting. Raises `DatabaseGone` as `transact` does."""
        return [row._mapping for row in self.read_tuples(query)]

    def read_tuples(self, query: sa.Select) -> Sequence[sa.Row]:
        """The same in the order of the query's columns: for very many rows, without names."""

        def once() -> Sequence[sa.Row]:
            with self._reading.connect() as connection:
                return connection.execute(query).all()

        return self._patiently(once)

    def insert_once(self, connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows; those whose key is there already stay as they are."""
        dialect = postgresql if self._server else sqlite
        chosen = [dict(row) for row in rows]
        if chosen:
            connection.execute(dialect.insert(table).on_conflict_do_nothing(), chosen)

    def one_at_a_time(self, connection: sa.Connection) -> None:
        """Wait until no other transaction that called this is under way; for SQLite every one that writes is alone."""
        if self._server:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))

    def close(self) -> None:
        self._engine.dispose()

    def _patiently(self, once: Callable[[], T]) -> T:
        until, pause = time.monotonic() + PATIENCE_SECONDS, 0.05
        while True:
            try:
                return once()
            except DBAPIError as error:
                passing = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
                if not passing:
                    raise
                # SQLite has waited for other writers already; what it reports is no passing matter.
                if not self._server or time.monotonic() > until:
                    raise DatabaseGone(
                        f"{self.name}: the results database does not answer ({reason_of(error)}); mend that and start "
                        "again: it goes on from what is written"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, 2.0)


def open_database(db: str | Path) -> Database:
    """The database in the file `db`, made if it is not there, or at an address `postgresql+psycopg://user@host/name`.

    Its schema is brought up to the present one. Files that belong to a SQLite file lie beside it, those of a server in
    the current folder. Raises `BadInput` for a file that is no database of Vaak, a schema newer than this Vaak's, an
    address of another kind, a missing driver, and a server that does not answer.
    """
    name = shown(db)
    try:
        if is_address(db):
            engine, folder = _server_engine(_parsed(db)), Path()
        else:
            Path(db).parent.mkdir(parents=True, exist_ok=True)
            engine, folder = _file_engine(Path(db)), Path(db).parent
        database = Database(engine, name, folder)
        migrate(engine, database.one_at_a_time, name)
    except ModuleNotFoundError as error:
        raise BadInput(f"{name}: the driver {error.name} is not installed; run pip install 'vaak[postgres]'") from error
    except (DBAPIError, OSError) as error:
        remedy = "check the address and that the server runs" if is_address(db) else "name another file"
        raise BadInput(f"{name}: cannot be used as a results database ({reason_of(error)}); {remedy}") from error
    return database


def is_address(db: str | Path) -> bool:
    """Whether `db` is an address of a server, not a path."""
    return "://" in str(db)


def folder_of(db: str | Path) -> Path:
    """Where files that belong to a database lie: beside it, or in the current folder for one on a server."""
    return Path() if is_address(db) else Path(db).parent


def shown(db: str | Path) -> str:
    """`db` as messages may call it: what stands between `://` and the last `@`, and after `?`, may hold a password."""
    if not is_address(db):
        return str(db)
    scheme, _, rest = str(db).partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def without_password(db: str | Path) -> tuple[str, dict[str, str]]:
    """(`db` without its password, the environment that gives it to the driver): a command line is for all to read."""
    if not is_address(db):
        return str(db), {}
    url = _parsed(db)
    password = url.password or url.query.get("password")
    if not isinstance(password, str):
        return str(db), {}
    bare = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
    return bare.difference_update_query(["password"]).render_as_string(), {"PGPASSWORD": password}


def reason_of(error: Exception) -> str:
    """What the driver says, on one line."""
    return " ".join(str(error.__cause__ or error).split())


def _parsed(db: str | Path) -> sa.URL:
    scheme = str(db).partition("://")[0]
    if scheme != SCHEME:
        raise BadInput(
            f"{shown(db)}: is no results database; give the path of a SQLite file or {SCHEME}://user@host/name"
        )
    try:
        url = sa.make_url(str(db))
    except (ArgumentError, ValueError):
        url = None
    # Neither is the parser's complaint repeated nor, with an @ too many, the server asked: both might say a part of the password.
    if url is None or not url.database or str(db).partition("?")[0].count("@") > 1:
        raise BadInput(
            f"{shown(db)}: cannot be read as {SCHEME}://user@host:port/name; write an @ in a password as %40"
        ) from None
    return url


def _server_engine(url: sa.URL) -> sa.Engine:
    # A sidecar that is suspended inside a transaction would hold its locks for ever; the server ends it instead.
    session = f"-c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000}"
    arguments = {"connect_timeout": _CONNECT_SECONDS, "options": session}
    # A connection that died with the server is noticed before it is used; two are enough for a sidecar and its heartbeat.
    return sa.create_engine(url, pool_pre_ping=True, pool_size=2, connect_args=arguments)


def _file_engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": 60})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin` says when a transaction begins, not the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """A transaction that will write takes the write lock first: one that read before could not wait for it any more."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
