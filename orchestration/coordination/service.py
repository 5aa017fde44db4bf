"""The coordination engine with its memory: decisions, approvals and plans of one database.

The rules are pure and beside this; here their results are kept, each call within the caller's one
transaction. What a caller may do and see is checked first.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestration.coordination import approvals as approving
from orchestration.coordination.deciding import Decided, Decision
from orchestration.coordination.decision import Decision as Weighed
from orchestration.coordination.engine import decide, detect_conflicts, resolve_conflicts
from orchestration.coordination.errors import RequestRefused
from orchestration.coordination.executing import Executing
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import (
    Approval,
    Conflict,
    CoordinationRequest,
    CoordinationResponse,
    ExecutionPlan,
    Recommendation,
)
from orchestration.coordination.refusals import ExecutorNotAvailable
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
from orchestration.coordination.storage.plans import Attempt, PlanOrigin
from orchestration.coordination.telling import message, notify, record

__all__ = ["Coordinated", "Coordinator", "Decided", "Decision"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Approvals that waited before a decision: those that go on, by recommendation, and others."""

    still: Mapping[str, Approval]
    void: Sequence[str]


@dataclass(frozen=True, slots=True)
class Coordinated:
    """The reply to a request, and its JSON text as it was kept."""

    response: CoordinationResponse
    document: str


class Coordinator(Executing):
    """Weighs requests, takes people's decisions, and keeps the plans that follow."""

    def coordinate(
        self, tx: Transaction, caller: Caller, request: CoordinationRequest
    ) -> Coordinated:
        """Weigh a request and keep what was decided; with `execute_now`, plans are queued.

        Raises:
            Forbidden: the caller may not recommend, or not for this customer.
            RequestRefused: the request does not make sense; nothing was kept.
        """
        caller.require(Permission.RECOMMEND)
        caller.require_customer(request.customer_id)
        if problems := self._objections(request):
            raise RequestRefused(problems)
        weighed = decide(
            request,
            decision_id=str(uuid.uuid4()),
            now=tx.now,
            rules=self._rules_now(),
            known_actions=agents.offered_actions(tx, request.customer_id),
        )
        asked = self._asked_before(tx, request.customer_id, weighed)
        update: dict[str, object] = {
            "approvals": tuple(
                asked.still.get(approval.recommendation_id, approval)
                for approval in weighed.approvals
            )
        }
        wanted = self.queued_at_once(tx, caller, weighed.plans) if request.execute_now else ()
        if wanted:
            update["execution_plans"] = tuple(plan for plan, _ in wanted)
        if any(attempt.wish is None for _, attempt in wanted):
            update["not_executed"] = ExecutorNotAvailable.code
        response = weighed.response.model_copy(update=update)
        document = response.model_dump_json(exclude_none=True)
        _keep_coordination(tx, caller, request, weighed, document)
        kept = {outcome.recommendation.id: outcome.recommendation for outcome in weighed.kept}
        new = [a for a in weighed.approvals if a.recommendation_id not in asked.still]
        _ask_people(tx, caller, weighed, new, kept)
        _keep_plans(tx, request.customer_id, weighed, kept, wanted)
        record(
            tx,
            caller,
            "coordinate",
            (weighed.id, request.customer_id),
            {
                "kept": len(weighed.kept),
                "dropped": len(weighed.dropped),
                "approvals": [approval.id for approval in response.approvals],
                "replaced_approvals": list(asked.void),
                "plans": [plan.id for plan in weighed.plans],
            },
        )
        return Coordinated(response, document)

    def detect_conflicts(
        self, tx: Transaction, recommendations: Sequence[Recommendation]
    ) -> tuple[Conflict, ...]:
        """Find the conflicts between recommendations; nothing is kept."""
        return detect_conflicts(
            recommendations, origin=str(uuid.uuid4()), now=tx.now, rules=self._rules
        )

    def resolve_conflicts(
        self, tx: Transaction, recommendations: Sequence[Recommendation]
    ) -> tuple[tuple[Recommendation, ...], tuple[Conflict, ...]]:
        """Give those that would be kept, the strongest first, and their resolved conflicts."""
        return resolve_conflicts(
            recommendations, origin=str(uuid.uuid4()), now=tx.now, rules=self._rules
        )

    def request_approval(
        self, tx: Transaction, caller: Caller, recommendation: Recommendation
    ) -> Approval:
        """Ask people for one recommendation, whatever its risk.

        Raises:
            Forbidden: the caller may not recommend, or not for this customer.
            RequestRefused: the recommendation does not make sense.
        """
        request = CoordinationRequest(
            customer_id=recommendation.customer_id, recommendations=(recommendation,)
        )
        (approval,) = self.coordinate(tx, caller, request).response.approvals
        return approval

    def _asked_before(self, tx: Transaction, customer_id: str, weighed: Weighed) -> _Asked:
        """Part the questions that wait already into those that stay and those that are void.

        One about the very same content stays: an agent that repeats itself must not take away
        what somebody is deciding on. Every other one is void, since this decision replaces it.
        """
        newer = {approval.recommendation_id: approval.id for approval in weighed.approvals}
        outcomes = {
            outcome.recommendation.id: outcome.recommendation
            for outcome in (*weighed.kept, *weighed.dropped)
        }
        still: dict[str, Approval] = {}
        void: list[str] = []
        for id_, older in approvals.open_for(tx, customer_id, list(outcomes)).items():
            is_same = older.terms.content_hash == approving.content_hash(outcomes[id_])
            if is_same and id_ in newer:
                still[id_] = older.approval
                continue
            approvals.supersede(tx, older.approval.id, newer.get(id_, weighed.id))
            void.append(older.approval.id)
        return _Asked(still, void)

    def tidy_up(self, tx: Transaction) -> None:
        """Close what was not decided in time, and forget what nobody will ask for again."""
        notifications.forget_old(tx)
        agents.forget_silent(tx, self._rules.longest_wait() + timedelta(days=1))
        # Last, since others wait for the audit log from here on.
        self.expire_lapsed(tx)

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


def _keep_coordination(
    tx: Transaction,
    caller: Caller,
    request: CoordinationRequest,
    weighed: Weighed,
    document: str,
) -> None:
    coordinations.add(
        tx,
        CoordinationRow(
            id=weighed.id,
            customer_id=request.customer_id,
            submitted_by=caller.name,
            created_at=weighed.decided_at,
            response=document,
            execute_now=request.execute_now,
        ),
        [
            RecommendationRow(
                outcome.recommendation.id,
                outcome.status,
                outcome.recommendation.model_dump_json(exclude_none=True),
            )
            for outcome in (*weighed.kept, *weighed.dropped)
        ],
    )


def _ask_people(
    tx: Transaction,
    caller: Caller,
    weighed: Weighed,
    asked: Sequence[Approval],
    kept: Mapping[str, Recommendation],
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
                    content_hash=approving.content_hash(kept[approval.recommendation_id]),
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


def _keep_plans(
    tx: Transaction,
    customer_id: str,
    weighed: Weighed,
    kept: Mapping[str, Recommendation],
    wanted: Sequence[tuple[ExecutionPlan, Attempt]],
) -> None:
    """Keep the plans of what is approved at once, and tell of what people want to hear of."""
    plans.add_all(
        tx,
        [
            (plan, PlanOrigin(weighed.id, approving.content_hash(kept[plan.recommendation_id])))
            for plan in ([plan for plan, _ in wanted] or weighed.plans)
        ],
    )
    for plan, attempt in wanted:
        if attempt.wish is not None:
            plans.keep_attempt(tx, plan.id, attempt)
    told = [message("recommendation.approved", id_, by="auto_approve") for id_ in weighed.notify]
    notifications.enqueue(tx, customer_id=customer_id, messages=told)
