"""The database of an environment's runs: SQLite in its folder, or PostgreSQL by URL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.schema import CreateIndex, CreateTable

from orchestration.errors import Blocked, UsageError

DATABASE_URL_VARIABLE = "CONDUCTOR_DATABASE_URL"
BUSY_TIMEOUT_MS = 30_000
# Any number that nothing else in the database locks.
TABLES_LOCK = 0x636F6E64

metadata = sa.MetaData()

journal_table = sa.Table(
    "conductor_journal",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("conductor_journal_by_run", "environment", "run_id", "position"),
)

lease_table = sa.Table(
    "conductor_lease",
    metadata,
    sa.Column("environment", sa.Text, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("is_held", sa.Boolean, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("doing", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    # Seconds since 1970 by the database's clock: the hosts' clocks may differ.
    sa.Column("taken_at", sa.Double, nullable=False),
    sa.Column("renewed_at", sa.Double, nullable=False),
    sa.Column("length_s", sa.Double, nullable=False),
)

worker_table = sa.Table(
    "conductor_worker",
    metadata,
    sa.Column("executor_id", sa.Text, primary_key=True),
    sa.Column("renewed_at", sa.Double, nullable=False),
    sa.Column("length_s", sa.Double, nullable=False),
)

# What operations on stacks say while other processes carry them out.
operation_event_table = sa.Table(
    "conductor_operation_event",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Index("conductor_operation_event_by_operation", "operation_id", "position"),
)

# Who has taken such an operation: the newest row counts.
operation_taking_table = sa.Table(
    "conductor_operation_taking",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Index("conductor_operation_taking_by_operation", "operation_id", "position"),
)


class DatabaseUnusable(Blocked):
    """The database of runs is damaged, locked or does not answer."""

    code = "database-unusable"
    retryable = True


def database_url(given: str | None, file: Path) -> str:
    """Choose the database: what was given, else the variable's, else a file of the environment.

    Raises:
        UsageError: the URL is no database's.
    """
    text = given or os.environ.get(DATABASE_URL_VARIABLE) or f"sqlite:///{file}"
    try:
        url = sa.make_url(text)
    except exc.ArgumentError as error:
        raise UsageError(
            "the database URL cannot be read",
            hint="write it as postgresql://USER@HOST/NAME or sqlite:////PATH",
        ) from error
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise UsageError(
            f"the database URL is for {url.get_backend_name()}", hint="use PostgreSQL or SQLite"
        )
    return url.render_as_string(hide_password=False)


def open_database(url: str) -> sa.Engine:
    """Open the database and make the journal's table.

    Raises:
        DatabaseUnusable: it is damaged, or does not answer.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    with translated(url):
        if engine.dialect.name == "sqlite":
            _refuse_damage(engine)
        _make_tables(engine)
    return engine


def _make_tables(engine: sa.Engine) -> None:
    """Make the tables that are missing; several processes may do so at once."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two that make the same table at once fail there, even with IF NOT EXISTS.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(TABLES_LOCK)))
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


@contextmanager
def opened_database(url: str) -> Iterator[sa.Engine]:
    """Have a database open while the block runs.

    Raises:
        DatabaseUnusable: it is damaged, or does not answer.
    """
    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()


def database_now(engine: sa.Engine) -> sa.ColumnElement[float]:
    """Give the database's clock, in seconds since 1970, for use in a statement."""
    if engine.dialect.name == "sqlite":
        return sa.literal_column("((julianday('now') - 2440587.5) * 86400.0)", sa.Double)
    return sa.literal_column("extract(epoch from clock_timestamp())::double precision", sa.Double)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # specs of DBOS on SQLite: readers beside the writer, and patience for other processes.
    # FULL: a record of what was done in a cloud must survive the loss of power.
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _refuse_damage(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise DatabaseUnusable(
            f"{engine.url.database} is damaged: {found}",
            hint="restore it from a backup, or move it away: deployed resources are not in it",
        )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn the drivers' errors into one of ours.

    Raises:
        DatabaseUnusable: the database refused or does not answer.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DatabaseUnusable(
            f"the database of runs at {shown} cannot be used: {reason}",
            hint="see that it runs and that its disk is not full, then try again",
        ) from error
