"""What Pub/Sub itself may do, so that it can forward dead letters."""

from __future__ import annotations

from typing import Self

import pulumi
from pulumi_gcp import organizations, pubsub

from components.subscription import Subscription
from components.tokens import Area, token
from components.topic import Topic


class PubSubAgentGrant(pulumi.ComponentResource):
    """A grant to Pub/Sub's service agent, whose name has the project's number in it.

    The number is not in the architecture: the grant plan lists these grants apart, as `agents`.
    """

    @classmethod
    def on_topic(cls, name: str, topic: Topic, *, project: str) -> Self:
        """Let the agent publish dead letters to a topic."""
        grant = cls(f"topic/{name}/pubsub.publisher/pubsub-agent", topic)
        pubsub.TopicIAMMember(
            grant.pulumi_resource_name,
            project=project,
            topic=topic.topic_name,
            role="roles/pubsub.publisher",
            member=_agent(project),
            opts=pulumi.ResourceOptions(parent=grant),
        )
        grant.register_outputs({})
        return grant

    @classmethod
    def on_subscription(cls, name: str, subscription: Subscription, *, project: str) -> Self:
        """Let the agent acknowledge what it has forwarded from a subscription."""
        grant = cls(f"subscription/{name}/pubsub.subscriber/pubsub-agent", subscription)
        pubsub.SubscriptionIAMMember(
            grant.pulumi_resource_name,
            project=project,
            subscription=subscription.subscription_name,
            role="roles/pubsub.subscriber",
            member=_agent(project),
            opts=pulumi.ResourceOptions(parent=grant),
        )
        grant.register_outputs({})
        return grant

    def __init__(self, name: str, on: pulumi.Resource) -> None:
        super().__init__(
            token(Area.ACCESS, "PubSubAgentGrant"),
            name,
            None,
            pulumi.ResourceOptions(depends_on=[on]),
        )


def _agent(project: str) -> pulumi.Output[str]:
    """Return the agent as IAM policies name it."""
    return pulumi.Output.concat(
        "serviceAccount:service-",
        organizations.get_project_output(project_id=project).number,
        "@gcp-sa-pubsub.iam.gserviceaccount.com",
    )
