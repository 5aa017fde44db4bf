"""Containment: a conflict between a resource and what it lies in, by an architecture's names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from architecture.loading import load
from orchestration.coordination.containment import resource_tree
from orchestration.coordination.engine import decide
from orchestration.coordination.model import CoordinationRequest
from orchestration.coordination.rules import ResourceTree, Rules

EVERY_KIND = Path(__file__).parents[3] / "testdata" / "architectures" / "every-kind.yaml"


@pytest.fixture(scope="module")
def tree() -> ResourceTree:
    """The tree of the sample system with every kind of resource."""
    return resource_tree(load(EVERY_KIND).architecture)


def test_every_service_and_resource_lies_in_its_dataflow(tree: ResourceTree) -> None:
    """Design 8: `services/<name>`, `topics/<name>` … in `dataflows/<name>`; none is left out."""
    architecture = load(EVERY_KIND).architecture
    for name, dataflow in architecture.dataflows.items():
        inside = {child for child in tree.parents if f"dataflows/{name}" in tree.ancestors(child)}
        declared = sum(len(kind) for _, kind in dataflow.resources)
        assert len(inside) == len(dataflow.services) + declared > 0


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("subscriptions/orders-sub", "topics/orders"),
        ("services/orders-api", "dataflows/ordering"),
    ],
)
def test_what_lies_in_another_conflicts_with_it(tree: ResourceTree, inner: str, outer: str) -> None:
    """Item 2: containment is a shared resource, and names both."""

    def item(id_: str, resource: str) -> dict[str, Any]:
        return {
            "id": id_,
            "agent_id": "a",
            "customer_id": "c",
            "type": "cost",
            "action": "scale_up",
            "risk_level": "low",
            "affected_resources": [resource],
        }

    def conflicts(rules: Rules) -> list[str]:
        request = CoordinationRequest.model_validate(
            {
                "customer_id": "c",
                "recommendations": [item("a", inner), item("b", outer), item("c", "i-1")],
            }
        )
        now = datetime(2026, 1, 1, tzinfo=UTC)
        decision = decide(request, decision_id="d", now=now, rules=rules)
        return [conflict.description for conflict in decision.conflicts]

    (text,) = conflicts(Rules(resources=tree))
    assert f"{inner} (in {outer})" in text
    assert conflicts(Rules()) == []
