"""What Google's own agents get is what the grant plan lists for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from architecture.grants import plan_grants
from architecture.loading import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stacks.conftest import Layers


def test_stack_grants_googles_agents_what_the_plan_lists(layers: Layers, tmp_path: Path) -> None:
    """The plan cannot name the agent, whose e-mail has the project's number in it; a stack can."""
    plan = plan_grants(load(tmp_path / "architecture.yaml").architecture)
    planned = {
        (grant.member.replace("PROJECT_NUMBER", "123"), grant.role, grant.resource.name)
        for grant in plan.agents
        if (grant.layer, grant.dataflow) == ("dataflow", "orders")
    }
    recording = layers.declare("test.dataflow.orders")
    granted = {
        (member.inputs["member"], member.inputs["role"], member.inputs[on])
        for kind, on in (
            ("gcp:pubsub/topicIAMMember:TopicIAMMember", "topic"),
            ("gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember", "subscription"),
        )
        for member in recording.of(kind)
        if "gcp-sa-" in member.inputs["member"]
    }
    assert planned == granted
    assert len(granted) == 2
