"""One dataflow's topics and subscriptions, and the grants on them."""

from __future__ import annotations

from stacks.context import StackContext
from stacks.granting import applied_grants, declare_grants
from stacks.messaging import declare_messaging
from stacks.program import Outputs


def declare(context: StackContext) -> Outputs:
    """Declare a dataflow's resources, then who may use them."""
    dataflow = context.dataflow
    messaging = declare_messaging(context, str(context.name.dataflow), dataflow)
    declare_grants(context, context.grants, after=lambda grant: [messaging.resource_of(grant)])
    return {
        "topics": {name: topic.topic_path for name, topic in messaging.topics.items()},
        "subscriptions": {
            name: subscription.subscription_path
            for name, subscription in messaging.subscriptions.items()
        },
        "grants": applied_grants(context),
    }
