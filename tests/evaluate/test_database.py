"""Opening a results database: a file or an address, old schemas brought up to date, bad input in one sentence."""

import sqlite3
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from vaak.errors import BadInput
from vaak.evaluate import migrations
from vaak.evaluate.database import DatabaseGone, open_database, shown, without_password
from vaak.evaluate.jobs import Job, claim_job, list_jobs, offer_jobs
from vaak.evaluate.store import Result, open_results
from vaak.evaluate.tables import METADATA

# What Vaak made before its databases counted versions, letter by letter as SQLite gives it back.
BEFORE_VERSIONS = """
CREATE TABLE results (
	checkpoint_id VARCHAR NOT NULL,
	pack_id VARCHAR NOT NULL,
	metric VARCHAR NOT NULL,
	metric_version VARCHAR NOT NULL,
	language VARCHAR NOT NULL,
	item VARCHAR NOT NULL,
	value FLOAT NOT NULL,
	detail VARCHAR NOT NULL,
	written_at VARCHAR NOT NULL,
	PRIMARY KEY (checkpoint_id, pack_id, metric, metric_version, language, item)
);
CREATE TABLE evaluations (
	checkpoint_id VARCHAR NOT NULL,
	pack_id VARCHAR NOT NULL,
	level VARCHAR NOT NULL,
	instruments VARCHAR NOT NULL,
	items INTEGER NOT NULL,
	seconds FLOAT NOT NULL,
	finished_at VARCHAR NOT NULL,
	PRIMARY KEY (checkpoint_id, pack_id, level, instruments)
);
INSERT INTO results VALUES
	('run/1/x', 'pack', 'wer', '1', 'en', 'b', 0.25, '{"heard": "मेरी"}', '2026-01-01T00:00:00.000+00:00'),
	('run/1/x', 'pack', 'wer', '1', 'en', 'a', 0.5, '{}', '2026-01-01T00:00:01.000+00:00');
INSERT INTO evaluations VALUES ('run/1/x', 'pack', 'quick', 'abc', 2, 1.5, '2026-01-01T00:00:02+00:00');
"""


def test_a_database_of_before_versions_keeps_all_and_takes_jobs(tmp_path):
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(BEFORE_VERSIONS)
    for _ in range(2):
        results = open_results(tmp_path / "old.db")
        assert results.read() == [
            Result("run/1/x", "pack", "wer", "1", "en", "b", 0.25, {"heard": "मेरी"}),
            Result("run/1/x", "pack", "wer", "1", "en", "a", 0.5, {}),
        ]
        [finished] = results.finished("pack")
        assert (finished["level"], finished["items"], finished["seconds"]) == ("quick", 2, 1.5)
        job = Job("run/2/y", "pack", "quick", "abc")
        offer_jobs(results.database, [job])
        assert [one["checkpoint_id"] for one in list_jobs(results.database)] == ["run/2/y"]
        results.close()


def test_the_tables_are_those_that_the_migrations_make(db):
    database = open_database(db)
    inspector = sa.inspect(database._engine)
    assert {*METADATA.tables, "schema_version"} <= {*inspector.get_table_names()}
    for table in METADATA.tables.values():
        made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        made |= dict.fromkeys(
            (column.name for column in table.primary_key), False
        )  # SQLite does not say so of a number
        assert made == {column.name: column.nullable for column in table.columns}
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        kinds = {column["name"]: column["type"]._type_affinity for column in inspector.get_columns(table.name)}
        assert kinds == {column.name: column.type._type_affinity for column in table.columns}
    database.close()


def test_a_step_of_the_schema_that_fails_changes_nothing(db, monkeypatch):
    open_database(db).close()
    broken = (*migrations.MIGRATIONS, ("CREATE TABLE more (x INTEGER)", "CREATE TABLE jobs (x INTEGER)"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", broken)
        patch.setattr(migrations, "VERSION", len(broken))
        with pytest.raises((BadInput, DBAPIError)):
            open_database(db)
    database = open_database(db)
    assert "more" not in sa.inspect(database._engine).get_table_names()
    database.close()


def test_a_newer_schema_is_refused(db):
    database = open_database(db)
    database.transact(lambda connection: connection.execute(sa.text("UPDATE schema_version SET version = 99")))
    database.close()
    with pytest.raises(BadInput, match=r"version 99 and this Vaak knows up to 2; use the Vaak that wrote it"):
        open_database(db)


def test_results_are_the_same_from_either_kind_of_database(db):
    results = open_results(db)
    first = Result("run/1/x", "pack", "wer", "1", "en", "item", 0.1, {"heard": "मेरी"})
    results.write([first])
    results.write([Result("run/1/x", "pack", "wer", "1", "en", "item", 0.9)])
    assert results.read("run/1/x", "pack") == [first]
    for _ in range(2):
        results.finish("run/1/x", "pack", "quick", "abc", 1, 2.5)
    assert [(one["level"], one["seconds"]) for one in results.finished()] == [("quick", 2.5)]
    results.close()


def test_a_restart_of_the_server_is_waited_out(postgres, postgres_url):
    results = open_results(postgres_url)
    rows = [Result("run/1/x", "pack", "wer", "1", "en", str(number), 0.5) for number in range(2)]
    results.write(rows[:1])
    postgres.restart()
    results.write(rows[1:])
    assert results.read() == rows
    results.close()


def test_a_server_that_does_not_come_back_is_no_endless_wait(postgres, postgres_url, monkeypatch):
    monkeypatch.setattr("vaak.evaluate.database.PATIENCE_SECONDS", 0.2)
    database = open_database(postgres_url)
    postgres.stop()
    with pytest.raises(DatabaseGone, match="does not answer") as refused:
        list_jobs(database)
    postgres.start()
    assert postgres.password not in str(refused.value)
    assert list_jobs(database) == []
    database.close()


@pytest.mark.parametrize("scheme", ["mysql", "postgresql", "postgres+psycopg2", "sqlite", "s3"])
def test_another_kind_of_address_is_refused(scheme):
    with pytest.raises(BadInput, match=r"give the path of a SQLite file or postgresql\+psycopg://") as refused:
        open_database(f"{scheme}://me:hushhush@host/name?password=hushhush")
    assert "hushhush" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["me:hush@hush@host/db", "me:hu@sh/hush@host/db", "me:hush@host", "me@host:port/db", ""]
)
def test_an_address_that_cannot_be_read_is_refused_without_a_part_of_the_password(address):
    with pytest.raises(BadInput, match="cannot be read") as refused:
        open_database(f"postgresql+psycopg://{address}")
    assert "hu" not in str(refused.value)


def test_a_server_that_does_not_answer_or_knows_no_such_user_is_refused(postgres):
    from tests.storage.server import free_ports

    [port] = free_ports(1)
    with pytest.raises(BadInput, match="check the address and that the server runs") as refused:
        open_database(f"postgresql+psycopg://me:hushhush@127.0.0.1:{port}/name")
    assert "hushhush" not in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(BadInput, match="authentication failed") as refused:
        open_database(postgres.url.replace(postgres.password, "hushhush"))
    assert "hushhush" not in str(refused.value) and "\n" not in str(refused.value)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadInput, match=r"driver psycopg is not installed; run pip install 'vaak\[postgres\]'"):
        open_database("postgresql+psycopg://me@127.0.0.1:1/name")


def test_a_password_stands_neither_in_messages_nor_on_a_command_line():
    assert shown("postgresql+psycopg://me:hush@host:5432/name?password=hush") == "postgresql+psycopg://host:5432/name"
    for address in ("postgresql+psycopg://me:hush@host/name", "postgresql+psycopg://me@host/name?password=hush"):
        assert without_password(address) == ("postgresql+psycopg://me@host/name", {"PGPASSWORD": "hush"})
    assert without_password("postgresql+psycopg://me@host/name") == ("postgresql+psycopg://me@host/name", {})
    assert without_password("a/results.db") == ("a/results.db", {})


def test_two_open_one_empty_database_at_once(db):
    """Both make the tables; one after the other."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        databases = list(pool.map(lambda _: open_database(db), range(4)))
    job = Job("run/1/x", "pack", "quick", "abc")
    offer_jobs(databases[0], [job])
    assert [claim_job(database, str(number), [job]) is not None for number, database in enumerate(databases)] == [
        True, False, False, False,
    ]  # fmt: skip
    for database in databases:
        database.close()
