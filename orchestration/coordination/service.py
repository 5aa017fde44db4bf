"""The coordination engine with its memory: decisions, approvals and plans of one database.

The rules are pure and beside this; here their results are kept, each call within the caller's one
transaction. What a caller may do and see is checked first.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from orchestration.coordination import approvals as approving
from orchestration.coordination import plans as planning
from orchestration.coordination.decision import Decision as Weighed
from orchestration.coordination.engine import decide, detect_conflicts, resolve_conflicts
from orchestration.coordination.errors import Problem
from orchestration.coordination.identifiers import derived_id
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import (
    CoordinationRequest,
    CoordinationResponse,
    ExecutionStatus,
    Recommendation,
)
from orchestration.coordination.reading import Reading
from orchestration.coordination.refusals import (
    AlreadyDecided,
    ApprovalLapsed,
    ApprovalUnknown,
    ContentChanged,
    ExecutorNotAvailable,
    PlanUnavailable,
    RecommendationLapsed,
    SelfApproval,
)
from orchestration.coordination.rules import Rules
from orchestration.coordination.storage import (
    agents,
    approvals,
    audit,
    coordinations,
    notifications,
    plans,
)
from orchestration.coordination.storage.approvals import ApprovalTerms, StoredApproval, Verdict
from orchestration.coordination.storage.audit import Detail
from orchestration.coordination.storage.coordinations import CoordinationRow, RecommendationRow
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.plans import PlanOrigin
from orchestration.errors import Blocked

__all__ = ["Coordinator", "Decided", "Decision"]

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
    """How many have to agree, how many are missing, and the plan that came of the last one."""

    needed: int
    still_needed: int = 0
    plan_id: str | None = None


class Coordinator(Reading):
    """Weighs requests, takes people's decisions, and keeps the plans that follow."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()

    # The names of document 004's engine for what keeps nothing.
    detect_conflicts = staticmethod(detect_conflicts)
    resolve_conflicts = staticmethod(resolve_conflicts)

    def coordinate(
        self, tx: Transaction, caller: Caller, request: CoordinationRequest
    ) -> CoordinationResponse:
        """Weigh a request and keep what was decided; plans stay pending until something runs them.

        Raises:
            Forbidden: the caller may not recommend, or not for this customer.
            RequestRefused: the request does not make sense; nothing was kept.
        """
        caller.require(Permission.RECOMMEND)
        caller.require_customer(request.customer_id)
        weighed = decide(
            request,
            decision_id=str(uuid.uuid4()),
            now=tx.now,
            rules=self._rules,
            known_actions=agents.offered_actions(tx, request.customer_id),
        )
        response = weighed.response
        self._keep(tx, caller, request.customer_id, weighed, response)
        return response

    def _keep(
        self,
        tx: Transaction,
        caller: Caller,
        customer_id: str,
        weighed: Weighed,
        response: CoordinationResponse,
    ) -> None:
        outcomes = (*weighed.kept, *weighed.dropped)
        items = {outcome.recommendation.id: outcome.recommendation for outcome in outcomes}
        coordinations.add(
            tx,
            CoordinationRow(
                weighed.id,
                customer_id,
                caller.name,
                weighed.decided_at,
                response.model_dump_json(exclude_none=True),
            ),
            [
                RecommendationRow(
                    outcome.recommendation.id,
                    outcome.status,
                    outcome.recommendation.model_dump_json(exclude_none=True),
                )
                for outcome in outcomes
            ],
        )
        self.request_approval(tx, caller, weighed, items)
        hashes = {
            plan.recommendation_id: approving.content_hash(items[plan.recommendation_id])
            for plan in weighed.plans
        }
        plans.add_all(
            tx,
            [
                (plan, PlanOrigin(weighed.id, hashes[plan.recommendation_id]))
                for plan in weighed.plans
            ],
        )
        for recommendation_id in weighed.notify:
            _notify(
                tx, customer_id, "recommendation.approved", recommendation_id, by="auto_approve"
            )
        _record(
            tx,
            caller,
            "coordinate",
            (weighed.id, customer_id),
            {
                "kept": len(weighed.kept),
                "dropped": len(weighed.dropped),
                "approvals": [approval.id for approval in weighed.approvals],
                "plans": [plan.id for plan in weighed.plans],
            },
        )

    def request_approval(
        self,
        tx: Transaction,
        caller: Caller,
        weighed: Weighed,
        items: Mapping[str, Recommendation],
    ) -> None:
        """Ask people for what they have to agree to; older questions about the same are void."""
        if not weighed.approvals:
            return
        customer_id = weighed.approvals[0].customer_id
        asked = {approval.recommendation_id: approval for approval in weighed.approvals}
        for recommendation_id, older in approvals.open_for(tx, customer_id, list(asked)).items():
            approvals.supersede(tx, older.approval.id, asked[recommendation_id].id)
        approvals.add_all(
            tx,
            [
                (
                    approval,
                    ApprovalTerms(
                        coordination_id=weighed.id,
                        submitted_by=caller.name,
                        approvers_required=weighed.approvers_needed[approval.id],
                        content_hash=approving.content_hash(items[approval.recommendation_id]),
                    ),
                )
                for approval in weighed.approvals
            ],
        )
        for approval in weighed.approvals:
            _notify(
                tx,
                customer_id,
                "approval.requested",
                approval.recommendation_id,
                approval_id=approval.id,
                risk_level=approval.risk_level.value,
                expires_at=approval.expires_at.isoformat(),
            )

    def process_approval(
        self, tx: Transaction, caller: Caller, approval_id: str, decision: Decision
    ) -> Decided:
        """Count somebody's decision; the last agreement that was missing makes the plan.

        Raises:
            ApprovalUnknown: there is none for this caller.
            Forbidden: the caller may not decide, or speaks as somebody else.
            SelfApproval: it is about what they, or an agent of theirs, asked for.
            ApprovalLapsed: its time is over.
            AlreadyDecided: it was decided before, or by this person.
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
            raise AlreadyDecided(
                f"approval already processed: {approval_id} (decided by {user_id} before)"
            )
        needed = stored.terms.approvers_required
        if decision.verdict is Verdict.REJECTED:
            self._close_rejected(tx, caller, stored, decision, user_id)
            return Decided(needed)
        if given < needed:
            _record(
                tx,
                caller,
                "agree",
                (approval_id, stored.approval.customer_id),
                {"user_id": user_id, "given": given, "needed": needed},
            )
            return Decided(needed, needed - given)
        return Decided(needed, plan_id=self._close_approved(tx, caller, stored, user_id, item))

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
        _notify(
            tx,
            approval.customer_id,
            "recommendation.rejected",
            approval.recommendation_id,
            by=user_id,
            reason=decision.reason,
        )
        detail: dict[str, Detail] = {"user_id": user_id, "reason": decision.reason}
        _record(tx, caller, "reject", (approval.id, approval.customer_id), detail)

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
        _notify(
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
        _record(tx, caller, "approve", (approval.id, approval.customer_id), detail)
        return plan_id

    def execute_plan(self, tx: Transaction, caller: Caller, plan_id: str) -> NoReturn:
        """Refuse to run a plan: nothing here can run one yet; a known plan stays as it is.

        Raises:
            PlanUnknown: there is none for this caller.
            PlanUnavailable: it runs, or has ended.
            ExecutorNotAvailable: always otherwise.
        """
        caller.require(Permission.EXECUTE)
        plan = self.find_plan(tx, caller, plan_id).plan
        if plan.status is not ExecutionStatus.PENDING:
            raise PlanUnavailable(f"plan {plan_id} is {plan.status.value}")
        raise ExecutorNotAvailable(
            f"plan {plan_id} stays pending: nothing here can run plans",
            hint="plans are kept, and run once an executor is there",
        )

    def expire_lapsed(self, tx: Transaction) -> int:
        """Close what was not decided in time, tell the customers, and say how many that were."""
        lapsed = approvals.lapse(tx)
        for stored in lapsed:
            approval = stored.approval
            coordinations.set_status(
                tx, stored.terms.coordination_id, [approval.recommendation_id], "expired"
            )
            _notify(
                tx,
                approval.customer_id,
                "approval.expired",
                approval.recommendation_id,
                approval_id=approval.id,
            )
            about = (approval.id, approval.customer_id)
            _record(tx, Caller("conductor"), "expire", about, {})
        return len(lapsed)


def _notify(
    tx: Transaction, customer_id: str, event: str, recommendation_id: str, **detail: str | None
) -> None:
    """Have a customer told of what became of a recommendation."""
    notifications.enqueue(
        tx,
        customer_id=customer_id,
        event=event,
        detail={"recommendation_id": recommendation_id, **detail},
    )


def _record(
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


def _refuse(problem: Problem) -> NoReturn:
    raise _REFUSALS[problem.code](problem.message)
