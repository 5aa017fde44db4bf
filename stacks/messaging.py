"""Declares the topics and subscriptions of one dataflow."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from architecture import names
from architecture.durations import seconds
from architecture.grants import Grant
from architecture.model import Dataflow
from architecture.model import Subscription as PlannedSubscription
from components.pubsub_agent_grant import PubSubAgentGrant
from components.subscription import Delivery, Subscription
from components.topic import Topic
from stacks.context import StackContext
from stacks.labelling import labels_of


@dataclass(frozen=True, slots=True)
class Messaging:
    """The declared topics and subscriptions, by name."""

    topics: dict[str, Topic]
    subscriptions: dict[str, Subscription]

    def resource_of(self, grant: Grant) -> pulumi.Resource | None:
        """Return the topic or subscription that a grant is on, if it is one of these."""
        match str(grant.resource.kind):
            case "topic":
                return self.topics.get(grant.resource.name)
            case "subscription":
                return self.subscriptions.get(grant.resource.name)
        return None


def declare_messaging(context: StackContext, name: str, dataflow: Dataflow) -> Messaging:
    """Declare a dataflow's topics, and after them its subscriptions."""
    topics = {}
    for topic in dataflow.resources.topics:
        topics[topic.name] = Topic(
            topic.name,
            project=context.project,
            labels=labels_of(context, name, topic.labels),
            message_retention_duration=_seconds(topic.message_retention_duration),
            teardown_protection=context.is_protected(topic),
        )
    subscriptions = {}
    for subscription in dataflow.resources.subscriptions:
        # A subscription's topic may belong to another dataflow: then its path is enough.
        used = (subscription.topic, _dead_letter_topic(subscription))
        after = [topics[topic] for topic in used if topic in topics]
        subscriptions[subscription.name] = Subscription(
            subscription.name,
            project=context.project,
            topic_path=names.topic_path(context.project, subscription.topic),
            delivery=_delivery(context, subscription),
            labels=labels_of(context, name, subscription.labels),
            opts=pulumi.ResourceOptions(depends_on=after),
        )
    messaging = Messaging(topics, subscriptions)
    _let_dead_letters_pass(context, dataflow, messaging)
    return messaging


def _let_dead_letters_pass(context: StackContext, dataflow: Dataflow, messaging: Messaging) -> None:
    """Grant Pub/Sub's own agent what forwarding takes, else dead letters silently stay away.

    Each grant is made where its topic or subscription is: two stacks that made the same one would
    take it from each other.
    """
    used = {
        subscription.dead_letter_policy.topic
        for flow in context.architecture.dataflows.values()
        for subscription in flow.resources.subscriptions
        if subscription.dead_letter_policy is not None
    }
    for name in sorted(used & messaging.topics.keys()):
        PubSubAgentGrant.on_topic(name, messaging.topics[name], project=context.project)
    for subscription in dataflow.resources.subscriptions:
        if subscription.dead_letter_policy is not None:
            declared = messaging.subscriptions[subscription.name]
            PubSubAgentGrant.on_subscription(subscription.name, declared, project=context.project)


def _dead_letter_topic(subscription: PlannedSubscription) -> str | None:
    policy = subscription.dead_letter_policy
    return policy.topic if policy is not None else None


def _delivery(context: StackContext, subscription: PlannedSubscription) -> Delivery:
    retry, dead = subscription.retry_policy, subscription.dead_letter_policy
    return Delivery(
        ack_deadline_seconds=subscription.ack_deadline_seconds,
        message_retention_duration=_seconds(subscription.message_retention_duration),
        minimum_backoff=_seconds(retry.minimum_backoff) if retry else None,
        maximum_backoff=_seconds(retry.maximum_backoff) if retry else None,
        dead_letter_topic_path=names.topic_path(context.project, dead.topic) if dead else None,
        max_delivery_attempts=dead.max_delivery_attempts if dead else None,
        filter=subscription.filter or None,
        enable_message_ordering=subscription.enable_message_ordering or None,
    )


def _seconds(duration: str) -> str | None:
    """Return a duration in the only form that Pub/Sub takes, `600s`; None where none is given."""
    if not duration:
        return None
    return f"{seconds(duration):.9f}".rstrip("0").rstrip(".") + "s"
