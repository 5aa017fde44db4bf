"""How approved recommendations are carried out: steps from templates, and their order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from pydantic import JsonValue

from orchestration.coordination.identifiers import derived_id
from orchestration.coordination.model import ExecutionPlan, ExecutionStep, Recommendation
from orchestration.coordination.ranking import impact_score, merit
from orchestration.coordination.rules import (
    SERVICE_PREFIX,
    SPOT_NOTE,
    UNDO_PREFIX,
    Rules,
    StepTemplate,
)


def make_plan(
    item: Recommendation,
    *,
    plan_id: str,
    now: datetime,
    rules: Rules,
    known_actions: Collection[str],
) -> ExecutionPlan:
    """Make the plan of an approved recommendation; its parameters reach every step."""
    template = rules.templates.get(item.action) or (default_step(item, rules, known_actions),)
    return ExecutionPlan.trusted(
        {
            "id": plan_id,
            "recommendation_id": item.id,
            "customer_id": item.customer_id,
            "steps": tuple(
                _step(item, step, derived_id(plan_id, f"step {place}"))
                for place, step in enumerate(template)
            ),
            "created_at": now,
            "metadata": {
                "after": list(item.dependencies),
                "resources": list(item.affected_resources),
                **_note(item),
            },
        }
    )


def _step(item: Recommendation, step: StepTemplate, step_id: str) -> ExecutionStep:
    return ExecutionStep.trusted(
        {
            "id": step_id,
            "action": step.action,
            "agent_id": step.agent or item.agent_id,
            "parameters": {**item.parameters, **step.parameters},
            "critical": step.critical,
            "reversible": step.reversible,
            "retain_on_rollback": step.retain_on_rollback,
        }
    )


def _note(item: Recommendation) -> dict[str, JsonValue]:
    """Say of a plan what its action's name does not mean here."""
    is_ours = any(name.startswith(SERVICE_PREFIX) for name in item.affected_resources)
    return {"note": SPOT_NOTE} if item.action == "migrate_to_spot" and is_ours else {}


def default_step(
    item: Recommendation, rules: Rules, known_actions: Collection[str]
) -> StepTemplate:
    """Give the only step of an action without a template; reversible where an undo is offered."""
    built_in = rules.built_in_actions.get(item.action)
    has_undo = f"{UNDO_PREFIX}{item.action}" in known_actions if built_in is None else built_in
    return StepTemplate(item.action, critical=True, reversible=has_undo)


def execution_order(items: Mapping[str, Recommendation]) -> Iterator[str]:
    """Give ids so that each comes after those it needs; among free ones the strongest first.

    Where the winner order sees no difference, the higher impact score comes first. Dependencies
    on others than these are no reason to wait here.
    """
    waiting = {
        id_: sum(dependency in items for dependency in set(item.dependencies))
        for id_, item in items.items()
    }
    dependents: dict[str, list[str]] = {}
    for id_, item in items.items():
        for dependency in set(item.dependencies):
            dependents.setdefault(dependency, []).append(id_)
    free = [_turn(items[id_]) for id_, count in waiting.items() if not count]
    heapq.heapify(free)
    while free:
        id_ = heapq.heappop(free)[-1]
        yield id_
        for dependent in dependents.get(id_, ()):
            waiting[dependent] -= 1
            if not waiting[dependent]:
                heapq.heappush(free, _turn(items[dependent]))


def _turn(item: Recommendation) -> tuple[tuple[int, float, float, int], float, str]:
    return merit(item), -impact_score(item), item.id
