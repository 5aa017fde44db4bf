"""Databases for the tests of the storage: each test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from private_postgres import PrivatePostgres, running_postgres

from orchestration.coordination.storage.database import Database


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One server for all tests of this process."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database may be made, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'coordination.db'}"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.make_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database."""
    opened = Database.open(database_url)
    yield opened
    opened.close()
