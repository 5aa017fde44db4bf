"""The lease of an environment: who may change it now, and a number that fences all others off.

Every holder has a greater generation than those before it. What a holder writes is written only
while its generation is the newest, so that one that was paused and taken over stops instead of
writing. Times are the database's. The lock of an environment's folder is `environments`' job: it
keeps processes of one machine apart, the lease those of several.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from orchestration.durable.database import (
    DatabaseUnusable,
    database_now,
    lease_table,
    translated,
)
from orchestration.environments import LockHolder
from orchestration.errors import ConductorError, EnvironmentBusy


class Fenced(ConductorError):  # noqa: N818 - the house's tree names states, not mishaps
    """Somebody else has taken the environment over; nothing more was written."""

    code = "fenced"
    exit_code = 3
    default_hint = "nothing is to be done here: whoever took the environment over goes on"


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a lease lasts after it was last renewed, and how often it is."""

    length_s: float = 45.0
    heartbeat_s: float = 10.0


class Leased(Protocol):
    """What a lease can be of: an environment, or whatever else has a name and a folder."""

    @property
    def name(self) -> str:
        """The name that is competed for."""
        ...

    @property
    def folder(self) -> Path:
        """The folder whose lock the holder has."""
        ...


class _Held(NamedTuple):
    """What is on record of an environment's lease."""

    generation: int
    is_held: bool
    holder: str
    host: str
    pid: int
    doing: str
    folder: str
    taken_at: float
    renewed_at: float
    length_s: float
    now: float


class Lease:
    """A lease that was taken; `generation` is greater than that of any holder before."""

    def __init__(self, engine: sa.Engine, environment: str, generation: int) -> None:
        self.generation = generation
        self._engine = engine
        self._environment = environment
        self._url = engine.url.render_as_string(hide_password=False)

    def renew(self, connection: sa.Connection) -> None:
        """Renew it within a transaction, which nobody can then overtake before its end.

        Raises:
            Fenced: somebody else has taken the environment over.
        """
        renewed = connection.execute(
            sa.update(lease_table)
            .where(*self._is_ours())
            .values(renewed_at=database_now(self._engine))
        )
        if renewed.rowcount == 0:
            raise Fenced(
                f"environment {self._environment!r} was taken over while this process did not"
                " answer"
            )

    def require(self) -> None:
        """Renew it, before something is written elsewhere.

        Raises:
            Fenced: somebody else has taken the environment over.
            DatabaseUnusable: the database does not answer.
        """
        with translated(self._url), self._engine.begin() as connection:
            self.renew(connection)

    def release(self) -> None:
        """Let the next one have it at once; does nothing if it was taken over.

        Raises:
            DatabaseUnusable: the database does not answer.
        """
        with translated(self._url), self._engine.begin() as connection:
            connection.execute(sa.update(lease_table).where(*self._is_ours()).values(is_held=False))

    def _is_ours(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            lease_table.c.environment == self._environment,
            lease_table.c.generation == self.generation,
            lease_table.c.is_held,
        )


def require_generation(engine: sa.Engine, environment: str, generation: int) -> None:
    """Make sure that an environment is still held under a generation, whoever holds it.

    Raises:
        Fenced: it is not.
        DatabaseUnusable: the database does not answer.
    """
    with translated(engine.url.render_as_string(hide_password=False)), engine.connect() as found:
        held = found.execute(
            sa.select(lease_table.c.generation).where(
                lease_table.c.environment == environment, lease_table.c.is_held
            )
        ).scalar_one_or_none()
    if held != generation:
        raise Fenced(f"environment {environment!r} is not held under generation {generation} now")


def take_lease(
    engine: sa.Engine, environment: Leased, doing: str, terms: LeaseTerms | None = None
) -> Lease:
    """Take an environment's lease; the caller holds the lock of the environment's folder.

    A lease that was not renewed in time is taken over, and so is one of a process that had the same
    folder on the same host: holding its lock proves that this process has died.

    Raises:
        EnvironmentBusy: somebody else holds it; the message names who, where, for how long.
        DatabaseUnusable: the database does not answer.
    """
    terms = terms or LeaseTerms()
    with translated(engine.url.render_as_string(hide_password=False)), engine.begin() as connection:
        _make_row(connection, environment.name)
        before = _read(connection, engine, environment.name)
        host, folder = socket.gethostname(), str(environment.folder.resolve())
        is_over = not before.is_held or before.now > before.renewed_at + before.length_s
        if not is_over and (before.host, before.folder) != (host, folder):
            raise _busy(environment.name, before)
        # Greater also than what another database gave out for the same environment before.
        generation = max(before.generation + 1, int(before.now))
        now = database_now(engine)
        taken = connection.execute(
            sa.update(lease_table)
            .where(
                lease_table.c.environment == environment.name,
                lease_table.c.generation == before.generation,
                # Renewed since it was read: its holder lives.
                lease_table.c.renewed_at == before.renewed_at,
            )
            .values(
                generation=generation,
                is_held=True,
                holder=getpass.getuser(),
                host=host,
                pid=os.getpid(),
                doing=doing,
                folder=folder,
                taken_at=now,
                renewed_at=now,
                length_s=terms.length_s,
            )
        )
        if taken.rowcount == 0:
            raise _busy(environment.name, _read(connection, engine, environment.name))
    return Lease(engine, environment.name, generation)


@contextmanager
def held_lease(
    engine: sa.Engine, environment: Leased, doing: str, terms: LeaseTerms | None = None
) -> Iterator[Lease]:
    """Hold an environment's lease while the block runs, renewing it by a heartbeat.

    Raises:
        EnvironmentBusy: somebody else holds it.
        Fenced: the block failed, and somebody else had taken the environment over.
    """
    terms = terms or LeaseTerms()
    lease = take_lease(engine, environment, doing, terms)
    ended = threading.Event()
    heart = threading.Thread(
        target=_beat, args=(lease, terms.heartbeat_s, ended), name="lease-heartbeat", daemon=True
    )
    heart.start()
    try:
        yield lease
    except Exception as error:
        if not isinstance(error, Fenced | DatabaseUnusable):
            # What went wrong may be nothing but the other's doing.
            _require_after(error, lease)
        raise
    finally:
        ended.set()
        heart.join()
        _let_go(lease)


def _beat(lease: Lease, every_s: float, ended: threading.Event) -> None:
    """Renew the lease until the end; a database that is away for a moment is asked again."""
    while not ended.wait(every_s):
        try:
            lease.require()
        except Fenced:
            # Whoever writes next is told.
            return
        except DatabaseUnusable:
            continue


def _require_after(error: Exception, lease: Lease) -> None:
    try:
        lease.require()
    except DatabaseUnusable:
        return
    except Fenced as fenced:
        raise fenced from error


def _let_go(lease: Lease) -> None:
    try:
        lease.release()
    except DatabaseUnusable:
        # It runs out by itself.
        return


def _make_row(connection: sa.Connection, environment: str) -> None:
    """See to it that there is a row to compare with: two that come first must meet in it."""
    is_sqlite = connection.dialect.name == "sqlite"
    insert = (sqlite if is_sqlite else postgresql).insert(lease_table)
    connection.execute(
        insert.values(
            environment=environment,
            generation=0,
            is_held=False,
            holder="",
            host="",
            pid=0,
            doing="",
            folder="",
            taken_at=0.0,
            renewed_at=0.0,
            length_s=0.0,
        ).on_conflict_do_nothing()
    )


def _read(connection: sa.Connection, engine: sa.Engine, environment: str) -> _Held:
    row = connection.execute(
        sa.select(
            *(column for column in lease_table.c if column.name != "environment"),
            database_now(engine).label("now"),
        ).where(lease_table.c.environment == environment)
    ).one()
    return _Held(*row)


def _busy(environment: str, held: _Held) -> EnvironmentBusy:
    holder = LockHolder(
        user=held.holder,
        host=held.host,
        pid=held.pid,
        since=datetime.fromtimestamp(held.taken_at, UTC),
        doing=held.doing,
    )
    now = datetime.fromtimestamp(held.now, UTC)
    return EnvironmentBusy(f"environment {environment!r} is busy: {holder.describe(now)}")
