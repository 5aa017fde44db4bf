"""Google's own client against the local Pub/Sub, over gRPC."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import field_mask_pb2

TOPIC = "projects/local-proj/topics/orders"
DEAD_TOPIC = "projects/local-proj/topics/dead"
SUBSCRIPTION = "projects/local-proj/subscriptions/orders-worker"
DEAD_SUBSCRIPTION = "projects/local-proj/subscriptions/dead-worker"
AGENT = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"

Wait = Callable[..., None]


def subscribe(pubsub: Any, **settings: Any) -> Any:
    """Create the subscription under test."""
    return pubsub.subscriber.create_subscription(
        request={"name": SUBSCRIPTION, "topic": TOPIC, **settings}
    )


def test_many_messages_arrive_each_once_through_a_stream(pubsub: Any) -> None:
    """Publishing and streaming pull carry a load, and acknowledgements empty the backlog (0.12)."""
    subscribe(pubsub)
    got: list[bytes] = []
    done = threading.Event()

    def on_message(message: Any) -> None:
        got.append(message.data)
        message.ack()
        if len(got) >= 500:
            done.set()

    pubsub.subscribe(on_message)
    futures = [pubsub.publisher.publish(TOPIC, b"%d" % number) for number in range(500)]
    assert len({future.result(10) for future in futures}) == 500
    assert done.wait(20)
    assert sorted(got, key=int) == [b"%d" % number for number in range(500)]


def test_a_message_carries_what_was_published(pubsub: Any) -> None:
    """Data, attributes, id and publish time arrive."""
    subscribe(pubsub)
    message_id = pubsub.publish(b"\x00payload", trace="t1")
    (received,) = pubsub.pull()
    assert received.message.data == b"\x00payload"
    assert dict(received.message.attributes) == {"trace": "t1"}
    assert received.message.message_id == message_id
    assert received.message.publish_time.timestamp() > 0
    assert received.delivery_attempt == 0


def test_an_unacknowledged_message_is_delivered_again(pubsub: Any, wait_until: Wait) -> None:
    """A lease that runs out makes the message available to the next pull."""
    subscribe(pubsub)
    pubsub.publish()
    (first,) = pubsub.pull()
    assert pubsub.pull() == []
    pubsub.subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[first.ack_id], ack_deadline_seconds=1
    )
    again: list[Any] = []
    wait_until(lambda: again.extend(pubsub.pull()) or again)
    assert again[0].message.message_id == first.message.message_id
    assert again[0].ack_id != first.ack_id


def test_a_stream_gets_a_refused_message_again(pubsub: Any) -> None:
    """Nack leads to redelivery on the same stream."""
    subscribe(pubsub)
    seen: list[str] = []
    done = threading.Event()

    def on_message(message: Any) -> None:
        seen.append(message.message_id)
        if len(seen) == 1:
            message.nack()
        else:
            message.ack()
            done.set()

    pubsub.subscribe(on_message)
    message_id = pubsub.publish()
    assert done.wait(20)
    assert seen == [message_id, message_id]


def test_a_stream_holds_no_more_than_its_flow_control_allows(pubsub: Any, wait_until: Wait) -> None:
    """Messages beyond `max_messages` wait until others are settled."""
    subscribe(pubsub)
    held: list[Any] = []
    pubsub.subscribe(held.append, max_messages=2)
    for _ in range(5):
        pubsub.publish()
    for settled in range(5):
        wait_until(partial(lambda count: len(held) > count, settled))
        assert len(held) - settled <= 2
        held[settled].ack()


def test_a_filter_selects_messages(pubsub: Any) -> None:
    """Messages that a filter leaves out never reach the subscription."""
    subscribe(pubsub, filter='attributes.kind = "order"')
    pubsub.publish(b"invoice", kind="invoice")
    pubsub.publish(b"order", kind="order")
    assert [received.message.data for received in pubsub.pull()] == [b"order"]


def test_messages_of_a_key_keep_their_order(pubsub: Any) -> None:
    """With ordering enabled a stream sees each key's messages as they were published."""
    subscribe(pubsub, enable_message_ordering=True)
    got: list[bytes] = []
    done = threading.Event()

    def on_message(message: Any) -> None:
        got.append(message.data)
        message.ack()
        if len(got) == 20:
            done.set()

    pubsub.subscribe(on_message)
    for number in range(20):
        pubsub.publish(b"%d" % number, ordering_key="customer-1")
    assert done.wait(20)
    assert got == [b"%d" % number for number in range(20)]


def test_an_exhausted_message_goes_to_the_dead_letter_topic(
    pubsub: Any, local_cloud: Any, wait_until: Wait
) -> None:
    """After its attempts a message moves on and tells its origin, once Google may move it."""
    pubsub.publisher.create_topic(name=DEAD_TOPIC)
    pubsub.subscriber.create_subscription(name=DEAD_SUBSCRIPTION, topic=DEAD_TOPIC)
    subscribe(
        pubsub, dead_letter_policy={"dead_letter_topic": DEAD_TOPIC, "max_delivery_attempts": 5}
    )
    pubsub.publish(b"poison", trace="t1")
    for attempt in range(1, 6):
        (received,) = pubsub.pull()
        assert received.delivery_attempt == attempt
        pubsub.nack(received)
    # Without its grants Pub/Sub's own agent cannot forward: the message keeps coming.
    (received,) = pubsub.pull()
    assert pubsub.pull(DEAD_SUBSCRIPTION) == []
    local_cloud.grant(f"/pubsub/v1/{DEAD_TOPIC}", "roles/pubsub.publisher", AGENT)
    local_cloud.grant(f"/pubsub/v1/{SUBSCRIPTION}", "roles/pubsub.subscriber", AGENT)
    pubsub.nack(received)
    dead: list[Any] = []
    wait_until(lambda: dead.extend(pubsub.pull(DEAD_SUBSCRIPTION)) or dead)
    assert dead[0].message.data == b"poison"
    attributes = dict(dead[0].message.attributes)
    assert attributes["trace"] == "t1"
    assert attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "6"
    assert attributes["CloudPubSubDeadLetterSourceSubscription"] == "orders-worker"
    assert attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] == "local-proj"
    assert pubsub.pull() == []


def test_a_deleted_subscription_ends_its_streams(pubsub: Any) -> None:
    """A stream whose subscription goes away ends with NOT_FOUND."""
    subscribe(pubsub)
    stream = pubsub.subscribe(lambda message: message.ack())
    pubsub.subscriber.delete_subscription(subscription=SUBSCRIPTION)
    with pytest.raises(exceptions.NotFound):
        stream.result(20)


def test_a_lost_permission_ends_a_stream(
    pubsub: Any, local_cloud: Any, connect: Callable[[int], Any], serve_as: Callable[[str], int]
) -> None:
    """A subscriber whose role is taken away is told PERMISSION_DENIED, not left waiting."""
    subscribe(pubsub)
    email = local_cloud.account("worker")
    url = f"/pubsub/v1/{SUBSCRIPTION}"
    local_cloud.grant(url, "roles/pubsub.subscriber", f"serviceAccount:{email}")
    worker = connect(serve_as(f"serviceAccount:{email}"))
    got = threading.Event()
    stream = worker.subscribe(lambda message: (message.ack(), got.set()))
    pubsub.publish()
    assert got.wait(20)
    local_cloud.deployer.post(f"{url}:setIamPolicy", json={"policy": {}})
    with pytest.raises(exceptions.PermissionDenied, match=r"pubsub\.subscriptions\.consume"):
        stream.result(20)


def test_a_port_speaks_for_its_principal(
    pubsub: Any, local_cloud: Any, connect: Callable[[int], Any], serve_as: Callable[[str], int]
) -> None:
    """Publishing needs the publisher role on the topic, and that is enough (0.12)."""
    email = local_cloud.account("publisher")
    service = connect(serve_as(f"serviceAccount:{email}"))
    with pytest.raises(exceptions.PermissionDenied) as denied:
        service.publish()
    assert denied.value.reason == "IAM_PERMISSION_DENIED"
    url = f"/pubsub/v1/{TOPIC}"
    local_cloud.grant(url, "roles/pubsub.publisher", f"serviceAccount:{email}")
    assert service.publish()
    with pytest.raises(exceptions.PermissionDenied):
        service.publisher.get_topic(topic=TOPIC)
    with pytest.raises(exceptions.PermissionDenied):
        subscribe(service)


def test_resources_are_managed_over_grpc_as_well(pubsub: Any) -> None:
    """Creating, listing, changing and deleting give what the REST API gives."""
    created = subscribe(pubsub, labels={"v": "1"}, retry_policy={"minimum_backoff": "20s"})
    assert created.ack_deadline_seconds == 10
    assert created.retry_policy.maximum_backoff.seconds == 600
    updated = pubsub.subscriber.update_subscription(
        subscription={"name": SUBSCRIPTION, "ack_deadline_seconds": 42, "expiration_policy": {}},
        update_mask=field_mask_pb2.FieldMask(paths=["ack_deadline_seconds", "expiration_policy"]),
    )
    assert updated.ack_deadline_seconds == 42
    assert not updated.expiration_policy.ttl
    assert updated.labels == {"v": "1"}
    project = "projects/local-proj"
    assert [topic.name for topic in pubsub.publisher.list_topics(project=project)] == [TOPIC]
    assert list(pubsub.publisher.list_topic_subscriptions(topic=TOPIC)) == [SUBSCRIPTION]
    pubsub.publisher.delete_topic(topic=TOPIC)
    detached = pubsub.subscriber.get_subscription(subscription=SUBSCRIPTION)
    assert detached.topic == "_deleted-topic_"
    with pytest.raises(exceptions.NotFound, match=r"resource=orders"):
        pubsub.publisher.get_topic(topic=TOPIC)


def test_an_unmodelled_method_says_so(pubsub: Any) -> None:
    """What is not modelled fails clearly, naming itself."""
    with pytest.raises(exceptions.FailedPrecondition, match=r"Subscriber\.CreateSnapshot"):
        pubsub.subscriber.create_snapshot(name="projects/local-proj/snapshots/s", subscription="s")


def test_a_disabled_api_refuses_calls(pubsub: Any, local_cloud: Any) -> None:
    """GRPC calls need the API enabled, like REST calls."""
    local_cloud.cloud.apis.disable("pubsub.googleapis.com")
    with pytest.raises(exceptions.PermissionDenied, match="has not been used in project"):
        pubsub.publisher.get_topic(topic=TOPIC)
