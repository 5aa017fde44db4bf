"""Timing: windows that overlap, freezes, what comes too late, and what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.coordination.decision import Decision
from orchestration.coordination.engine import decide
from orchestration.coordination.errors import RequestRefused
from orchestration.coordination.model import CoordinationRequest
from orchestration.coordination.rules import Freeze, Rules

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def freeze(name: str, start_hour: int, end_hour: int) -> Freeze:
    """Make a freeze of the day on which everything here happens."""
    return Freeze(
        name,
        datetime(2026, 2, 1, start_hour, tzinfo=UTC),
        datetime(2026, 2, 1, end_hour, tzinfo=UTC),
    )


def at(hour: int) -> str:
    """Name an hour of that day."""
    return f"2026-02-01T{hour:02}:00:00Z"


def item(id_: str, **changes: Any) -> dict[str, Any]:
    """Make a recommendation."""
    return {
        "id": id_,
        "agent_id": "a",
        "customer_id": "c",
        "type": "cost",
        "action": "scale_up",
        "risk_level": "low",
        **changes,
    }


def window(start: int, end: int) -> dict[str, Any]:
    """Say within which hours it is to start."""
    return {"metadata": {"window_start": at(start), "window_end": at(end)}}


def slot(hour: int, hours: float) -> dict[str, Any]:
    """Say when exactly it is to run."""
    return {"parameters": {"scheduled_at": at(hour), "duration_s": hours * 3600}}


def decided(*items: dict[str, Any], freezes: tuple[Freeze, ...] = ()) -> Decision:
    """Decide on recommendations."""
    request = CoordinationRequest.model_validate(
        {"customer_id": "c", "recommendations": list(items)}
    )
    return decide(request, decision_id="d", now=NOW, rules=Rules(freezes=freezes))


def kinds(decision: Decision) -> list[list[str]]:
    """Name the reasons of every conflict."""
    return [[kind.value for kind in conflict.kinds] for conflict in decision.conflicts]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (window(1, 3), window(2, 4), True),
        (window(1, 3), window(3, 4), False),
        (slot(1, 2), window(2, 4), True),
        (slot(1, 2), slot(3, 1), False),
        (slot(1, 0), slot(1, 0), True),
    ],
)
def test_windows_that_overlap_on_a_shared_resource_are_a_timing_conflict(
    first: dict[str, Any], second: dict[str, Any], overlap: bool
) -> None:
    """Ruling `timing`: beside the shared resource, and only there."""
    shared = {"affected_resources": ["x"]}
    both = decided(item("a", **shared, **first), item("b", **shared, **second))
    assert kinds(both) == [["resource", "timing"] if overlap else ["resource"]]
    assert decided(item("a", **first), item("b", **second)).conflicts == ()


def test_what_is_scheduled_before_what_it_needs_is_a_conflict() -> None:
    """Ruling `timing`: a dependency after its dependent."""
    decision = decided(
        item("late", **slot(5, 1)), item("early", dependencies=["late"], **slot(2, 1))
    )
    assert kinds(decision) == [["dependency", "timing"]]
    assert [outcome.recommendation.id for outcome in decision.kept] == ["late"]
    in_order = decided(item("one", **slot(1, 1)), item("two", dependencies=["one"], **slot(2, 1)))
    assert in_order.conflicts == ()


@pytest.mark.parametrize(
    ("schedule", "is_kept"),
    [
        (window(4, 9), False),
        (window(5, 6), False),
        (window(3, 5), True),
        (window(8, 10), True),
        (slot(8, 2), False),
        (slot(9, 1), True),
        (window(4, 12), True),
    ],
)
def test_a_window_inside_a_freeze_is_a_conflict_with_no_one_else(
    schedule: dict[str, Any], is_kept: bool
) -> None:
    """Ruling `timing`: inside; a window with a free moment is none, a slot must be free itself."""
    decision = decided(
        item("r", **schedule), freezes=(freeze("deploys", 4, 9), freeze("elsewhere", 20, 21))
    )
    assert len(decision.kept) == is_kept
    if not is_kept:
        (conflict,) = decision.conflicts
        assert conflict.type.value == "timing"
        assert "(deploys)" in conflict.description


def test_freezes_that_touch_leave_no_moment_between_them() -> None:
    """Ruling `timing`: two freezes one after the other cover what lies in both."""
    freezes = (freeze("b", 6, 9), freeze("a", 4, 6))
    assert decided(item("r", **window(5, 8)), freezes=freezes).kept == ()


def test_what_expires_before_its_earliest_slot_is_a_conflict() -> None:
    """Ruling `timing`: also where only a freeze moves the slot."""
    expiring = item("r", expires_at=at(7), **window(5, 10))
    assert len(decided(expiring).kept) == 1
    decision = decided(expiring, freezes=(freeze("deploys", 4, 8),))
    assert decision.kept == ()
    assert "expires before its earliest slot" in decision.conflicts[0].description


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"scheduled_at": "tomorrow"}},
        {"parameters": {"scheduled_at": "2026-02-01T00:00:00"}},
        {"parameters": {"scheduled_at": 12}},
        {"parameters": {"scheduled_at": at(1), "duration_s": -1}},
        {"parameters": {"scheduled_at": at(1), "duration_s": True}},
        {"parameters": {"scheduled_at": at(1), "duration_s": 10**400}},
        {"parameters": {"scheduled_at": "9999-12-31T00:00:00Z", "duration_s": 10**8}},
        {"parameters": {"scheduled_at": "0001-01-01T00:00:00+23:59"}},
        {"metadata": {"window_start": at(2)}},
        {"metadata": {"window_start": at(2), "window_end": at(1)}},
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_naming_the_item(changes: dict[str, Any]) -> None:
    """Nothing is guessed, however odd the value."""
    with pytest.raises(RequestRefused, match="'r'") as refused:
        decided(item("r", **changes))
    assert refused.value.problems[0].code == "window-unreadable"
