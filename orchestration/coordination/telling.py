"""What is told of a change: to the customer's people, and to the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.coordination.identity import Caller
from orchestration.coordination.storage import audit, notifications
from orchestration.coordination.storage.audit import Detail
from orchestration.coordination.storage.database import Transaction


def notify(
    tx: Transaction, customer_id: str, event: str, recommendation_id: str, **detail: str | None
) -> None:
    """Have a customer told of what became of a recommendation."""
    told = message(event, recommendation_id, **detail)
    notifications.enqueue(tx, customer_id=customer_id, messages=[told])


def message(event: str, recommendation_id: str, **detail: str | None) -> notifications.Message:
    """Say in a message what became of a recommendation."""
    return notifications.Message(event, {"recommendation_id": recommendation_id, **detail})


def record(
    tx: Transaction,
    caller: Caller,
    action: str,
    about: tuple[str, str],
    detail: Mapping[str, Detail],
) -> None:
    """Add to the audit log what a caller did about an object of a customer."""
    object_id, customer_id = about
    audit.record(
        tx,
        actor=caller.name,
        action=action,
        object_id=object_id,
        customer_id=customer_id,
        detail=detail,
    )
