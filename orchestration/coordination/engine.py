"""The whole decision on a request: what is in conflict, what is kept, who is asked, what is run.

Nothing here keeps anything or looks at a clock: the same request, rules and moment give the same
decision, identifiers included, in whatever order the recommendations come.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    Recommendation,
)
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
    lineup = Lineup.of(items, windows)
    findings = find_clashes(lineup, rules)
    standing = Standing.of(lineup, findings)
    fates = resolve(len(items), standing.rivals, lineup.dependencies, standing.hopeless)
    explanation = Explanation(lineup, standing, fates)
    approvals, needed, approved = _ask(
        _kept(lineup, fates),
        auto_approve=request.auto_approve,
        decision_id=decision_id,
        now=now,
        rules=rules,
    )
    plans = _plan(approved, decision_id, now, rules, known_actions)
    plan_ids = {plan.recommendation_id: plan.id for plan in plans}
    kept: list[Outcome] = []
    dropped: list[Outcome] = []
    for place, item in enumerate(lineup.items):
        is_kept = fates[place] is Fate.KEPT
        status = APPROVED if item.id in approved else PENDING_APPROVAL
        outcome = Outcome(
            recommendation=item,
            status=status if is_kept else DISCARDED,
            reason=explanation.reason(place),
            would_flip=explanation.would_flip(place),
            blocked_by=() if rules.offers(item.action, known_actions) else NO_HANDLER,
            plan_id=plan_ids.get(item.id),
        )
        (kept if is_kept else dropped).append(outcome)
    return Decision(
        id=decision_id,
        decided_at=now,
        conflicts=_records(lineup, findings, decision_id, now, fates),
        kept=tuple(kept),
        dropped=tuple(dropped),
        approvals=approvals,
        approvers_needed=needed,
        plans=plans,
        notify=tuple(
            id_
            for id_, item in approved.items()
            if rules.approvals[item.risk_level].notifies_when_automatic
        ),
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
    lineup = _lineup(recommendations)
    findings = find_clashes(lineup, rules)
    standing = Standing.of(lineup, findings)
    fates = resolve(len(lineup.items), standing.rivals, lineup.dependencies, standing.hopeless)
    return tuple(_kept(lineup, fates)), _records(lineup, findings, origin, now, fates)


def _lineup(recommendations: Sequence[Recommendation]) -> Lineup:
    windows = ((item.id, window_of(item)) for item in recommendations)
    return Lineup.of(
        recommendations, {id_: window for id_, window in windows if window is not None}
    )


def _kept(lineup: Lineup, fates: Sequence[Fate]) -> list[Recommendation]:
    return [item for item, fate in zip(lineup.items, fates, strict=True) if fate is Fate.KEPT]


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
    return Conflict(
        id=derived_id(origin, "conflict " + "\0".join((clash.kinds[0], *ids))),
        type=clash.kinds[0],
        recommendation_ids=tuple(ids),
        description=clash.description,
        severity=clash.severity,
        conflicting_field=clash.field,
        detected_at=now,
        resolved=fates is not None,
        resolution=None if fates is None else resolution_text(lineup.items, clash, fates),
        resolved_at=None if fates is None else now,
        kinds=clash.kinds,
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
    approved: Mapping[str, Recommendation],
    decision_id: str,
    now: datetime,
    rules: Rules,
    known_actions: Collection[str],
) -> tuple[ExecutionPlan, ...]:
    runnable = {
        id_: item for id_, item in approved.items() if rules.offers(item.action, known_actions)
    }
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
