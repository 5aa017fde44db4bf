"""Both kinds of database, empty: a file, and a PostgreSQL where one is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from private_postgres import PrivatePostgres

from orchestration.durable.database import database_url, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return database_url(None, tmp_path / "runs.sqlite")
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return database_url(server.make_database(), tmp_path / "unused")


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """The database, opened and closed again."""
    opened = open_database(url)
    yield opened
    opened.dispose()
