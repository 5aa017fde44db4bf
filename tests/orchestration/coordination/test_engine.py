"""The rules of coordination: what conflicts, what is kept and why, in whatever order it comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.coordination.decision import Decision
from orchestration.coordination.engine import decide
from orchestration.coordination.errors import RequestRefused
from orchestration.coordination.model import CoordinationRequest, RiskLevel
from orchestration.coordination.rules import APPROVAL_RULES, CONTRADICTIONS, Rules

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ACTIONS = sorted({action for pair in CONTRADICTIONS for action in pair} | {"take_snapshot"})


def item(id_: str, **changes: Any) -> dict[str, Any]:
    """Make a recommendation."""
    return {
        "id": id_,
        "agent_id": "agent-1",
        "agent_type": "cost",
        "customer_id": "c",
        "type": "cost",
        "title": "t",
        "description": "d",
        "action": "take_snapshot",
        "risk_level": "low",
        "estimated_savings": 1.0,
        "estimated_impact": "",
        "affected_resources": [],
        "parameters": {},
        "dependencies": [],
        "priority": 1,
        "confidence": 0.5,
        "created_at": NOW.isoformat(),
        "status": "pending",
        **changes,
    }


def decided(*items: dict[str, Any], **fields: Any) -> Decision:
    """Decide on recommendations."""
    request = CoordinationRequest.model_validate(
        {"customer_id": "c", "recommendations": list(items), **fields}
    )
    return decide(request, decision_id="d-1", now=NOW, rules=Rules(), known_actions=ACTIONS)


def kept(decision: Decision) -> list[str]:
    """Name what is kept, the strongest first."""
    return [outcome.recommendation.id for outcome in decision.kept]


@st.composite
def requests(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw recommendations that conflict in every way, dependencies forward and backward."""
    number = draw(st.integers(1, 8))
    ids = [f"r{n}" for n in range(number)]
    return [
        item(
            id_,
            action=draw(st.sampled_from(ACTIONS)),
            affected_resources=draw(
                st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2)
            ),
            priority=draw(st.integers(1, 2)),
            estimated_savings=draw(st.sampled_from([0.0, 1.0])),
            confidence=draw(st.sampled_from([0.5, 1.0])),
            risk_level=draw(st.sampled_from(["low", "high", "critical"])),
            dependencies=draw(
                st.lists(st.sampled_from([i for i in ids if i != id_]), unique=True, max_size=2)
            )
            if number > 1
            else [],
        )
        for id_ in ids
    ]


@settings(deadline=None)
@given(requests(), st.randoms(use_true_random=False))
def test_the_order_of_recommendations_means_nothing(
    items: list[dict[str, Any]], random: Any
) -> None:
    """Ruling `winner`: the same decision, word for word, for every input order."""
    shuffled = list(items)
    random.shuffle(shuffled)
    assert decided(*items).response == decided(*shuffled).response


@settings(deadline=None)
@given(requests())
def test_what_is_kept_fits_together(
    items: list[dict[str, Any]],
) -> None:
    """O6, O7: no kept pair is in conflict, and kept ones have what they need."""
    decision = decided(*items)
    names = set(kept(decision))
    for conflict in decision.conflicts:
        if len(conflict.recommendation_ids) == 2 and conflict.type.value in {"resource", "action"}:
            assert not names.issuperset(conflict.recommendation_ids)
    by_id = {entry["id"]: entry for entry in items}
    for name in names:
        assert names.issuperset(by_id[name]["dependencies"])
    assert len(decision.kept) + len(decision.dropped) == len(items)
    for outcome in (*decision.kept, *decision.dropped):
        assert outcome.reason


def test_a_discarded_one_eliminates_nobody() -> None:
    """O6: A beats B, B would beat C; C is compatible with A and stays."""
    decision = decided(
        item("a", priority=3, affected_resources=["x"]),
        item("b", priority=2, affected_resources=["x", "y"]),
        item("c", priority=1, affected_resources=["y"]),
    )
    assert kept(decision) == ["a", "c"]


def test_dependents_of_what_is_discarded_are_discarded() -> None:
    """O7: with the reason."""
    decision = decided(
        item("a", priority=3, affected_resources=["x"]),
        item("b", priority=2, affected_resources=["x"]),
        item("c", dependencies=["b"]),
    )
    assert kept(decision) == ["a"]
    (dropped,) = [o for o in decision.dropped if o.recommendation.id == "c"]
    assert "b" in dropped.reason


def test_lower_risk_wins_where_all_else_is_equal() -> None:
    """O1: then the smaller id."""
    shared = {"affected_resources": ["x"]}
    assert kept(decided(item("a", risk_level="high", **shared), item("b", **shared))) == ["b"]
    assert kept(decided(item("b", **shared), item("a", **shared))) == ["a"]


@pytest.mark.parametrize("pair", sorted(sorted(pair) for pair in CONTRADICTIONS))
def test_contradictions_are_found_in_either_order_on_shared_targets_only(pair: list[str]) -> None:
    """O3, O4: every pair of the table."""
    for first, second in (pair, pair[::-1]):
        shared = decided(
            item("a", action=first, affected_resources=["x"]),
            item("b", action=second, affected_resources=["x"]),
        )
        (conflict,) = shared.conflicts
        assert "action" in {kind.value for kind in conflict.kinds}
        assert conflict.severity.value == "high"
        apart = decided(
            item("a", action=first, affected_resources=["x"]),
            item("b", action=second, affected_resources=["y"]),
        )
        assert apart.conflicts == ()


def test_a_cycle_of_any_length_is_found_with_its_path() -> None:
    """O5: none of its members can be first."""
    decision = decided(
        item("a", dependencies=["b"]), item("b", dependencies=["c"]), item("c", dependencies=["a"])
    )
    (conflict,) = decision.conflicts
    assert conflict.type.value == "dependency"
    assert "a -> b -> c -> a" in conflict.description
    assert kept(decision) == []


def test_both_critical_is_of_high_severity() -> None:
    """O2: critical counts at least as high."""
    decision = decided(
        item("a", risk_level="critical", affected_resources=["x"]),
        item("b", risk_level="critical", affected_resources=["x"]),
    )
    assert decision.conflicts[0].severity.value == "high"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dependencies": ["r"]}, "r"),
        ({"dependencies": ["gone"]}, "gone"),
        ({"customer_id": "other"}, "other"),
        ({"expires_at": (NOW - timedelta(1)).isoformat()}, "expired"),
    ],
)
def test_what_makes_no_sense_is_refused_naming_it(changes: dict[str, Any], said: str) -> None:
    """Ruling `customers`: never dropped, never guessed."""
    with pytest.raises(RequestRefused, match=said):
        decided(item("r", **changes))


def test_two_of_one_id_are_refused() -> None:
    """O8."""
    with pytest.raises(RequestRefused, match="r"):
        decided(item("r"), item("r"))


def test_another_strategy_is_refused() -> None:
    """Step 5, item 3: `documented` and `optimal` are all that there are."""
    with pytest.raises(RequestRefused, match="use 'documented' or 'optimal'"):
        decided(item("r"), strategy="cheapest")


@pytest.mark.parametrize(
    ("risk", "auto", "asked"),
    [
        ("low", True, 0),
        ("low", False, 1),
        ("medium", True, 0),
        ("medium", False, 1),
        ("high", True, 1),
        ("critical", True, 2),
    ],
)
def test_whose_agreement_is_needed_and_for_how_long(risk: str, auto: bool, asked: int) -> None:
    """C4: the ruled table, and the documented expiries."""
    decision = decided(item("r", risk_level=risk), auto_approve=auto)
    assert sum(decision.approvers_needed.values()) == asked
    assert len(decision.plans) == (0 if asked else 1)
    assert decision.notify == (("r",) if risk == "medium" and auto else ())
    for approval in decision.approvals:
        expires_after = APPROVAL_RULES[RiskLevel(risk)].expires_after
        assert approval.expires_at == NOW + expires_after


def test_plans_come_in_the_order_of_their_dependencies() -> None:
    """4.32: what is needed first comes first, whatever its rank."""
    decision = decided(
        item("first", priority=1),
        item("second", priority=9, dependencies=["first"]),
        auto_approve=True,
    )
    assert [plan.recommendation_id for plan in decision.plans] == ["first", "second"]
