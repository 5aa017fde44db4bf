"""People's decisions on what they were asked: counted once, and bound to what they were shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from orchestration.coordination import approvals as approving
from orchestration.coordination import plans as planning
from orchestration.coordination.decision import NO_HANDLER
from orchestration.coordination.errors import Problem
from orchestration.coordination.identifiers import derived_id
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import Recommendation
from orchestration.coordination.reading import Reading
from orchestration.coordination.refusals import (
    AlreadyDecided,
    ApprovalLapsed,
    ApprovalUnknown,
    ContentChanged,
    RecommendationLapsed,
    SelfApproval,
)
from orchestration.coordination.rules import Rules
from orchestration.coordination.storage import agents, approvals, coordinations, plans
from orchestration.coordination.storage.approvals import StoredApproval, Verdict
from orchestration.coordination.storage.audit import Detail
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.plans import PlanOrigin
from orchestration.coordination.telling import notify, record
from orchestration.errors import Blocked

_REFUSALS: Final[Mapping[str, type[Blocked]]] = {
    "approval-expired": ApprovalLapsed,
    "approval-already-processed": AlreadyDecided,
    "content-changed": ContentChanged,
    "self-approval": SelfApproval,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody says to an approval; `content_hash` is of what they were shown."""

    verdict: Verdict
    user_id: str
    reason: str = ""
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """How many have to agree, how many are missing, and the plan that came of the last one.

    An approved recommendation has no plan where something stands in its way: `blocked_by`.
    """

    needed: int
    still_needed: int = 0
    plan_id: str | None = None
    blocked_by: tuple[str, ...] = ()


class Deciding(Reading):
    """Takes decisions on approvals; the last agreement makes the plan."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()

    def process_approval(
        self, tx: Transaction, caller: Caller, approval_id: str, decision: Decision
    ) -> Decided:
        """Count somebody's decision; the last agreement that was missing makes the plan.

        Raises:
            ApprovalUnknown: there is none for this caller.
            Forbidden: the caller may not decide, or speaks as somebody else.
            SelfApproval: they, or an agent of theirs, asked for it, or they decided before.
            ApprovalLapsed: its time is over.
            AlreadyDecided: it was decided before.
            ContentChanged: it is not about what the caller was shown.
            RecommendationLapsed: the recommendation is no longer valid.
        """
        caller.require(Permission.DECIDE)
        user_id = caller.speaking_as(decision.user_id)
        stored = approvals.find(tx, approval_id, to_decide=True)
        if stored is None or not caller.sees(stored.approval.customer_id):
            raise ApprovalUnknown(f"approval not found: {approval_id}")
        item = self._content_of(tx, stored)
        self._require_vote(tx, stored, decision, user_id, item)
        given = approvals.add_decision(tx, approval_id, user_id, decision.verdict)
        if given is None:
            # Two people have to agree: one of them twice is not two.
            raise SelfApproval(f"{user_id} has decided on approval {approval_id} before")
        needed = stored.terms.approvers_required
        if decision.verdict is Verdict.REJECTED:
            self._close_rejected(tx, caller, stored, decision, user_id)
            return Decided(needed)
        if given < needed:
            record(
                tx,
                caller,
                "agree",
                (approval_id, stored.approval.customer_id),
                {"user_id": user_id, "given": given, "needed": needed},
            )
            return Decided(needed, needed - given)
        plan_id = self._close_approved(tx, caller, stored, user_id, item)
        return Decided(needed, plan_id=plan_id, blocked_by=() if plan_id else NO_HANDLER)

    def _require_vote(
        self,
        tx: Transaction,
        stored: StoredApproval,
        decision: Decision,
        user_id: str,
        item: Recommendation,
    ) -> None:
        if stored.superseded_by is not None:
            raise ContentChanged(
                f"approval {stored.approval.id} was replaced by {stored.superseded_by}"
            )
        approver = decision.verdict is Verdict.APPROVED
        owned = {stored.approval.requested_by} if self._owns(tx, stored, user_id) else set()
        problem = approving.objection(
            stored.approval,
            approving.Vote(user_id, approver, decision.reason, owned),
            now=tx.now,
            earlier_approvers=(),
            approved_hash=decision.content_hash or stored.terms.content_hash,
            current_hash=approving.content_hash(item),
        )
        if problem is not None:
            _refuse(problem)
        if approver and item.expires_at is not None and item.expires_at <= tx.now:
            raise RecommendationLapsed(f"recommendation {item.id} is no longer valid")

    def _owns(self, tx: Transaction, stored: StoredApproval, user_id: str) -> bool:
        """Say whether somebody is behind what an approval is about, in person or by an agent."""
        return user_id == stored.terms.submitted_by or user_id in agents.owners_named(
            tx, [stored.approval.requested_by]
        )

    def _content_of(self, tx: Transaction, stored: StoredApproval) -> Recommendation:
        row = coordinations.recommendation_of(
            tx, stored.terms.coordination_id, stored.approval.recommendation_id
        )
        assert row is not None, "an approval is stored with what it is about"
        return Recommendation.model_validate_json(row.document)

    def _close_rejected(
        self,
        tx: Transaction,
        caller: Caller,
        stored: StoredApproval,
        decision: Decision,
        user_id: str,
    ) -> None:
        approval = stored.approval
        approvals.mark_rejected(tx, approval.id, user_id, decision.reason)
        coordinations.set_status(
            tx, stored.terms.coordination_id, [approval.recommendation_id], "rejected"
        )
        notify(
            tx,
            approval.customer_id,
            "recommendation.rejected",
            approval.recommendation_id,
            by=user_id,
            reason=decision.reason,
        )
        detail: dict[str, Detail] = {"user_id": user_id, "reason": decision.reason}
        record(tx, caller, "reject", (approval.id, approval.customer_id), detail)

    def _close_approved(
        self,
        tx: Transaction,
        caller: Caller,
        stored: StoredApproval,
        user_id: str,
        item: Recommendation,
    ) -> str | None:
        approval, terms = stored.approval, stored.terms
        known = agents.offered_actions(tx, approval.customer_id)
        plan_id = None
        if self._rules.offers(item.action, known):
            plan_id = derived_id(approval.id, "plan")
            plan = planning.make_plan(
                item, plan_id=plan_id, now=tx.now, rules=self._rules, known_actions=known
            )
            origin = PlanOrigin(terms.coordination_id, terms.content_hash, approval.id)
            plans.add_all(tx, [(plan, origin)])
        approvals.mark_approved(tx, approval.id, user_id, plan_id)
        coordinations.set_status(
            tx, terms.coordination_id, [approval.recommendation_id], "approved"
        )
        notify(
            tx,
            approval.customer_id,
            "recommendation.approved",
            approval.recommendation_id,
            by=user_id,
            plan_id=plan_id,
        )
        detail: dict[str, Detail] = {"user_id": user_id, "content_hash": terms.content_hash}
        if plan_id is not None:
            detail["plan_id"] = plan_id
        record(tx, caller, "approve", (approval.id, approval.customer_id), detail)
        return plan_id


def _refuse(problem: Problem) -> NoReturn:
    raise _REFUSALS[problem.code](problem.message)
