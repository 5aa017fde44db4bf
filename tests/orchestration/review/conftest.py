"""Steps of a preview, as the engine would plan them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest

from orchestration.automation.results import PlannedStep, PropertyChange

PROJECT = "shop-prod"
Stepping: TypeAlias = Callable[..., PlannedStep]


def planned_step(
    operation: str,
    type_: str,
    name: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    paths: Mapping[str, str] | None = None,
    repairs_drift: bool = False,
    stack: str = "prod.dataflow.orders",
) -> PlannedStep:
    """Make a step; `paths` are the properties that differ, and how."""
    return PlannedStep(
        operation=operation,
        urn=f"urn:pulumi:{stack}::conductor::{type_}::{name}",
        type=type_,
        name=name,
        changes=tuple(PropertyChange(path, kind) for path, kind in (paths or {}).items()),
        repairs_drift=repairs_drift,
        before=before or {},
        after=after or {},
    )


@pytest.fixture
def step() -> Stepping:
    """Make a step of a preview."""
    return planned_step


@pytest.fixture
def grant() -> Stepping:
    """Make a step on a grant: `grant(operation, member, role, topic=…)`."""

    def make(
        operation: str, member: str, role: str, *, topic: str = "orders", **options: Any
    ) -> PlannedStep:
        inputs = {"member": member, "role": role, "topic": topic, "project": PROJECT}
        return planned_step(
            operation,
            "gcp:pubsub/topicIAMMember:TopicIAMMember",
            f"topic/{topic}/{role}/{member}",
            before={} if operation == "create" else inputs,
            after={} if operation == "delete" else inputs,
            **options,
        )

    return make
