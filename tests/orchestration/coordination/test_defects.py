"""The defects of the prototype (specification 1.8), each by its id: none of them is ours.

O9, O10, O13, O15 and O16 need the served API (`tests/orchestration/api/test_defects_api.py`), O17
and O18 are about running plans (`tests/orchestration/execution`), O20 is beside the other tests of
agents.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.coordination.decision import Decision
from orchestration.coordination.engine import decide
from orchestration.coordination.errors import RequestRefused
from orchestration.coordination.model import CoordinationRequest
from orchestration.coordination.rules import Rules

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def item(id_: str, **changes: Any) -> dict[str, Any]:
    """Make a recommendation on the one resource that all of them share."""
    return {
        "id": id_,
        "agent_id": "agent-1",
        "customer_id": "c",
        "type": "cost",
        "action": "take_snapshot",
        "risk_level": "low",
        "affected_resources": ["x"],
        **changes,
    }


def decided(*items: dict[str, Any], **fields: Any) -> Decision:
    """Decide on recommendations."""
    request = CoordinationRequest.model_validate(
        {"customer_id": "c", "recommendations": list(items), **fields}
    )
    return decide(request, decision_id="d-1", now=NOW, rules=Rules())


def kept(*items: dict[str, Any]) -> list[str]:
    """Name what is kept, the strongest first."""
    return [outcome.recommendation.id for outcome in decided(*items).kept]


@pytest.mark.parametrize("weaker", ["medium", "high", "critical"])
def test_o1_lower_risk_wins_whichever_comes_first(weaker: str) -> None:
    """O1: both branches gave the first one."""
    risky, safe = item("a", risk_level=weaker), item("b")
    assert kept(risky, safe) == kept(safe, risky) == ["b"]


@pytest.mark.parametrize(
    ("one", "other", "severity"),
    [
        ("critical", "critical", "high"),
        ("high", "critical", "high"),
        ("critical", "low", "medium"),
        ("medium", "low", "low"),
    ],
)
def test_o2_critical_counts_at_least_as_high(one: str, other: str, severity: str) -> None:
    """O2: critical with critical was of low severity."""
    decision = decided(item("a", risk_level=one), item("b", risk_level=other))
    assert decision.conflicts[0].severity.value == severity


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("terminate", "scale_up"),
        ("add_capacity", "scale_down"),
        ("reserve_instances", "migrate_to_spot"),
        ("migrate_to_on_demand", "migrate_to_spot"),
        ("decrease_batch_size", "increase_batch_size"),
        ("disable_caching", "enable_caching"),
    ],
)
def test_o3_contradictions_are_found_from_their_other_side(first: str, second: str) -> None:
    """O3: these came out only the other way round."""
    (conflict,) = decided(item("a", action=first), item("b", action=second)).conflicts
    assert (conflict.type.value, conflict.conflicting_field) == ("action", "action")


def test_o4_contradictory_actions_on_different_targets_are_no_conflict() -> None:
    """O4: they were flagged wherever they were."""
    up = item("a", action="scale_up", affected_resources=["x"])
    down = item("b", action="scale_down", affected_resources=["y"])
    assert decided(up, down).conflicts == ()


@pytest.mark.parametrize("length", [2, 3, 4, 50])
def test_o5_circles_of_any_length_are_found(length: int) -> None:
    """O5: only circles of two were; none of a circle is kept, and the whole path is named."""
    items = [
        item(f"r{n:02}", affected_resources=[], dependencies=[f"r{(n + 1) % length:02}"])
        for n in range(length)
    ]
    decision = decided(*items)
    (conflict,) = decision.conflicts
    assert conflict.type.value == "dependency"
    assert len(conflict.recommendation_ids) == length
    assert conflict.description.endswith(f"r{length - 1:02} -> r00")
    assert decision.kept == ()


def test_o5_missing_and_violated_dependencies_are_found() -> None:
    """O5: one that is not there is refused; one in conflict with its dependent is a conflict."""
    with pytest.raises(RequestRefused, match="gone"):
        decided(item("r", dependencies=["gone"]))
    (conflict,) = decided(item("a"), item("b", dependencies=["a"])).conflicts
    assert conflict.kinds[0].value == "dependency"
    assert "b needs a" in conflict.description


def test_o6_what_is_eliminated_eliminates_nothing() -> None:
    """O6: A beat B, and B still took C away."""
    assert kept(
        item("a", priority=3),
        item("b", priority=2, affected_resources=["x", "y"]),
        item("c", priority=1, affected_resources=["y"]),
    ) == ["a", "c"]


def test_o7_what_needs_a_discarded_one_goes_with_it() -> None:
    """O7: dependents of discarded ones were kept, at any distance."""
    assert kept(
        item("a", priority=3),
        item("b", priority=2),
        item("c", affected_resources=[], dependencies=["b"]),
        item("d", affected_resources=[], dependencies=["c"]),
    ) == ["a"]


def test_o8_duplicate_ids_and_null_entries_are_refused() -> None:
    """O8: the first kept nothing, the second ended the process."""
    with pytest.raises(RequestRefused, match="same id"):
        decided(item("r"), item("r"))
    with pytest.raises(ValidationError):
        CoordinationRequest.model_validate({"customer_id": "c", "recommendations": [None]})


def test_o11_an_unknown_action_has_no_plan_that_could_only_fail() -> None:
    """O11: default plans always failed; an action that nobody offers is marked, not planned."""
    decision = decided(item("r", action="migrate_database"), auto_approve=True)
    assert decision.plans == ()
    assert decision.kept[0].blocked_by == ("no-handler",)


def test_o12_parameters_reach_every_step() -> None:
    """O12: they were lost on the way to migrate and scale steps."""
    request = item("r", action="migrate_to_spot", parameters={"count": 3, "zones": ["a"]})
    (plan,) = decided(request, auto_approve=True).plans
    assert [step.action for step in plan.steps] == [
        "take_snapshot",
        "migrate_workload",
        "validate_quality",
    ]
    for step in plan.steps:
        assert step.parameters.items() >= {"count": 3, "zones": ["a"]}.items()


def test_o14_plans_come_in_the_order_of_their_dependencies_with_fresh_copies() -> None:
    """O14: they ran side by side, and the reply had stale copies of them."""
    decision = decided(
        item("last", priority=9, affected_resources=[], dependencies=["middle"]),
        item("middle", affected_resources=[], dependencies=["first"]),
        item("first", priority=1),
        auto_approve=True,
    )
    assert [plan.recommendation_id for plan in decision.plans] == ["first", "middle", "last"]
    assert decision.response.execution_plans == decision.plans
    assert decision.plans[2].metadata is not None
    assert decision.plans[2].metadata["after"] == ["middle"]
    for shown in decision.response.recommendations:
        assert shown.status == "approved"


@pytest.mark.parametrize(
    "changes",
    [
        {"confidence": 1.01},
        {"confidence": -0.1},
        {"confidence": float("nan")},
        {"estimated_savings": float("inf")},
        {"risk_level": "extreme"},
        {"type": "guess"},
        {"parameters": {"deep": [float("nan")]}},
        {"surprise": 1},
    ],
)
def test_o16_items_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    """O16: confidence outside 0..1 and the like were taken as they were."""
    with pytest.raises(ValidationError):
        decided(item("r", **changes))


def test_o16_expired_items_are_refused() -> None:
    """O16: also the one that expires at this very moment."""
    with pytest.raises(RequestRefused, match="expired"):
        decided(item("r", expires_at=NOW.isoformat()))
    later = (NOW + timedelta(seconds=1)).isoformat()
    assert len(decided(item("r", expires_at=later)).kept) == 1
