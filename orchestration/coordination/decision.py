"""What came of a request, and the reply that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from orchestration.coordination.model import (
    Approval,
    Conflict,
    CoordinationResponse,
    ExecutionPlan,
    Gain,
    Recommendation,
    WeighedRecommendation,
    WouldFlip,
)
from orchestration.coordination.ranking import impact_score

APPROVED: Final = "approved"
PENDING_APPROVAL: Final = "pending_approval"
DISCARDED: Final = "discarded"
NO_HANDLER: Final = ("no-handler",)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one recommendation, and why."""

    recommendation: Recommendation
    status: str
    reason: str
    would_flip: WouldFlip | None
    blocked_by: tuple[str, ...]
    plan_id: str | None

    def as_reply(self) -> WeighedRecommendation:
        """Give the recommendation as a caller sees it."""
        item = self.recommendation
        return WeighedRecommendation.trusted(
            {
                **item.__dict__,
                "status": self.status,
                "reason": self.reason,
                "would_flip": self.would_flip,
                "blocked_by": self.blocked_by or None,
                "plan_id": self.plan_id,
                "impact_score": impact_score(item),
            }
        )


@dataclass(frozen=True)
class Decision:
    """What was decided; lists are in winner order, plans in the order in which they may run.

    `approvers_needed` is by approval id, `notify` names what was approved at once although the
    customer wants to hear of it.
    """

    id: str
    decided_at: datetime
    conflicts: tuple[Conflict, ...]
    kept: tuple[Outcome, ...]
    dropped: tuple[Outcome, ...]
    approvals: tuple[Approval, ...]
    approvers_needed: Mapping[str, int]
    plans: tuple[ExecutionPlan, ...]
    notify: tuple[str, ...]
    gain: Gain | None = None

    @cached_property
    def response(self) -> CoordinationResponse:
        """The reply in document 004's shape; dump it with `exclude_none`."""
        return CoordinationResponse.model_construct(
            id=self.id,
            total_recommendations=len(self.kept) + len(self.dropped),
            conflicts_detected=len(self.conflicts),
            conflicts_resolved=sum(conflict.resolved for conflict in self.conflicts),
            recommendations_kept=len(self.kept),
            approvals_required=len(self.approvals),
            auto_approved=sum(outcome.status == APPROVED for outcome in self.kept),
            conflicts=self.conflicts or None,
            recommendations=tuple(outcome.as_reply() for outcome in self.kept),
            dropped=tuple(outcome.as_reply() for outcome in self.dropped) or None,
            approvals=self.approvals,
            execution_plans=self.plans or None,
            gain=self.gain,
            created_at=self.decided_at,
        )
