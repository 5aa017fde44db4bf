"""Requests to the coordination engine, generated: always the same ones for a shape and a size."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from orchestration.coordination.model import CoordinationRequest, RiskLevel

SEED: Final = 1
CUSTOMER: Final = "customer"
ACTIONS: Final = (
    "scale_up",
    "scale_down",
    "migrate_to_spot",
    "migrate_to_on_demand",
    "enable_caching",
    "disable_caching",
    "right_size",
)


class Shape(StrEnum):
    """How much the recommendations of a request are in each other's way."""

    RICH = "rich"
    MIXED = "mixed"
    SPARSE = "sparse"
    FREE = "free"


# How many resources there are for each recommendation; without conflicts each has its own.
RESOURCES_EACH: Final = {Shape.RICH: 0.5, Shape.MIXED: 2, Shape.SPARSE: 10}


def request(shape: Shape, count: int, *, seed: int = SEED) -> CoordinationRequest:
    """Give a request as it is when it has been read."""
    return CoordinationRequest.model_validate(document(shape, count, seed=seed))


def document(shape: Shape, count: int, *, seed: int = SEED) -> dict[str, JsonValue]:
    """Give a request's JSON: a tenth needs another one, a fifth has a window."""
    draw = random.Random(seed)  # noqa: S311 - must repeat itself
    return {
        "customer_id": CUSTOMER,
        "auto_approve": True,
        "recommendations": [_recommendation(draw, shape, place, count) for place in range(count)],
    }


def _recommendation(
    draw: random.Random, shape: Shape, place: int, count: int
) -> dict[str, JsonValue]:
    touched = range(draw.randint(1, 3))
    if shape is Shape.FREE:
        resources = [f"instance-{place}-{n}" for n in touched]
        needed: list[str] = []
    else:
        pool = max(2, int(count * RESOURCES_EACH[shape]))
        resources = [f"instance-{draw.randrange(pool)}" for _ in touched]
        needed = [f"rec-{draw.randrange(place)}"] if place and draw.random() < 1 / 10 else []
    hour = draw.randrange(20)
    window = {
        "window_start": f"2026-02-01T{hour:02}:00:00Z",
        "window_end": f"2026-02-01T{hour + 3:02}:00:00Z",
    }
    return {
        "id": f"rec-{place}",
        "agent_id": f"agent-{place % 7}",
        "customer_id": CUSTOMER,
        "type": "cost",
        "action": draw.choice(ACTIONS),
        "risk_level": draw.choice(list(RiskLevel)),
        "estimated_savings": draw.random() * 1000,
        "affected_resources": resources,
        "parameters": {"count": 3},
        "dependencies": needed,
        "priority": draw.randrange(10),
        "confidence": draw.random(),
        "created_at": "2025-12-01T00:00:00Z",
        "metadata": window if draw.random() < 1 / 5 else None,
    }
