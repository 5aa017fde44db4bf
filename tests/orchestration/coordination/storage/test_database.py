"""The database: migrations, transactions, and what happens when it is not well."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import exc

from orchestration.coordination.identity import Role
from orchestration.coordination.storage import audit, replies, tables, tokens
from orchestration.coordination.storage.database import Database, Transaction
from orchestration.coordination.storage.errors import StorageDamaged, StorageUnreachable
from orchestration.coordination.storage.replies import RequestKey
from orchestration.coordination.storage.tokens import TokenHolder


def log_entry(tx: Transaction, object_id: str) -> None:
    """Write an audit entry."""
    audit.record(
        tx,
        actor="alice",
        action="tested",
        object_id=object_id,
        customer_id="cust-1",
        detail={"n": 1, "names": ["ä", "b"]},
    )


def test_migrations_make_the_tables_that_the_code_reads(database: Database) -> None:
    """The migrations and the tables of the code are the same, on both databases."""
    with database.transaction() as tx:
        context = MigrationContext.configure(tx.connection)
        assert compare_metadata(context, tables.metadata) == []


def test_opening_again_keeps_what_is_there(database: Database, database_url: str) -> None:
    """Opening a database a second time changes nothing."""
    with database.transaction() as tx:
        log_entry(tx, "one")
    again = Database.open(database_url)
    with again.reading() as tx:
        assert audit.verify(tx) == 1
    again.close()


def test_database_of_a_newer_version_is_refused(database: Database, database_url: str) -> None:
    """A database that a newer program has migrated is not touched."""
    with database.transaction() as tx:
        tx.connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageDamaged, match="newer version"):
        Database.open(database_url)


def test_time_is_the_databases(database: Database) -> None:
    """A transaction knows the moment at which it happens, in UTC."""
    with database.transaction() as tx:
        assert tx.now.tzinfo is UTC
        assert abs(tx.now - datetime.now(UTC)) < timedelta(minutes=1)


def test_exception_undoes_the_whole_transaction(database: Database) -> None:
    """What a failing request wrote before it failed is not there."""

    def fail_late() -> None:
        with database.transaction() as tx:
            log_entry(tx, "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_late()
    with database.reading() as tx:
        assert audit.verify(tx) == 0


def test_file_is_private_and_damage_is_found(tmp_path: Path) -> None:
    """Others cannot read the file, and a damaged one is refused at the start (case 27)."""
    path = tmp_path / "state" / "coordination.db"
    database = Database.open(f"sqlite:///{path}")
    with database.transaction() as tx:
        log_entry(tx, "one")
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(StorageDamaged):
        Database.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x", "sqlite://", "postgresql://nobody@/none?host=/nowhere"]
)
def test_unusable_url_is_refused_in_one_line(url: str) -> None:
    """A URL that leads nowhere is refused with words, not with a traceback of a driver."""
    with pytest.raises(StorageUnreachable) as refused:
        Database.open(url)
    assert "\n" not in refused.value.message


def test_audit_log_is_append_only(database: Database) -> None:
    """The database itself refuses to change or delete what the audit log says."""
    with database.transaction() as tx:
        log_entry(tx, "one")
    for change in ("UPDATE audit_log SET actor = 'mallory'", "DELETE FROM audit_log"):
        with pytest.raises(exc.DBAPIError, match="append-only"), database.transaction() as tx:
            tx.connection.execute(sa.text(change))
    with database.reading() as tx:
        assert audit.verify(tx) == 1


def test_changed_audit_log_is_found(database: Database) -> None:
    """Who gets around the database's guard breaks the chain of hashes."""
    with database.transaction() as tx:
        for number in range(3):
            log_entry(tx, str(number))
    with database.transaction() as tx:
        if tx.connection.dialect.name == "sqlite":
            tx.connection.execute(sa.text("DROP TRIGGER audit_log_refuses_update"))
        else:
            tx.connection.execute(sa.text("DROP TRIGGER audit_log_is_append_only ON audit_log"))
        tx.connection.execute(sa.text("UPDATE audit_log SET actor = 'mallory' WHERE seq = 2"))
    with database.reading() as tx, pytest.raises(StorageDamaged, match="entry 2"):
        audit.verify(tx)


def test_racing_writers_make_one_chain(database: Database) -> None:
    """Eight writers at once leave one unbroken chain of audit entries."""

    def write(number: int) -> None:
        for round_number in range(5):
            with database.transaction() as tx:
                log_entry(tx, f"{number}-{round_number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as tx:
        assert audit.verify(tx) == 40
        entries = audit.list_entries(tx, customer_id="cust-1", after=10, limit=5)
        assert [entry.seq for entry in entries] == [11, 12, 13, 14, 15]


def test_token_is_kept_as_a_hash_only(database: Database) -> None:
    """A token is found by its text, and its text is nowhere in the database."""
    holder = TokenHolder(subject="alice", role=Role.APPROVER, customer_id="cust-1")
    with database.transaction() as tx:
        assert not tokens.any_exists(tx)
        text = tokens.create(tx, holder, actor="root")
    with database.reading() as tx:
        assert tokens.any_exists(tx)
        assert tokens.find(tx, text) == holder
        assert tokens.find(tx, text + "x") is None
        stored = [
            str(value)
            for table in tables.metadata.sorted_tables
            for row in tx.connection.execute(sa.select(table))
            for value in row
        ]
    assert stored
    assert not any(text in value for value in stored)


def test_idempotency_key_is_taken_once(database: Database) -> None:
    """A key belongs to the first request that was answered with it."""
    key = RequestKey(caller="alice", key="k1", digest="d1")
    with database.transaction() as tx:
        assert replies.reserve(tx, key) is None
        replies.keep(tx, key, status=201, body="{}")
    with database.transaction() as tx:
        known = replies.reserve(tx, RequestKey(caller="alice", key="k1", digest="d2"))
        assert known == replies.Reply(digest="d1", status=201, body="{}")
        assert replies.reserve(tx, RequestKey(caller="bob", key="k1", digest="d2")) is None


def test_old_replies_are_forgotten(database_url: str) -> None:
    """After a day an idempotency key is free again."""
    shift = timedelta()
    real = Database.open(database_url)
    with real.reading() as tx:
        start = tx.now
    real.close()
    database = Database.open(database_url, clock=lambda _connection: start + shift)
    key = RequestKey(caller="alice", key="k1", digest="d1")
    with database.transaction() as tx:
        replies.reserve(tx, key)
    shift = timedelta(hours=25)
    with database.transaction() as tx:
        replies.forget_old(tx)
        assert replies.reserve(tx, key) is None
    database.close()
