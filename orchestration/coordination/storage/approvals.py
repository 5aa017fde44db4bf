"""Approvals and the decisions of people on them.

An approval is decided by one conditional change of its row: of any number of racing decisions
the first one counts, on both databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from orchestration.coordination.model import Approval, ApprovalStatus
from orchestration.coordination.storage.database import Transaction, take_turns
from orchestration.coordination.storage.tables import approvals, decisions

# Built once: every request asks it.
_OPEN_FOR: Final = (
    sa.select(approvals)
    .where(
        approvals.c.customer_id == sa.bindparam("customer"),
        approvals.c.recommendation_id.in_(sa.bindparam("ids", expanding=True)),
        approvals.c.status == ApprovalStatus.PENDING.value,
        approvals.c.expires_at > sa.bindparam("moment"),
    )
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """What an approval is bound to: the content, and how many people have to agree."""

    coordination_id: str
    submitted_by: str
    approvers_required: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """An approval with its terms and what came of it."""

    seq: int
    approval: Approval
    terms: ApprovalTerms
    superseded_by: str | None
    plan_id: str | None

    def is_lapsed(self, now: datetime) -> bool:
        """Say whether the time to decide is over, whether or not that was noted yet."""
        is_expired = self.approval.status is ApprovalStatus.EXPIRED
        is_open = self.approval.status is ApprovalStatus.PENDING
        return is_expired or (is_open and self.approval.expires_at <= now)


class Verdict(StrEnum):
    """What a person says to an approval."""

    APPROVED = "approved"
    REJECTED = "rejected"


def add_all(tx: Transaction, requested: Sequence[tuple[Approval, ApprovalTerms]]) -> None:
    """Add approvals that wait for a decision."""
    if not requested:
        return
    tx.connection.execute(
        approvals.insert(),
        [
            {
                "id": approval.id,
                "coordination_id": terms.coordination_id,
                "recommendation_id": approval.recommendation_id,
                "customer_id": approval.customer_id,
                "risk_level": approval.risk_level.value,
                "status": approval.status.value,
                "requested_by": approval.requested_by,
                "submitted_by": terms.submitted_by,
                "requested_at": approval.requested_at,
                "expires_at": approval.expires_at,
                "approvers_required": terms.approvers_required,
                "content_hash": terms.content_hash,
                "notes": approval.notes,
            }
            for approval, terms in requested
        ],
    )


def find(tx: Transaction, approval_id: str, *, to_decide: bool = False) -> StoredApproval | None:
    """Read one approval; `to_decide` keeps others from deciding it until this transaction ends."""
    query = sa.select(approvals).where(approvals.c.id == approval_id)
    if to_decide:
        query = query.with_for_update()
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def open_for(
    tx: Transaction, customer_id: str, recommendation_ids: Sequence[str]
) -> dict[str, StoredApproval]:
    """Read a customer's approvals that still wait, by the recommendation's id.

    The customer's other coordinations wait from here on until this transaction has ended: two of
    them at once would both find that nobody was asked yet.
    """
    take_turns(tx, f"approvals of {customer_id}")
    rows = tx.connection.execute(
        _OPEN_FOR, {"customer": customer_id, "ids": recommendation_ids, "moment": tx.now}
    )
    return {row.recommendation_id: _stored(row) for row in rows}


def list_page(
    tx: Transaction,
    *,
    customer_id: str,
    status: ApprovalStatus,
    after: int,
    limit: int,
) -> list[StoredApproval]:
    """Read a customer's approvals in one status, the oldest first."""
    query = sa.select(approvals).where(
        approvals.c.customer_id == customer_id, approvals.c.seq > after
    )
    is_late = approvals.c.expires_at <= tx.now
    pending = approvals.c.status == ApprovalStatus.PENDING.value
    if status is ApprovalStatus.PENDING:
        query = query.where(pending, sa.not_(is_late))
    elif status is ApprovalStatus.EXPIRED:
        query = query.where(sa.or_(approvals.c.status == status.value, sa.and_(pending, is_late)))
    else:
        query = query.where(approvals.c.status == status.value)
    rows = tx.connection.execute(query.order_by(approvals.c.seq).limit(limit))
    return [_stored(row) for row in rows]


def add_decision(tx: Transaction, approval_id: str, user_id: str, verdict: Verdict) -> int | None:
    """Count somebody's verdict and say how many gave it; None when they have decided before."""
    insert = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
    added = tx.connection.execute(
        insert(decisions)
        .values(
            approval_id=approval_id,
            user_id=user_id,
            verdict=verdict.value,
            decided_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(decisions.c.user_id)
    ).first()
    if added is None:
        return None
    count: int = tx.connection.execute(
        sa.select(sa.func.count()).where(
            decisions.c.approval_id == approval_id, decisions.c.verdict == verdict.value
        )
    ).scalar_one()
    return count


def mark_approved(tx: Transaction, approval_id: str, user_id: str, plan_id: str | None) -> bool:
    """Close an approval that enough people agreed to; false when it was closed before."""
    return _close(
        tx,
        approval_id,
        status=ApprovalStatus.APPROVED.value,
        approved_by=user_id,
        approved_at=tx.now,
        plan_id=plan_id,
    )


def mark_rejected(tx: Transaction, approval_id: str, user_id: str, reason: str) -> bool:
    """Close an approval that somebody refused; false when it was closed before."""
    return _close(
        tx,
        approval_id,
        status=ApprovalStatus.REJECTED.value,
        rejected_by=user_id,
        rejected_at=tx.now,
        rejection_reason=reason,
    )


def supersede(tx: Transaction, approval_id: str, by: str) -> bool:
    """Void an approval that a later coordination replaced.

    Args:
        tx: the coordination's transaction.
        approval_id: the approval that is void from now on.
        by: the approval to decide on instead, or the coordination that decided without one.
    """
    return _close(
        tx,
        approval_id,
        status=ApprovalStatus.EXPIRED.value,
        superseded_by=by,
        notes=f"the recommendation was weighed again; {by} replaces this approval",
    )


def lapse(tx: Transaction) -> list[StoredApproval]:
    """Close every approval whose time is over, and give them."""
    rows = tx.connection.execute(
        approvals.update()
        .where(approvals.c.status == ApprovalStatus.PENDING.value, approvals.c.expires_at <= tx.now)
        .values(status=ApprovalStatus.EXPIRED.value)
        .returning(*approvals.c)
    ).all()
    return [_stored(row) for row in rows]


def _close(tx: Transaction, approval_id: str, **values: str | datetime | None) -> bool:
    closed = tx.connection.execute(
        approvals.update()
        .where(approvals.c.id == approval_id, approvals.c.status == ApprovalStatus.PENDING.value)
        .values(**values)
    )
    return closed.rowcount == 1


def _stored(row: sa.Row[Any]) -> StoredApproval:
    approval = Approval(
        id=row.id,
        recommendation_id=row.recommendation_id,
        customer_id=row.customer_id,
        risk_level=row.risk_level,
        status=row.status,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        rejected_by=row.rejected_by,
        rejected_at=row.rejected_at,
        rejection_reason=row.rejection_reason,
        expires_at=row.expires_at,
        notes=row.notes,
    )
    terms = ApprovalTerms(
        coordination_id=row.coordination_id,
        submitted_by=row.submitted_by,
        approvers_required=row.approvers_required,
        content_hash=row.content_hash,
    )
    return StoredApproval(
        seq=row.seq,
        approval=approval,
        terms=terms,
        superseded_by=row.superseded_by,
        plan_id=row.plan_id,
    )
