"""The database of the coordination engine: SQLite in a file, or PostgreSQL by URL.

One `transaction()` is one request: everything it wrote is there, or nothing. Time is the
database's own, so that several machines agree on what has expired.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from orchestration.coordination.storage.errors import (
    StorageBusy,
    StorageDamaged,
    StorageUnreachable,
)
from orchestration.coordination.storage.turns import WriteTurns

BUSY_TIMEOUT_S = 30.0
POOL_SIZE = 16
_SQLITE = "sqlite"

Clock = Callable[[sa.Connection], datetime]
"""Reads the time inside a transaction; tests pass one that has moved on."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one request reads and writes with, and the moment at which it happens."""

    connection: sa.Connection
    now: datetime


def database_clock(connection: sa.Connection) -> datetime:
    """Ask the database what time it is."""
    if connection.dialect.name == _SQLITE:
        text = connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar()
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC)
    moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return moment.astimezone(UTC)


def take_turns(tx: Transaction, name: str) -> None:
    """Let transactions that take turns under one name run one after the other from here on."""
    # SQLite has one writer at a time anyway.
    if tx.connection.dialect.name != _SQLITE:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        tx.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


class Database:
    """An open database whose tables are up to date."""

    def __init__(self, engine: sa.Engine, *, clock: Clock = database_clock) -> None:
        self._engine = engine
        self._clock = clock
        # SQLite has one writer at a time; taking turns here is cheaper than its polling.
        self._write: Callable[[], AbstractContextManager[sa.Connection]] = (
            WriteTurns(engine).take if engine.dialect.name == _SQLITE else engine.begin
        )

    @classmethod
    def open(cls, url: str, *, clock: Clock = database_clock) -> Database:
        """Open a database and bring its tables up to date.

        Raises:
            StorageUnreachable: the URL is unusable, or nothing answers there.
            StorageDamaged: the file is no intact database.
        """
        from orchestration.coordination.storage.migrating import (  # noqa: PLC0415 - Alembic is slow to import, and only opening needs it
            migrate,
        )

        engine = _engine(url)
        try:
            with translated():
                if engine.dialect.name == _SQLITE:
                    _refuse_damage(engine)
                migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, clock=clock)

    @property
    def description(self) -> str:
        """Say where the data lies, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run the block as one transaction that may write; an exception undoes all of it."""
        with translated(), self._write() as connection:
            yield Transaction(connection, self._clock(connection))

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Run the block on one unchanging view of the data; it must not write."""
        with translated(), self._engine.connect() as plain:
            connection = plain.execution_options(sqlite_begin="BEGIN")
            with connection.begin():
                yield Transaction(connection, self._clock(connection))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database's drivers raise into errors of ours.

    Raises:
        StorageBusy: somebody held the database for too long.
        StorageDamaged: the data cannot be read.
        StorageUnreachable: the database does not answer.
    """
    try:
        yield
    except exc.OperationalError as error:
        message = first_line(error.orig or error)
        if "locked" in message or "timeout" in message:
            raise StorageBusy(f"the database is held by somebody else: {message}") from error
        raise StorageUnreachable(f"the database does not answer: {message}") from error
    except exc.TimeoutError as error:
        raise StorageBusy("all connections to the database are in use") from error
    except exc.DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and type(error.orig) is (
            sqlite3.DatabaseError
        ):
            raise StorageDamaged(
                f"the database cannot be read: {first_line(error.orig)}"
            ) from error
        raise


def first_line(error: BaseException) -> str:
    """Say an error in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise StorageUnreachable(f"the database URL cannot be read: {first_line(error)}") from error
    if parsed.get_backend_name() == _SQLITE:
        return _sqlite_engine(parsed)
    if parsed.get_backend_name() == "postgresql":
        # Without a driver in the URL SQLAlchemy would look for another one than we install.
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            pool_pre_ping=True,
            # Two who read, then write the same row, must not both succeed.
            isolation_level="READ COMMITTED",
        )
    raise StorageUnreachable(
        f"databases of kind {parsed.get_backend_name()!r} are not supported",
        hint="use sqlite:///FILE or postgresql://USER@HOST/NAME",
    )


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise StorageUnreachable(
            "an SQLite database needs a file", hint="name it as sqlite:///FOLDER/coordination.db"
        )
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Others on this machine must not read who approved what.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageUnreachable(f"{path} cannot be written: {error.strerror}") from error
    engine = sa.create_engine(url, pool_size=POOL_SIZE, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin too late (at the first write); ours begin by hand.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later could not be given its turn in between.
    options = connection.get_execution_options()
    connection.exec_driver_sql(options.get("sqlite_begin", "BEGIN IMMEDIATE"))


def _refuse_damage(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if verdict != "ok":
        raise StorageDamaged(f"{engine.url.database} is damaged: {verdict}")
