"""Coordinations: what was asked, what came of every recommendation, and the answer given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import coordinations, recommendations

# Built once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_ADD: Final = coordinations.insert()
_ADD_RECOMMENDATION: Final = recommendations.insert()


@dataclass(frozen=True, slots=True)
class CoordinationRow:
    """A coordination as a whole; `response` is the JSON text that was answered."""

    id: str
    customer_id: str
    submitted_by: str
    created_at: datetime
    response: str
    execute_now: bool = False


@dataclass(frozen=True, slots=True)
class RecommendationRow:
    """One recommendation; `document` is its JSON text."""

    id: str
    status: str
    document: str


def add(tx: Transaction, coordination: CoordinationRow, items: Sequence[RecommendationRow]) -> None:
    """Add a coordination with all its recommendations, the discarded ones too."""
    tx.connection.execute(
        _ADD,
        {
            "id": coordination.id,
            "customer_id": coordination.customer_id,
            "submitted_by": coordination.submitted_by,
            "created_at": coordination.created_at,
            "response": coordination.response,
            "execute_now": coordination.execute_now,
        },
    )
    if items:
        tx.connection.execute(
            _ADD_RECOMMENDATION,
            [
                {
                    "coordination_id": coordination.id,
                    "id": item.id,
                    "status": item.status,
                    "document": item.document,
                }
                for item in items
            ],
        )


def find(tx: Transaction, coordination_id: str) -> CoordinationRow | None:
    """Read one coordination."""
    row = tx.connection.execute(
        sa.select(coordinations).where(coordinations.c.id == coordination_id)
    ).one_or_none()
    if row is None:
        return None
    return CoordinationRow(
        id=row.id,
        customer_id=row.customer_id,
        submitted_by=row.submitted_by,
        created_at=row.created_at,
        response=row.response,
        execute_now=row.execute_now,
    )


def recommendation_of(
    tx: Transaction, coordination_id: str, recommendation_id: str
) -> RecommendationRow | None:
    """Read one recommendation of a coordination."""
    row = tx.connection.execute(
        sa.select(recommendations).where(
            recommendations.c.coordination_id == coordination_id,
            recommendations.c.id == recommendation_id,
        )
    ).one_or_none()
    if row is None:
        return None
    return RecommendationRow(id=row.id, status=row.status, document=row.document)


def newest_recommendation(
    tx: Transaction, customer_id: str, recommendation_id: str
) -> RecommendationRow | None:
    """Read a customer's recommendation as it was last sent."""
    row = tx.connection.execute(
        sa.select(recommendations)
        .join(coordinations, coordinations.c.id == recommendations.c.coordination_id)
        .where(
            recommendations.c.id == recommendation_id, coordinations.c.customer_id == customer_id
        )
        .order_by(coordinations.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return RecommendationRow(id=row.id, status=row.status, document=row.document)


def set_status(
    tx: Transaction, coordination_id: str, recommendation_ids: Collection[str], status: str
) -> None:
    """Note what has become of recommendations."""
    tx.connection.execute(
        recommendations.update()
        .where(
            recommendations.c.coordination_id == coordination_id,
            recommendations.c.id.in_(recommendation_ids),
        )
        .values(status=status)
    )
