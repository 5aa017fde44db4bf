"""Holding an environment: the lock of its folder and its lease in one, for whoever changes it.

The lock keeps processes of one machine apart, and the kernel frees it; the lease keeps machines
apart, and tells one that was overtaken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.durable.database import database_url, opened_database
from orchestration.durable.lease import Lease, held_lease
from orchestration.environments import Environment


@contextmanager
def held_environment(environment: Environment, doing: str, database: str | None) -> Iterator[Lease]:
    """Hold an environment while the block runs; `doing` is what others are told.

    Raises:
        EnvironmentBusy: somebody else holds it; the message names who, where, for how long.
        DatabaseUnusable: the database does not answer.
        Fenced: the block failed, and somebody else had taken the environment over.
    """
    with (
        environment.locked(doing),
        opened_database(database_url(database, environment.database_file)) as engine,
        held_lease(engine, environment, doing) as lease,
    ):
        yield lease
