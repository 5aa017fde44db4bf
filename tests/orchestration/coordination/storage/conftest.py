"""Open databases for the tests of the storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.coordination.storage.database import Database


@pytest.fixture
def database_url(coordination_url: str) -> str:
    """Where an empty database may be made, of each kind."""
    return coordination_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database."""
    opened = Database.open(database_url)
    yield opened
    opened.close()
