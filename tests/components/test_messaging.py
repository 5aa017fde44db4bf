"""Topics and subscriptions as components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.subscription import Delivery, Subscription
from components.topic import Topic

if TYPE_CHECKING:
    from tests.components.conftest import Program


def test_a_topic_is_one_component_with_one_child(program: Program) -> None:
    """A topic's child has the component as parent, the cloud name and the labels."""
    recording = program.run(
        lambda: {"path": Topic("orders", project="p", labels={"a": "b"}).topic_path}
    )
    component = recording.one("conductor:dataflow:Topic")
    topic = recording.one("gcp:pubsub/topic:Topic")
    assert topic.parent == component.urn
    assert topic.inputs["name"] == "orders"
    assert topic.inputs["labels"] == {"a": "b"}
    assert recording.outputs == {"path": "projects/p/topics/orders"}
    assert recording.component_outputs[component.urn] == {
        "topicName": "orders",
        "topicPath": "projects/p/topics/orders",
    }


@pytest.mark.parametrize(
    ("retention", "protection", "protected"),
    [("600s", True, True), ("600s", False, False), (None, True, False)],
)
def test_only_a_topic_that_retains_messages_is_protected(
    program: Program, retention: str | None, *, protection: bool, protected: bool
) -> None:
    """Protection is for data: a topic without retention holds none."""
    recording = program.run(
        lambda: (
            Topic(
                "orders",
                project="p",
                labels={},
                message_retention_duration=retention,
                teardown_protection=protection,
            )
            and None
        )
    )
    assert recording.one("gcp:pubsub/topic:Topic").protect is protected


def subscribe(delivery: Delivery) -> None:
    """Declare a subscription with the delivery under test."""
    Subscription("s", project="p", topic_path="projects/p/topics/t", delivery=delivery, labels={})


def test_a_subscription_never_expires(program: Program) -> None:
    """Pub/Sub would delete an idle subscription after 31 days; ours are there to stay."""
    recording = program.run(lambda: subscribe(Delivery()))
    subscription = recording.one("gcp:pubsub/subscription:Subscription")
    assert subscription.inputs["expirationPolicy"] == {"ttl": ""}
    assert "retryPolicy" not in subscription.inputs
    assert "deadLetterPolicy" not in subscription.inputs


def test_a_subscription_says_how_messages_are_delivered(program: Program) -> None:
    """Every setting of the delivery reaches the resource."""
    delivery = Delivery(
        ack_deadline_seconds=30,
        message_retention_duration="600s",
        minimum_backoff="1s",
        maximum_backoff="60s",
        dead_letter_topic_path="projects/p/topics/dead",
        max_delivery_attempts=7,
        filter='attributes.k = "v"',
        enable_message_ordering=True,
    )
    inputs = (
        program.run(lambda: subscribe(delivery)).one("gcp:pubsub/subscription:Subscription").inputs
    )
    assert inputs["topic"] == "projects/p/topics/t"
    assert inputs["ackDeadlineSeconds"] == 30
    assert inputs["messageRetentionDuration"] == "600s"
    assert inputs["retryPolicy"] == {"minimumBackoff": "1s", "maximumBackoff": "60s"}
    assert inputs["deadLetterPolicy"] == {
        "deadLetterTopic": "projects/p/topics/dead",
        "maxDeliveryAttempts": 7,
    }
    assert inputs["filter"] == 'attributes.k = "v"'
    assert inputs["enableMessageOrdering"] is True
