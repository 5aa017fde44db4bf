"""What Google's own agents need so that something in the file works.

An agent's e-mail has the project's number in it, which the file does not say: the stacks look it
up. Agents are nobody's service, so nobody waits for these grants by acting as them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from architecture.grants.directory import Directory
from architecture.grants.plan import Grant, GrantResource, ResourceKind

PUBSUB_AGENT: Final = "serviceAccount:service-PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com"


def agent_grants(directory: Directory) -> Iterator[Grant]:
    """Yield what Pub/Sub needs to forward dead letters; without it they silently stay away."""
    for name, flow in directory.arch.dataflows.items():
        for subscription in flow.resources.subscriptions:
            if subscription.dead_letter_policy is None:
                continue
            topic = subscription.dead_letter_policy.topic
            reason = f"subscription {subscription.name} gives up to topic {topic}"
            yield directory.placed(
                PUBSUB_AGENT,
                "roles/pubsub.publisher",
                GrantResource(ResourceKind.TOPIC, topic),
                directory.dataflow_of_topic(topic, name),
                reason,
            )
            yield directory.placed(
                PUBSUB_AGENT,
                "roles/pubsub.subscriber",
                GrantResource(ResourceKind.SUBSCRIPTION, subscription.name),
                name,
                reason,
            )
