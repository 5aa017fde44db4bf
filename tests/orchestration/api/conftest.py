"""A served API over a database of the test's own, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from coordination_api import Time, served

from orchestration.api.backend import ServerSettings
from orchestration.coordination.storage.database import Database


@pytest.fixture
def clock() -> Time:
    """The database's clock."""
    return Time()


@pytest.fixture
def database(coordination_url: str, clock: Time) -> Iterator[Database]:
    """An open database."""
    opened = Database.open(coordination_url, clock=clock.read)
    yield opened
    opened.close()


@pytest.fixture
def quick() -> ServerSettings:
    """A server that looks for due work all the time."""
    return ServerSettings(upkeep_interval_s=0.05, retry_delay_s=0.05)


@pytest.fixture
def client(database: Database, quick: ServerSettings) -> Iterator[httpx.Client]:
    """The served API, as a program on this machine sees it."""
    with served(database, quick) as opened:
        yield opened
