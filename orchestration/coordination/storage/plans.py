"""Plans, kept as the documents that callers see, with what is to be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from orchestration.coordination.model import ExecutionPlan
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import plans


@dataclass(frozen=True, slots=True)
class PlanOrigin:
    """Where a plan comes from, and the hash of the recommendation that it carries out."""

    coordination_id: str
    content_hash: str
    approval_id: str | None = None


class Wish(StrEnum):
    """What is to be done with a plan."""

    EXECUTE = "execute"
    ROLL_BACK = "roll-back"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is to be done with a plan now, or is being done; the number is that of its workflow."""

    wish: Wish | None = None
    wished_by: str = ""
    environment: str = ""
    number: int = 0
    first_step: int = 0


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan with its origin, and what is to be done with it."""

    seq: int
    plan: ExecutionPlan
    origin: PlanOrigin
    attempt: Attempt = Attempt()


def add_all(tx: Transaction, made: Sequence[tuple[ExecutionPlan, PlanOrigin]]) -> None:
    """Add plans, in the order in which they are to run."""
    if not made:
        return
    tx.connection.execute(
        plans.insert(),
        [
            {
                "id": plan.id,
                "coordination_id": origin.coordination_id,
                "recommendation_id": plan.recommendation_id,
                "customer_id": plan.customer_id,
                "approval_id": origin.approval_id,
                "status": plan.status.value,
                "content_hash": origin.content_hash,
                "document": plan.model_dump_json(exclude_none=True),
                "created_at": plan.created_at,
            }
            for plan, origin in made
        ],
    )


def find(tx: Transaction, plan_id: str, *, to_change: bool = False) -> StoredPlan | None:
    """Read one plan; `to_change` keeps others from changing it until this transaction ends."""
    query = sa.select(plans).where(plans.c.id == plan_id)
    if to_change:
        query = query.with_for_update()
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def of_coordination(tx: Transaction, coordination_id: str) -> dict[str, StoredPlan]:
    """Read the plans of one coordination, by the ids of their recommendations."""
    rows = tx.connection.execute(
        sa.select(plans).where(plans.c.coordination_id == coordination_id).order_by(plans.c.seq)
    )
    return {row.recommendation_id: _stored(row) for row in rows}


def wished(tx: Transaction, environment: str) -> list[StoredPlan]:
    """Read the plans with which something is to be done in an environment, the oldest first."""
    rows = tx.connection.execute(
        sa.select(plans)
        .where(plans.c.wish.is_not(None), plans.c.environment == environment)
        .order_by(plans.c.seq)
    )
    return [_stored(row) for row in rows]


def save(tx: Transaction, plan: ExecutionPlan) -> None:
    """Keep a plan as it is now."""
    tx.connection.execute(
        plans.update()
        .where(plans.c.id == plan.id)
        .values(status=plan.status.value, document=plan.model_dump_json(exclude_none=True))
    )


def keep_attempt(tx: Transaction, plan_id: str, attempt: Attempt) -> None:
    """Keep what is to be done with a plan."""
    tx.connection.execute(
        plans.update()
        .where(plans.c.id == plan_id)
        .values(
            wish=None if attempt.wish is None else attempt.wish.value,
            wished_by=attempt.wished_by,
            environment=attempt.environment,
            attempt=attempt.number,
            first_step=attempt.first_step,
        )
    )


def list_page(tx: Transaction, *, customer_id: str, after: int, limit: int) -> list[StoredPlan]:
    """Read a customer's plans, the oldest first."""
    rows = tx.connection.execute(
        sa.select(plans)
        .where(plans.c.customer_id == customer_id, plans.c.seq > after)
        .order_by(plans.c.seq)
        .limit(limit)
    )
    return [_stored(row) for row in rows]


def _stored(row: sa.Row[Any]) -> StoredPlan:
    return StoredPlan(
        seq=row.seq,
        plan=ExecutionPlan.model_validate_json(row.document),
        origin=PlanOrigin(
            coordination_id=row.coordination_id,
            content_hash=row.content_hash,
            approval_id=row.approval_id,
        ),
        attempt=Attempt(
            wish=None if row.wish is None else Wish(row.wish),
            wished_by=row.wished_by or "",
            environment=row.environment or "",
            number=row.attempt,
            first_step=row.first_step,
        ),
    )
