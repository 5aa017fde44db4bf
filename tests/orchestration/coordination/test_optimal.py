"""`strategy: optimal`: the set that is worth the most, and never less than the documented one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.coordination.decision import Decision
from orchestration.coordination.engine import decide
from orchestration.coordination.model import CoordinationRequest
from orchestration.coordination.rules import Rules

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def item(id_: str, *resources: str, savings: float = 1.0, **changes: Any) -> dict[str, Any]:
    """Make a recommendation."""
    return {
        "id": id_,
        "agent_id": "agent-1",
        "customer_id": "c",
        "type": "cost",
        "action": "take_snapshot",
        "risk_level": "low",
        "estimated_savings": savings,
        "affected_resources": list(resources),
        "priority": 1,
        "confidence": 0.5,
        **changes,
    }


def decided(
    items: Sequence[dict[str, Any]], strategy: str = "optimal", rules: Rules | None = None
) -> Decision:
    """Decide on recommendations."""
    request = CoordinationRequest.model_validate(
        {"customer_id": "c", "recommendations": list(items), "strategy": strategy}
    )
    return decide(request, decision_id="d-1", now=NOW, rules=rules or Rules())


def kept(decision: Decision) -> set[str]:
    """Name what is kept."""
    return {outcome.recommendation.id for outcome in decision.kept}


def worth(items: Sequence[dict[str, Any]], ids: set[str]) -> list[tuple[float, int]]:
    """Say what a set is worth: savings and number by tier, the highest priority first."""
    tiers = sorted({entry["priority"] for entry in items}, reverse=True)
    chosen = [entry for entry in items if entry["id"] in ids]
    return [
        (
            sum(max(0.0, e["estimated_savings"]) for e in chosen if e["priority"] == tier),
            sum(e["priority"] == tier for e in chosen),
        )
        for tier in tiers
    ]


def is_compatible(chosen: Sequence[dict[str, Any]]) -> bool:
    """Say whether all of these can be kept together."""
    ids = {entry["id"] for entry in chosen}
    touched = [resource for entry in chosen for resource in entry["affected_resources"]]
    needs_are_met = all(set(entry.get("dependencies", ())) <= ids for entry in chosen)
    return needs_are_met and len(set(touched)) == len(touched)


@st.composite
def requests(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw up to seven recommendations on five resources, in three tiers, with dependencies."""
    count = draw(st.integers(1, 7))
    items = []
    for n in range(count):
        resources = draw(st.sets(st.sampled_from("abcde"), max_size=3))
        entry = item(
            f"r{n}",
            *sorted(resources),
            savings=float(draw(st.integers(-2, 9))),
            priority=draw(st.integers(1, 3)),
        )
        # On earlier ones only: a circle would be a conflict of its own.
        entry["dependencies"] = (
            sorted(draw(st.sets(st.sampled_from(range(n)), max_size=1))) if n else []
        )
        entry["dependencies"] = [f"r{m}" for m in entry["dependencies"]]
        items.append(entry)
    return items


@settings(max_examples=60, deadline=None)
@given(requests())
def test_nothing_that_fits_together_is_worth_more(items: list[dict[str, Any]]) -> None:
    """Step 6, item 7: compared with every subset, and with the documented order."""
    decision = decided(items)
    chosen = kept(decision)

    assert is_compatible([entry for entry in items if entry["id"] in chosen])
    everything = (
        subset
        for size in range(len(items) + 1)
        for subset in combinations(items, size)
        if is_compatible(subset)
    )
    greatest = max(worth(items, {entry["id"] for entry in subset}) for subset in everything)
    assert worth(items, chosen) == greatest
    assert worth(items, chosen) >= worth(items, kept(decided(items, "documented")))
    assert decision.gain is not None
    assert decision.gain.is_proved


@settings(max_examples=30, deadline=None)
@given(requests(), st.randoms(use_true_random=False))
def test_the_claims_of_what_would_flip_hold(items: list[dict[str, Any]], random: Any) -> None:
    """Each one is applied, and turns the outcome around."""
    decision = decided(items)
    outcome = random.choice([*decision.kept, *decision.dropped])
    flip, id_ = outcome.would_flip, outcome.recommendation.id
    if flip is None:
        return
    if flip.rival_on is not None:
        rival = item("rival", flip.rival_on, priority=flip.rival_priority)
        assert id_ not in kept(decided([*items, rival]))
        return
    assert flip.set_priority is not None
    raised = [
        {**entry, "priority": flip.set_priority.get(entry["id"], entry["priority"])}
        for entry in items
    ]
    assert id_ in kept(decided(raised))


def test_two_small_ones_win_over_a_large_one_that_is_worth_less() -> None:
    """The documented order keeps the one with the highest savings; the gain is reported."""
    items = [
        item("big", "a", "b", savings=10),
        item("x", "a", savings=7),
        item("y", "b", savings=6),
    ]

    decision = decided(items)

    assert kept(decided(items, "documented")) == {"big"}
    assert kept(decision) == {"x", "y"}
    gain = decision.response.gain
    assert gain is not None
    assert (gain.savings, gain.documented_savings, gain.gained_savings) == (13.0, 10.0, 3.0)
    assert (gain.kept, gain.documented_kept) == (2, 1)
    (dropped,) = decision.dropped
    assert dropped.reason == "discarded: the set with x is worth more"


def test_no_savings_pay_for_a_higher_priority() -> None:
    """Tiers come first: one of priority 2 stays, however much those below it would save."""
    items = [
        item("first", "a", "b", savings=0, priority=2),
        item("x", "a", savings=1000),
        item("y", "b", savings=1000),
    ]
    assert kept(decided(items)) == {"first"}


def test_what_costs_something_is_kept_unless_it_is_in_the_way() -> None:
    """A recommendation with negative savings is worth having for another reason."""
    assert kept(decided([item("a", "r", savings=-5), item("b", "s", savings=-9)])) == {"a", "b"}
    assert kept(decided([item("a", "r", savings=-5), item("b", "r", savings=1)])) == {"b"}


def test_without_time_the_documented_order_stands() -> None:
    """The limit is kept to; what was not proved says so."""
    items = [
        item("big", "a", "b", savings=10),
        item("x", "a", savings=7),
        item("y", "b", savings=6),
    ]
    decision = decided(items, rules=replace(Rules(), optimal_time_limit_s=0.0))
    assert kept(decision) == {"big"}
    assert decision.gain is not None
    assert not decision.gain.is_proved


@pytest.mark.parametrize("count", [300])
def test_a_large_group_is_solved_in_time(count: int) -> None:
    """A chain of overlaps, each with the next: half of them fit, and the best half is proved."""
    items = [
        item(f"r{n:03}", f"s{n}", f"s{n + 1}", savings=float(1 + (n * 37) % 11))
        for n in range(count)
    ]
    decision = decided(items)
    documented = decided(items, "documented")
    assert decision.gain is not None
    assert decision.gain.is_proved
    assert worth(items, kept(decision)) >= worth(items, kept(documented))
