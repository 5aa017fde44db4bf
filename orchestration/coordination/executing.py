"""Asking for plans to be run or rolled back, and what must hold at that moment.

Running them is `orchestration.execution`'s job; here they are queued, in the transaction that asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from orchestration.coordination import approvals as approving
from orchestration.coordination import plans as planning
from orchestration.coordination.deciding import Decided, Deciding, Decision
from orchestration.coordination.errors import Category, Problem
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.model import (
    CoordinationRequest,
    ExecutionPlan,
    ExecutionStatus,
    Recommendation,
)
from orchestration.coordination.refusals import (
    ApprovalLapsed,
    ContentChanged,
    ExecutorNotAvailable,
    PlanUnavailable,
    PlanUnknown,
    RecommendationLapsed,
)
from orchestration.coordination.rules import ResourceTree, Rules
from orchestration.coordination.storage import approvals, coordinations, plans
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.plans import Attempt, StoredPlan, Wish
from orchestration.coordination.telling import record
from orchestration.errors import ConductorError

# Ended in a way after which a plan can be taken back, though not run again.
TAKEN_BACK_FROM = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED})


class Execution(Protocol):
    """What runs plans here."""

    @property
    def environment(self) -> str:
        """The environment that resources belong to; empty where none of them do."""
        ...

    def resources(self) -> ResourceTree:
        """Say which resources lie within which."""
        ...

    def objections(self, items: Sequence[Recommendation]) -> Iterator[tuple[int, str]]:
        """Say, by place, why the built-in actions cannot do what is recommended for ours."""
        ...

    def require_performer(self, tx: Transaction, plan: ExecutionPlan) -> None:
        """See to it that there is somebody to do each of a plan's steps.

        Raises:
            ExecutorNotAvailable: there is nobody.
        """
        ...


class Executing(Deciding):
    """Queues plans for what runs them; without that, they stay as they are."""

    def __init__(self, rules: Rules | None = None, execution: Execution | None = None) -> None:
        super().__init__(rules)
        self._execution = execution

    def process_approval(
        self, tx: Transaction, caller: Caller, approval_id: str, decision: Decision
    ) -> Decided:
        """Count somebody's decision; a plan that it makes is queued if that was asked for."""
        decided = super().process_approval(tx, caller, approval_id, decision)
        stored = plans.find(tx, decided.plan_id) if decided.plan_id is not None else None
        if stored is not None:
            asked = coordinations.find(tx, stored.origin.coordination_id)
            if asked is not None and asked.execute_now:
                plan, attempt = self._queued_if_possible(tx, caller, stored.plan)
                plans.save(tx, plan)
                plans.keep_attempt(tx, plan.id, attempt)
        return decided

    def execute_plan(self, tx: Transaction, caller: Caller, plan_id: str) -> None:
        """Queue a plan that was approved; it runs once its turn comes.

        Raises:
            PlanUnknown: there is none for this caller.
            PlanUnavailable: it is queued, runs, has ended, or another one must come first.
            ContentChanged: it is not (any more) what was approved.
            ApprovalLapsed: it was approved for a time that is over.
            RecommendationLapsed: the recommendation is no longer valid.
            ExecutorNotAvailable: nothing here can run it.
        """
        caller.require(Permission.EXECUTE)
        stored = self._to_change(tx, caller, plan_id)
        plan = stored.plan
        if stored.attempt.wish is not None or plan.status is ExecutionStatus.RUNNING:
            raise PlanUnavailable(f"plan {plan_id} is under way")
        if plan.status is not ExecutionStatus.PENDING:
            raise PlanUnavailable(
                f"plan {plan_id} is {plan.status.value}",
                hint="`POST /coordination/plans/ID/rollback` goes on undoing it"
                if plan.stuck
                else "have the agent recommend it again",
            )
        for other in self.plans_before(tx, stored):
            if other.attempt.wish is None and other.plan.status is not ExecutionStatus.COMPLETED:
                raise PlanUnavailable(
                    f"plan {plan_id} comes after plan {other.plan.id},"
                    f" which is {other.plan.status.value}",
                    hint="run that one first",
                )
        self.require_valid(tx, stored)
        self._require_performer(tx, plan)
        self._queue(tx, caller, stored, Wish.EXECUTE)

    def roll_back_plan(self, tx: Transaction, caller: Caller, plan_id: str) -> None:
        """Queue the undoing of a plan that has completed, or got stuck while it was undone.

        Raises:
            PlanUnknown: there is none for this caller.
            PlanUnavailable: it is queued, runs, never ran, or is rolled back.
            ExecutorNotAvailable: nothing here can undo it.
        """
        caller.require(Permission.EXECUTE)
        stored = self._to_change(tx, caller, plan_id)
        plan = stored.plan
        if stored.attempt.wish is not None or plan.status is ExecutionStatus.RUNNING:
            raise PlanUnavailable(f"plan {plan_id} is under way")
        if plan.status not in TAKEN_BACK_FROM or plan.started_at is None:
            raise PlanUnavailable(f"plan {plan_id} is {plan.status.value}: nothing is to be undone")
        self._require_performer(tx, plan)
        self._queue(tx, caller, stored, Wish.ROLL_BACK)

    def require_valid(self, tx: Transaction, stored: StoredPlan) -> None:
        """See to it that a plan is still what was approved, within the time it was approved for.

        Raises:
            ContentChanged: the recommendation was changed since, or the plan is not its.
            ApprovalLapsed: the approval's time is over.
            RecommendationLapsed: the recommendation's is.
        """
        plan, origin = stored.plan, stored.origin
        row = coordinations.newest_recommendation(tx, plan.customer_id, plan.recommendation_id)
        item = None if row is None else Recommendation.model_validate_json(row.document)
        if item is None or approving.content_hash(item) != origin.content_hash:
            raise ContentChanged(
                f"recommendation {plan.recommendation_id} was changed after plan {plan.id} was made"
            )
        anew = planning.make_plan(
            item, plan_id=plan.id, now=tx.now, rules=self._rules, known_actions=()
        )
        if [(s.id, s.action, s.parameters) for s in anew.steps] != [
            (s.id, s.action, s.parameters) for s in plan.steps
        ]:
            raise ContentChanged(f"plan {plan.id} does not do what was recommended")
        if item.expires_at is not None and item.expires_at <= tx.now:
            raise RecommendationLapsed(f"recommendation {item.id} is no longer valid")
        given = approvals.find(tx, origin.approval_id) if origin.approval_id else None
        if given is not None and given.approval.expires_at <= tx.now:
            raise ApprovalLapsed(
                f"plan {plan.id} was approved for a time that ended at"
                f" {given.approval.expires_at.isoformat(timespec='seconds')}"
            )

    def plans_before(self, tx: Transaction, stored: StoredPlan) -> list[StoredPlan]:
        """Give the plans that must have completed before a plan can run."""
        after = (stored.plan.metadata or {}).get("after")
        named = set(after) if isinstance(after, list) else set()
        if not named:
            return []
        others = plans.of_coordination(tx, stored.origin.coordination_id)
        return [other for name, other in others.items() if name in named]

    def queued_at_once(
        self, tx: Transaction, caller: Caller, made: Sequence[ExecutionPlan]
    ) -> tuple[tuple[ExecutionPlan, Attempt], ...]:
        """Give plans as they are when they run at once, and why those do not that cannot."""
        return tuple(self._queued_if_possible(tx, caller, plan) for plan in made)

    def _queued_if_possible(
        self, tx: Transaction, caller: Caller, plan: ExecutionPlan
    ) -> tuple[ExecutionPlan, Attempt]:
        try:
            self._require_performer(tx, plan)
        except ConductorError as error:
            return plan.model_copy(update={"waiting_for": error.message}), Attempt()
        return self._queued(tx, caller, plan, Wish.EXECUTE, number=1)

    def _rules_now(self) -> Rules:
        """Give the rules, with what lies within what here and now."""
        if self._execution is None or not self._execution.environment:
            return self._rules
        return replace(self._rules, resources=self._execution.resources())

    def _objections(self, request: CoordinationRequest) -> list[Problem]:
        """Name what the built-in actions lack to do what is recommended."""
        if self._execution is None:
            return []
        return [
            Problem(
                Category.SEMANTIC,
                "action-refused",
                f"recommendation {request.recommendations[place].id!r}"
                f" (recommendations[{place}]): {objection}",
                item=request.recommendations[place].id,
                field=f"recommendations[{place}]",
            )
            for place, objection in self._execution.objections(request.recommendations)
        ]

    def _require_performer(self, tx: Transaction, plan: ExecutionPlan) -> None:
        if self._execution is None:
            raise ExecutorNotAvailable(
                f"plan {plan.id} stays pending: nothing here can run plans",
                hint="plans are kept, and run once an executor is there",
            )
        self._execution.require_performer(tx, plan)

    def _queue(self, tx: Transaction, caller: Caller, stored: StoredPlan, wish: Wish) -> None:
        number = stored.attempt.number + 1
        plan, attempt = self._queued(tx, caller, stored.plan, wish, number=number)
        plans.save(tx, plan)
        plans.keep_attempt(tx, plan.id, attempt)

    def _queued(
        self, tx: Transaction, caller: Caller, plan: ExecutionPlan, wish: Wish, *, number: int
    ) -> tuple[ExecutionPlan, Attempt]:
        assert self._execution is not None, "somebody was found to run it"
        record(tx, caller, wish.value, (plan.id, plan.customer_id), {"attempt": number})
        queued = plan.model_copy(update={"queued_at": tx.now, "waiting_for": None})
        return queued, Attempt(wish, caller.name, self._execution.environment, number)

    def _to_change(self, tx: Transaction, caller: Caller, plan_id: str) -> StoredPlan:
        stored = plans.find(tx, plan_id, to_change=True)
        if stored is None or not caller.sees(stored.plan.customer_id):
            raise PlanUnknown(f"Plan not found: {plan_id}")
        return stored
