"""Whose agreement a recommendation needs, for how long it is waited for, and what it binds to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestration.coordination.errors import Category, Problem
from orchestration.coordination.model import (
    Approval,
    ApprovalStatus,
    Recommendation,
    RiskLevel,
)
from orchestration.coordination.rules import ApprovalRule

# What says nothing about what will be done: the agent's bookkeeping.
_NOT_CONTENT: Final = frozenset({"status", "created_at"})


def content_hash(item: Recommendation) -> str:
    """Give the digest of what is approved: the same words give the same digest, in any order."""
    content = item.model_dump(mode="json", include=set(Recommendation.model_fields) - _NOT_CONTENT)
    for unordered in ("affected_resources", "dependencies"):
        content[unordered] = sorted(set(content[unordered]))
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def approvers_needed(rule: ApprovalRule, *, auto_approve: bool) -> int:
    """Give how many distinct people have to agree; none means that it is approved at once."""
    return rule.approvers_with_auto_approve if auto_approve else rule.approvers


def ask(
    item: Recommendation,
    *,
    approval_id: str,
    now: datetime,
    rules: Mapping[RiskLevel, ApprovalRule],
) -> Approval:
    """Make the request to people."""
    return Approval.trusted(
        {
            "id": approval_id,
            "recommendation_id": item.id,
            "customer_id": item.customer_id,
            "risk_level": item.risk_level,
            "requested_by": item.agent_id,
            "requested_at": now,
            "expires_at": now + rules[item.risk_level].expires_after,
        }
    )


@dataclass(frozen=True, slots=True)
class Vote:
    """Somebody's decision; `owned_agents` are the agents that act for them."""

    user_id: str
    approves: bool
    reason: str = ""
    owned_agents: Collection[str] = ()


def objection(
    approval: Approval,
    vote: Vote,
    *,
    now: datetime,
    earlier_approvers: Collection[str],
    approved_hash: str,
    current_hash: str,
) -> Problem | None:
    """Say why a vote does not count; None when it does."""
    name = approval.id
    if approval.status is ApprovalStatus.EXPIRED or (
        approval.status is ApprovalStatus.PENDING and approval.expires_at <= now
    ):
        return Problem(Category.SEMANTIC, "approval-expired", f"approval expired: {name}", name)
    if approval.status is not ApprovalStatus.PENDING:
        text = f"approval already processed: {name} (status: {approval.status.value})"
        return Problem(Category.SEMANTIC, "approval-already-processed", text, name)
    if approved_hash != current_hash:
        text = f"the recommendation was changed after approval {name} was asked for"
        return Problem(Category.SEMANTIC, "content-changed", text, name)
    if approval.requested_by == vote.user_id or approval.requested_by in vote.owned_agents:
        text = f"{vote.user_id} may not decide on what {approval.requested_by} asked for"
        return Problem(Category.FORBIDDEN, "self-approval", text, name)
    if vote.user_id in earlier_approvers:
        text = f"approval already processed: {name} (approved by {vote.user_id} before)"
        return Problem(Category.SEMANTIC, "approval-already-processed", text, name)
    return None


def after(
    approval: Approval,
    vote: Vote,
    *,
    now: datetime,
    earlier_approvers: Collection[str],
    needed: int,
) -> Approval:
    """Give the approval after a vote that counts: one refusal ends it, the last agreement too."""
    if not vote.approves:
        change: dict[str, object] = {
            "status": ApprovalStatus.REJECTED,
            "rejected_by": vote.user_id,
            "rejected_at": now,
            "rejection_reason": vote.reason,
        }
        return approval.model_copy(update=change)
    if len({*earlier_approvers, vote.user_id}) < needed:
        return approval
    change = {
        "status": ApprovalStatus.APPROVED,
        "approved_by": vote.user_id,
        "approved_at": now,
    }
    return approval.model_copy(update=change)


def lapsed(approval: Approval, *, now: datetime) -> Approval:
    """Give the approval as it is now: one that still waits past its time is expired."""
    if approval.status is ApprovalStatus.PENDING and approval.expires_at <= now:
        return approval.model_copy(update={"status": ApprovalStatus.EXPIRED})
    return approval
