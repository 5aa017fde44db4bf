"""Replies kept under their request's idempotency key, so that a repeated request acts once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import replies

KEPT_FOR = timedelta(hours=24)
_UNFINISHED = 0


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Which request this is: the caller's key, and a digest of what was asked."""

    caller: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as it was first given; `digest` is that of the request it answered."""

    digest: str
    status: int
    body: str


def reserve(tx: Transaction, request: RequestKey) -> Reply | None:
    """Take the key for this transaction, or give the reply that it already has.

    A second request with the key waits until the first one's transaction has ended.
    """
    insert = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
    taken = tx.connection.execute(
        insert(replies)
        .values(
            caller=request.caller,
            key=request.key,
            request_digest=request.digest,
            status=_UNFINISHED,
            body="",
            created_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(replies.c.key)
    ).first()
    if taken is not None:
        return None
    row = tx.connection.execute(
        sa.select(replies).where(replies.c.caller == request.caller, replies.c.key == request.key)
    ).one()
    return Reply(digest=row.request_digest, status=row.status, body=row.body)


def keep(tx: Transaction, request: RequestKey, *, status: int, body: str) -> None:
    """Keep the reply of a reserved key."""
    tx.connection.execute(
        replies.update()
        .where(replies.c.caller == request.caller, replies.c.key == request.key)
        .values(status=status, body=body)
    )


def forget_old(tx: Transaction) -> None:
    """Drop replies that nobody will ask for again."""
    tx.connection.execute(replies.delete().where(replies.c.created_at < tx.now - KEPT_FOR))
