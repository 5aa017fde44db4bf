"""The whole decision on a request: what is in conflict, what is kept, who is asked, what is run.

Nothing here keeps anything or looks at a clock: the same request, rules and moment give the same
decision, identifiers included, in whatever order the recommendations come.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestration.coordination import approvals as approving
from orchestration.coordination import plans as planning
from orchestration.coordination.conflicts.detection import Clash, Findings, find_clashes
from orchestration.coordination.conflicts.lineup import Lineup
from orchestration.coordination.decision import (
    APPROVED,
    DISCARDED,
    NO_HANDLER,
    PENDING_APPROVAL,
    Decision,
    Outcome,
)
from orchestration.coordination.explanation import Explanation, Standing, resolution_text
from orchestration.coordination.identifiers import derived_id
from orchestration.coordination.model import (
    Approval,
    Conflict,
    CoordinationRequest,
    ExecutionPlan,
    Gain,
    Recommendation,
    Strategy,
)
from orchestration.coordination.optimal import OptimalExplanation, best
from orchestration.coordination.resolution import Fate, resolve
from orchestration.coordination.rules import Rules
from orchestration.coordination.schedule import window_of
from orchestration.coordination.validation import check_request

__all__ = ["Decision", "Outcome", "decide", "detect_conflicts", "resolve_conflicts"]


def decide(
    request: CoordinationRequest,
    *,
    decision_id: str,
    now: datetime,
    rules: Rules,
    known_actions: Collection[str] = frozenset(),
) -> Decision:
    """Decide on a request.

    Args:
        request: the recommendations of one customer.
        decision_id: from which all identifiers of the decision are derived.
        now: the moment of the decision, with its zone.
        rules: the rules and the resource tree.
        known_actions: the capabilities of registered agents, `undo:` ones included.

    Raises:
        RequestRefused: items or the request do not make sense; nothing was decided.
    """
    windows = check_request(request, now=now, rules=rules, known_actions=known_actions)
    items = [
        item if item.created_at is not None else item.model_copy(update={"created_at": now})
        for item in request.recommendations
    ]
    settled = _Settled.of(Lineup.of(items, windows), rules, Strategy(request.strategy))
    approvals, needed, approved = _ask(
        settled.kept(),
        auto_approve=request.auto_approve,
        decision_id=decision_id,
        now=now,
        rules=rules,
    )
    offered = {
        action for action in {item.action for item in items} if rules.offers(action, known_actions)
    }
    runnable = {id_: item for id_, item in approved.items() if item.action in offered}
    plans = _plan(runnable, decision_id, now, rules, known_actions)
    outcomes = settled.outcomes(
        approved, {plan.recommendation_id: plan.id for plan in plans}, offered
    )
    return Decision(
        id=decision_id,
        decided_at=now,
        conflicts=settled.conflicts(decision_id, now),
        kept=tuple(outcome for outcome in outcomes if outcome.status != DISCARDED),
        dropped=tuple(outcome for outcome in outcomes if outcome.status == DISCARDED),
        approvals=approvals,
        approvers_needed=needed,
        plans=plans,
        notify=tuple(
            id_
            for id_, item in approved.items()
            if rules.approvals[item.risk_level].notifies_when_automatic
        ),
        gain=settled.gain,
    )


def detect_conflicts(
    recommendations: Sequence[Recommendation],
    *,
    origin: str,
    now: datetime,
    rules: Rules,
) -> tuple[Conflict, ...]:
    """Find the conflicts between recommendations, without resolving them.

    Raises:
        WindowUnreadable: a recommendation's schedule is no time.
        RequestRefused: there are too many overlaps.
    """
    lineup = _lineup(recommendations)
    return _records(lineup, find_clashes(lineup, rules), origin, now, None)


def resolve_conflicts(
    recommendations: Sequence[Recommendation],
    *,
    origin: str,
    now: datetime,
    rules: Rules,
) -> tuple[tuple[Recommendation, ...], tuple[Conflict, ...]]:
    """Give those that are kept, the strongest first, and their conflicts as resolved.

    Raises:
        WindowUnreadable: a recommendation's schedule is no time.
        RequestRefused: there are too many overlaps.
    """
    settled = _Settled.of(_lineup(recommendations), rules)
    return tuple(settled.kept()), settled.conflicts(origin, now)


@dataclass(frozen=True, slots=True)
class _Settled:
    """A lineup whose conflicts are found and resolved."""

    lineup: Lineup
    findings: Findings
    standing: Standing
    fates: Sequence[Fate]
    gain: Gain | None = None

    @classmethod
    def of(cls, lineup: Lineup, rules: Rules, strategy: Strategy = Strategy.DOCUMENTED) -> _Settled:
        findings = find_clashes(lineup, rules)
        standing = Standing.of(lineup, findings)
        fates = resolve(len(lineup.items), standing.rivals, lineup.dependencies, standing.hopeless)
        if strategy is Strategy.DOCUMENTED:
            return cls(lineup, findings, standing, fates)
        solution = best(
            lineup,
            standing.rivals,
            standing.hopeless,
            fates,
            time_limit_s=rules.optimal_time_limit_s,
        )
        return cls(lineup, findings, standing, solution.fates, solution.gain)

    def explanation(self) -> Explanation | OptimalExplanation:
        if self.gain is None:
            return Explanation(self.lineup, self.standing, self.fates)
        standing = self.standing
        return OptimalExplanation(self.lineup, standing.rivals, standing.hopeless, self.fates)

    def kept(self) -> list[Recommendation]:
        fated = zip(self.lineup.items, self.fates, strict=True)
        return [item for item, fate in fated if fate is Fate.KEPT]

    def conflicts(self, origin: str, now: datetime) -> tuple[Conflict, ...]:
        return _records(self.lineup, self.findings, origin, now, self.fates)

    def outcomes(
        self,
        approved: Mapping[str, Recommendation],
        plan_ids: Mapping[str, str],
        offered: Collection[str],
    ) -> list[Outcome]:
        explanation = self.explanation()
        found: list[Outcome] = []
        for place, item in enumerate(self.lineup.items):
            if self.fates[place] is Fate.KEPT:
                status = APPROVED if item.id in approved else PENDING_APPROVAL
            else:
                status = DISCARDED
            found.append(
                Outcome(
                    recommendation=item,
                    status=status,
                    reason=explanation.reason(place),
                    would_flip=explanation.would_flip(place),
                    blocked_by=() if item.action in offered else NO_HANDLER,
                    plan_id=plan_ids.get(item.id),
                )
            )
        return found


def _lineup(recommendations: Sequence[Recommendation]) -> Lineup:
    windows = ((item.id, window_of(item)) for item in recommendations)
    return Lineup.of(
        recommendations, {id_: window for id_, window in windows if window is not None}
    )


def _records(
    lineup: Lineup,
    findings: Findings,
    origin: str,
    now: datetime,
    fates: Sequence[Fate] | None,
) -> tuple[Conflict, ...]:
    return tuple(_record(lineup, clash, origin, now, fates) for clash in findings.clashes)


def _record(
    lineup: Lineup, clash: Clash, origin: str, now: datetime, fates: Sequence[Fate] | None
) -> Conflict:
    ids = [lineup.items[place].id for place in clash.places]
    if clash.is_pair:
        ids.sort()
    return Conflict.trusted(
        {
            "id": derived_id(origin, "conflict " + "\0".join((clash.kinds[0], *ids))),
            "type": clash.kinds[0],
            "recommendation_ids": tuple(ids),
            "description": clash.description,
            "severity": clash.severity,
            "conflicting_field": clash.field,
            "detected_at": now,
            "resolved": fates is not None,
            "resolution": None if fates is None else resolution_text(lineup.items, clash, fates),
            "resolved_at": None if fates is None else now,
            "kinds": clash.kinds,
        }
    )


def _ask(
    kept: Sequence[Recommendation],
    *,
    auto_approve: bool,
    decision_id: str,
    now: datetime,
    rules: Rules,
) -> tuple[tuple[Approval, ...], dict[str, int], dict[str, Recommendation]]:
    """Part what is kept into what people are asked for, and what is approved at once."""
    asked: list[Approval] = []
    needed: dict[str, int] = {}
    approved: dict[str, Recommendation] = {}
    for item in kept:
        rule = rules.approvals[item.risk_level]
        count = approving.approvers_needed(rule, auto_approve=auto_approve)
        if not count:
            approved[item.id] = item
            continue
        approval_id = derived_id(decision_id, f"approval {item.id}")
        asked.append(approving.ask(item, approval_id=approval_id, now=now, rules=rules.approvals))
        needed[approval_id] = count
    return tuple(asked), needed, approved


def _plan(
    runnable: Mapping[str, Recommendation],
    decision_id: str,
    now: datetime,
    rules: Rules,
    known_actions: Collection[str],
) -> tuple[ExecutionPlan, ...]:
    return tuple(
        planning.make_plan(
            runnable[id_],
            plan_id=derived_id(decision_id, f"plan {id_}"),
            now=now,
            rules=rules,
            known_actions=known_actions,
        )
        for id_ in planning.execution_order(runnable)
    )
