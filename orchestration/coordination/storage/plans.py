"""Plans, kept as the documents that callers see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan with its origin."""

    seq: int
    plan: ExecutionPlan
    origin: PlanOrigin


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


def find(tx: Transaction, plan_id: str) -> StoredPlan | None:
    """Read one plan."""
    row = tx.connection.execute(sa.select(plans).where(plans.c.id == plan_id)).one_or_none()
    return None if row is None else _stored(row)


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
    )
