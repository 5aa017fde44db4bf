"""A request made to be difficult costs no more than its size, or is refused naming the limit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.coordination.decision import Decision
from orchestration.coordination.engine import decide
from orchestration.coordination.errors import Category, RequestRefused
from orchestration.coordination.model import CoordinationRequest
from orchestration.coordination.rules import Rules

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MANY = 10_000


def decided(changes: list[dict[str, Any]], rules: Rules | None = None) -> Decision:
    """Decide on recommendations that are alike but for these changes."""
    request = {
        "customer_id": "c",
        "recommendations": [
            {
                "id": f"r{place}",
                "agent_id": "a",
                "customer_id": "c",
                "type": "cost",
                "action": "take_snapshot",
                "risk_level": "low",
                **change,
            }
            for place, change in enumerate(changes)
        ],
    }
    return decide(
        CoordinationRequest.model_validate(request),
        decision_id="d",
        now=NOW,
        rules=rules or Rules(),
    )


def test_too_many_overlaps_are_refused_before_they_are_looked_at() -> None:
    """Everybody on one resource would be a reply of fifty million conflicts."""
    with pytest.raises(RequestRefused) as refused:
        decided([{"affected_resources": ["hot"]}] * MANY)
    assert refused.value.category is Category.TOO_LARGE
    assert f"more than {Rules().max_overlaps} " in refused.value.message
    assert "'hot'" in refused.value.message


def test_as_many_overlaps_as_allowed_are_resolved() -> None:
    """The limit itself is still within it, one more is not."""
    three_pairs = [{"affected_resources": ["hot"]}] * 3
    assert len(decided(three_pairs, Rules(max_overlaps=3)).conflicts) == 3
    with pytest.raises(RequestRefused):
        decided(three_pairs, Rules(max_overlaps=2))


def test_a_large_circle_is_named_in_full_once() -> None:
    """Ten thousand that need each other all say so, without the whole path each time."""
    decision = decided([{"dependencies": [f"r{(n + 1) % MANY}"]} for n in range(MANY)])
    (conflict,) = decision.conflicts
    assert conflict.description.count("->") == MANY
    assert len(decision.dropped) == MANY
    assert all(f"among {MANY}" in outcome.reason for outcome in decision.dropped)
    assert max(len(outcome.reason) for outcome in decision.dropped) < 300


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_chain_is_followed_to_its_end(step: int) -> None:
    """What ten thousand need, one after the other, is kept with all of them."""
    last = MANY - 1 if step == 1 else 0
    chain = [{"dependencies": [] if n == last else [f"r{n + step}"]} for n in range(MANY)]
    assert len(decided(chain).kept) == MANY


def test_one_that_needs_thousands_is_explained_without_them() -> None:
    """Needing very many is no reason for a reply that lists what each of those touches."""
    everybody = [f"r{n}" for n in range(MANY - 1)]
    decision = decided([{}] * (MANY - 1) + [{"dependencies": everybody}])
    assert len(decision.kept) == MANY
    assert decision.kept[-1].reason == "kept: nothing conflicts with it"
