"""A Pub/Sub subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import pubsub

from components.tokens import Area, token

# Pub/Sub deletes a subscription that nobody used for 31 days unless it is told never to. An
# empty time to live says never: what the architecture declares stays until it is taken out.
_NEVER = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How messages reach the consumer; None leaves Pub/Sub's default. Durations are `600s`."""

    ack_deadline_seconds: int | None = None
    message_retention_duration: str | None = None
    minimum_backoff: str | None = None
    maximum_backoff: str | None = None
    dead_letter_topic_path: str | None = None
    max_delivery_attempts: int | None = None
    filter: str | None = None
    enable_message_ordering: bool | None = None


class Subscription(pulumi.ComponentResource):
    """A Pub/Sub subscription that never expires."""

    subscription_name: pulumi.Output[str]
    subscription_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        topic_path: pulumi.Input[str],
        delivery: Delivery,
        labels: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.DATAFLOW, "Subscription"), name, None, opts)
        subscription = pubsub.Subscription(
            name,
            name=name,
            project=project,
            topic=topic_path,
            labels=labels,
            ack_deadline_seconds=delivery.ack_deadline_seconds,
            message_retention_duration=delivery.message_retention_duration,
            filter=delivery.filter,
            enable_message_ordering=delivery.enable_message_ordering,
            expiration_policy=pubsub.SubscriptionExpirationPolicyArgs(ttl=_NEVER),
            retry_policy=_retry_policy(delivery),
            dead_letter_policy=_dead_letter_policy(delivery),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.subscription_name = subscription.name
        self.subscription_path = subscription.id
        self.register_outputs(
            {
                "subscriptionName": self.subscription_name,
                "subscriptionPath": self.subscription_path,
            }
        )


def _retry_policy(delivery: Delivery) -> pubsub.SubscriptionRetryPolicyArgs | None:
    if delivery.minimum_backoff is None and delivery.maximum_backoff is None:
        return None
    return pubsub.SubscriptionRetryPolicyArgs(
        minimum_backoff=delivery.minimum_backoff, maximum_backoff=delivery.maximum_backoff
    )


def _dead_letter_policy(delivery: Delivery) -> pubsub.SubscriptionDeadLetterPolicyArgs | None:
    if delivery.dead_letter_topic_path is None:
        return None
    return pubsub.SubscriptionDeadLetterPolicyArgs(
        dead_letter_topic=delivery.dead_letter_topic_path,
        max_delivery_attempts=delivery.max_delivery_attempts,
    )
