"""Fixtures of databases: a SQLite file, and an empty database on a real PostgreSQL where that is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.evaluate.postgres import Postgres, running_postgres, why_no_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why_no_postgres():
        pytest.skip(why_no_postgres())
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The address of its database, emptied: a database for each test would be some thousand files each."""
    import psycopg

    with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgres.url


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path) -> str:
    """What names an empty database, of each kind in turn."""
    return str(tmp_path / "r.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
