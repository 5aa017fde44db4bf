"""The coordination engine with its memory: decisions, approvals and plans of one database.

The rules are pure and beside this; here their results are kept, each call within the caller's one
transaction. What a caller may do and see is checked first.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from orchestration.coordination import approvals as approving
from orchestration.coordination.deciding import Decided, Deciding, Decision
from orchestration.coordination.decision import Decision as Weighed
from orchestration.coordination.engine import decide, detect_conflicts, resolve_conflicts
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import (
    Approval,
    CoordinationRequest,
    CoordinationResponse,
    ExecutionStatus,
    Recommendation,
)
from orchestration.coordination.refusals import (
    ExecutorNotAvailable,
    PlanUnavailable,
)
from orchestration.coordination.storage import (
    agents,
    approvals,
    coordinations,
    notifications,
    plans,
)
from orchestration.coordination.storage.approvals import ApprovalTerms
from orchestration.coordination.storage.coordinations import CoordinationRow, RecommendationRow
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.plans import PlanOrigin
from orchestration.coordination.telling import message, notify, record

__all__ = ["Coordinator", "Decided", "Decision"]


class Coordinator(Deciding):
    """Weighs requests, takes people's decisions, and keeps the plans that follow."""

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
        waiting = self._still_asked(tx, request.customer_id, weighed)
        response = weighed.response.model_copy(
            update={
                "approvals": tuple(
                    waiting.get(approval.recommendation_id, approval)
                    for approval in weighed.approvals
                )
            }
        )
        self._keep(tx, caller, weighed, response, set(waiting))
        return response

    def _still_asked(
        self, tx: Transaction, customer_id: str, weighed: Weighed
    ) -> dict[str, Approval]:
        """Give the questions that wait already, about the very same content; others are void.

        An agent that repeats itself must not take away what somebody is deciding on.
        """
        asked = {approval.recommendation_id: approval for approval in weighed.approvals}
        if not asked:
            return {}
        hashes = {
            outcome.recommendation.id: approving.content_hash(outcome.recommendation)
            for outcome in weighed.kept
        }
        same: dict[str, Approval] = {}
        for recommendation_id, older in approvals.open_for(tx, customer_id, list(asked)).items():
            if older.terms.content_hash == hashes[recommendation_id]:
                same[recommendation_id] = older.approval
            else:
                approvals.supersede(tx, older.approval.id, asked[recommendation_id].id)
        return same

    def _keep(
        self,
        tx: Transaction,
        caller: Caller,
        weighed: Weighed,
        response: CoordinationResponse,
        asked_before: Collection[str],
    ) -> None:
        customer_id = (*weighed.kept, *weighed.dropped)[0].recommendation.customer_id
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
        new = [a for a in weighed.approvals if a.recommendation_id not in asked_before]
        self.request_approval(tx, caller, weighed, new, items)
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
        notifications.enqueue(
            tx,
            customer_id=customer_id,
            messages=[
                message("recommendation.approved", recommendation_id, by="auto_approve")
                for recommendation_id in weighed.notify
            ],
        )
        record(
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
        asked: Sequence[Approval],
        items: Mapping[str, Recommendation],
    ) -> None:
        """Ask people for what they have to agree to, and tell them that they are asked."""
        if not asked:
            return
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
                for approval in asked
            ],
        )
        messages = [
            message(
                "approval.requested",
                approval.recommendation_id,
                approval_id=approval.id,
                risk_level=approval.risk_level.value,
                expires_at=approval.expires_at.isoformat(),
            )
            for approval in asked
        ]
        notifications.enqueue(tx, customer_id=asked[0].customer_id, messages=messages)

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
            notify(
                tx,
                approval.customer_id,
                "approval.expired",
                approval.recommendation_id,
                approval_id=approval.id,
            )
            about = (approval.id, approval.customer_id)
            record(tx, Caller("conductor"), "expire", about, {})
        return len(lapsed)
