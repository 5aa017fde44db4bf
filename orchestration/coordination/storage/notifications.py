"""Notifications that wait to be delivered, written in the transaction of what they tell about."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import notifications

PENDING, DELIVERED, ABANDONED = "pending", "delivered", "abandoned"

# The audit log keeps what happened for good; these are only there to ask why nothing arrived.
KEPT_FOR: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a customer's people, and how often it was tried."""

    id: str
    customer_id: str
    event: str
    body: str
    claimed_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer is to be told of one recommendation; details that are None stay out."""

    event: str
    detail: Mapping[str, str | None]


def enqueue(tx: Transaction, *, customer_id: str, messages: Sequence[Message]) -> None:
    """Have notifications delivered once this transaction is done."""
    if messages:
        tx.connection.execute(
            notifications.insert(), [_row(tx, customer_id, message) for message in messages]
        )


def _row(tx: Transaction, customer_id: str, message: Message) -> dict[str, Any]:
    notification_id = str(uuid.uuid4())
    body = {
        "id": notification_id,
        "type": message.event,
        "timestamp": tx.now.isoformat(),
        "customer_id": customer_id,
        "data": {key: value for key, value in message.detail.items() if value is not None},
    }
    return {
        "id": notification_id,
        "customer_id": customer_id,
        "event": message.event,
        "body": json.dumps(body, ensure_ascii=False),
        "created_at": tx.now,
        "status": PENDING,
        "attempts": 0,
        "due_at": tx.now,
    }


def any_due(tx: Transaction) -> bool:
    """Say whether a notification waits to be delivered now."""
    due = sa.select(notifications.c.seq).where(*_is_due(tx)).limit(1)
    return tx.connection.execute(due).first() is not None


def claim_due(tx: Transaction, *, limit: int, lease: timedelta) -> list[Notification]:
    """Take notifications that are due; nobody else gets them until the lease is over."""
    due = (
        sa.select(notifications)
        .where(*_is_due(tx))
        .order_by(notifications.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = tx.connection.execute(due).all()
    if rows:
        tx.connection.execute(
            notifications.update()
            .where(notifications.c.seq.in_([row.seq for row in rows]))
            .values(due_at=tx.now + lease, attempts=notifications.c.attempts + 1)
        )
    return [
        Notification(
            id=row.id,
            customer_id=row.customer_id,
            event=row.event,
            body=row.body,
            claimed_at=tx.now,
            attempts=row.attempts + 1,
        )
        for row in rows
    ]


def mark_delivered(tx: Transaction, notification_ids: Collection[str]) -> None:
    """Note that notifications have arrived."""
    tx.connection.execute(
        notifications.update()
        .where(notifications.c.id.in_(notification_ids))
        .values(status=DELIVERED, last_error=None)
    )


def mark_failed(
    tx: Transaction, notification_id: str, error: str, *, retry_in: timedelta | None
) -> None:
    """Note that a delivery failed; without `retry_in` it is given up."""
    if retry_in is None:
        change: dict[str, str | datetime] = {"status": ABANDONED}
    else:
        change = {"due_at": tx.now + retry_in}
    tx.connection.execute(
        notifications.update()
        .where(notifications.c.id == notification_id)
        .values(**change, last_error=error)
    )


def forget_old(tx: Transaction) -> None:
    """Drop notifications that arrived, or were given up, long ago."""
    tx.connection.execute(
        notifications.delete().where(
            notifications.c.status.in_([DELIVERED, ABANDONED]),
            notifications.c.due_at < tx.now - KEPT_FOR,
        )
    )


def _is_due(tx: Transaction) -> tuple[sa.ColumnElement[bool], ...]:
    return notifications.c.status == PENDING, notifications.c.due_at <= tx.now
