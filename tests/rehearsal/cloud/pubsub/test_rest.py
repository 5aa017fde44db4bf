"""Pub/Sub over REST, as the official provider and plain HTTP clients call it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.cloud.pubsub.protocol import message_class
from rehearsal.cloud.pubsub.refresh_protocol import TARGET, installed_protocol
from rehearsal.cloud.pubsub.state import broker_of

BASE = "/pubsub/v1/projects/local-proj"
TOPIC = f"{BASE}/topics/orders"
SUBSCRIPTION = f"{BASE}/subscriptions/orders-worker"
TOPIC_NAME = "projects/local-proj/topics/orders"
Expect = Callable[..., Any]


@pytest.fixture
def topic(local_cloud: Any, expect: Expect) -> dict[str, Any]:
    """The topic `orders`, created as the provider does."""
    body = {"labels": {"v": "1"}, "messageRetentionDuration": "86400s"}
    return dict(expect(local_cloud.deployer.put(TOPIC, json=body)))


def message(text: str, **attributes: str) -> dict[str, Any]:
    """A message for a publish request."""
    return {"data": base64.b64encode(text.encode()).decode(), "attributes": attributes}


def test_a_topic_is_created_once(topic: Any, local_cloud: Any, expect: Expect) -> None:
    """The provider's PUT returns the topic; a second one is a conflict."""
    assert topic == {
        "name": TOPIC_NAME,
        "labels": {"v": "1"},
        "messageRetentionDuration": "86400s",
    }
    assert expect(local_cloud.deployer.get(TOPIC)) == topic
    error = expect(local_cloud.deployer.put(TOPIC, json={}), 409)["error"]
    assert error["message"] == "Resource already exists in the project (resource=orders)."
    error = expect(local_cloud.deployer.get(f"{BASE}/topics/none"), 404)["error"]
    assert error["message"] == "Resource not found (resource=none)."


def test_the_providers_updates_are_understood(topic: Any, local_cloud: Any, expect: Expect) -> None:
    """Masks come in the query, in camelCase, with a `bigqueryConfig` that nobody set."""
    client = local_cloud.deployer
    changed = expect(
        client.patch(TOPIC, params={"updateMask": "labels"}, json={"topic": {"labels": {"v": "2"}}})
    )
    assert changed == topic | {"labels": {"v": "2"}}
    created = expect(client.put(SUBSCRIPTION, json={"topic": TOPIC_NAME, "expirationPolicy": None}))
    assert created == {
        "name": "projects/local-proj/subscriptions/orders-worker",
        "topic": TOPIC_NAME,
        "ackDeadlineSeconds": 10,
        "pushConfig": {},
        "messageRetentionDuration": "604800s",
        "expirationPolicy": {"ttl": "2678400s"},
        "state": "ACTIVE",
    }
    updated = expect(
        client.patch(
            SUBSCRIPTION,
            params={"updateMask": "labels,bigqueryConfig"},
            json={"subscription": {"labels": {"v": "2"}, "ackDeadlineSeconds": 10}},
        )
    )
    assert updated == created | {"labels": {"v": "2"}}


@pytest.mark.parametrize("topic_id", ["ab", "1abc", "goog-topic", "a!bc", "x" * 256])
def test_invalid_names_are_refused(local_cloud: Any, expect: Expect, topic_id: str) -> None:
    """Names follow Pub/Sub's rules."""
    error = expect(local_cloud.deployer.put(f"{BASE}/topics/{topic_id}", json={}), 400)["error"]
    assert "Invalid resource name given" in error["message"]


@pytest.mark.parametrize(
    "settings",
    [
        {"ackDeadlineSeconds": 9},
        {"ackDeadlineSeconds": 601},
        {"messageRetentionDuration": "60s"},
        {"messageRetentionDuration": "10 days"},
        {"expirationPolicy": {"ttl": "3600s"}},
        {"retryPolicy": {"minimumBackoff": "601s"}},
        {"retryPolicy": {"minimumBackoff": "20s", "maximumBackoff": "10s"}},
        {"deadLetterPolicy": {"deadLetterTopic": TOPIC_NAME, "maxDeliveryAttempts": 4}},
        {"filter": "attributes.k == v("},
        {"pushConfig": {"pushEndpoint": "not a url"}},
    ],
)
def test_invalid_settings_are_refused(
    topic: Any, local_cloud: Any, expect: Expect, settings: dict[str, Any]
) -> None:
    """A subscription outside Pub/Sub's bounds is never created."""
    client = local_cloud.deployer
    expect(client.put(SUBSCRIPTION, json={"topic": TOPIC_NAME, **settings}), 400)
    expect(client.get(SUBSCRIPTION), 404)


@pytest.mark.parametrize("field", ["topic", "filter", "enableMessageOrdering", "name", "nonsense"])
def test_what_cannot_change_is_refused(
    topic: Any, local_cloud: Any, expect: Expect, field: str
) -> None:
    """An update of an immutable or unknown field is an error."""
    client = local_cloud.deployer
    expect(client.put(SUBSCRIPTION, json={"topic": TOPIC_NAME}))
    body = {"subscription": {"topic": TOPIC_NAME}}
    expect(client.patch(SUBSCRIPTION, params={"updateMask": field}, json=body), 400)


def test_messages_travel_over_rest(topic: Any, local_cloud: Any, expect: Expect) -> None:
    """Publish, pull, modifyAckDeadline and acknowledge work without gRPC."""
    client = local_cloud.deployer
    expect(client.put(SUBSCRIPTION, json={"topic": TOPIC_NAME}))
    published = expect(
        client.post(f"{TOPIC}:publish", json={"messages": [message("a", k="1"), message("b")]})
    )
    assert len(published["messageIds"]) == 2
    pull = {"maxMessages": 1, "returnImmediately": True}
    (first,) = expect(client.post(f"{SUBSCRIPTION}:pull", json=pull))["receivedMessages"]
    assert first["message"]["attributes"] == {"k": "1"}
    assert first["message"]["messageId"] == published["messageIds"][0]
    refuse = {"ackIds": [first["ackId"]], "ackDeadlineSeconds": 0}
    expect(client.post(f"{SUBSCRIPTION}:modifyAckDeadline", json=refuse))
    (again,) = expect(client.post(f"{SUBSCRIPTION}:pull", json=pull))["receivedMessages"]
    assert again["message"] == first["message"]
    expect(client.post(f"{SUBSCRIPTION}:acknowledge", json={"ackIds": [again["ackId"]]}))
    (second,) = expect(client.post(f"{SUBSCRIPTION}:pull", json=pull))["receivedMessages"]
    assert base64.b64decode(second["message"]["data"]) == b"b"


@pytest.mark.parametrize(
    "messages", [[], [{}], [{"data": "!"}], [{"attributes": {"k": "v" * 1025}}]]
)
def test_invalid_messages_are_refused(
    topic: Any, local_cloud: Any, expect: Expect, messages: list[Any]
) -> None:
    """Nothing of a refused publish request is delivered."""
    expect(local_cloud.deployer.post(f"{TOPIC}:publish", json={"messages": messages}), 400)


def test_unacknowledged_messages_survive_a_restart(
    start_cloud: Callable[..., Any], expect: Expect
) -> None:
    """What was published and not acknowledged is delivered by the next process."""
    pull = {"maxMessages": 10, "returnImmediately": True}
    with start_cloud() as cloud:
        cloud.enable("pubsub")
        expect(cloud.deployer.put(TOPIC, json={}))
        expect(cloud.deployer.put(SUBSCRIPTION, json={"topic": TOPIC_NAME}))
        both = {"messages": [message("kept"), message("settled")]}
        expect(cloud.deployer.post(f"{TOPIC}:publish", json=both))
        received = expect(cloud.deployer.post(f"{SUBSCRIPTION}:pull", json=pull))
        ack = {"ackIds": [received["receivedMessages"][1]["ackId"]]}
        expect(cloud.deployer.post(f"{SUBSCRIPTION}:acknowledge", json=ack))
    with start_cloud() as cloud:
        (left,) = expect(cloud.deployer.post(f"{SUBSCRIPTION}:pull", json=pull))["receivedMessages"]
        assert base64.b64decode(left["message"]["data"]) == b"kept"


def test_old_messages_and_idle_subscriptions_go_away(
    topic: Any, local_cloud: Any, expect: Expect, on_loop: Callable[..., Any]
) -> None:
    """Retention and expiration are enforced by the sweep."""
    client = local_cloud.deployer
    expect(client.put(SUBSCRIPTION, json={"topic": TOPIC_NAME}))
    expect(client.post(f"{TOPIC}:publish", json={"messages": [message("a")]}))
    broker = broker_of(local_cloud.cloud)
    on_loop(lambda: broker.sweep(time.time() + 8 * 86_400))
    pull = {"maxMessages": 10, "returnImmediately": True}
    assert expect(client.post(f"{SUBSCRIPTION}:pull", json=pull)) == {}
    on_loop(lambda: broker.sweep(time.time() + 32 * 86_400))
    expect(client.get(SUBSCRIPTION), 404)


def test_a_dead_letter_topic_must_exist(topic: Any, local_cloud: Any, expect: Expect) -> None:
    """A policy that leads nowhere is refused when it is made."""
    policy = {"deadLetterTopic": "projects/local-proj/topics/none"}
    body = {"topic": TOPIC_NAME, "deadLetterPolicy": policy}
    expect(local_cloud.deployer.put(SUBSCRIPTION, json=body), 404)


def test_the_vendored_protocol_is_that_of_the_installed_client() -> None:
    """A new client library whose messages differ is noticed."""
    hint = "run `python -m rehearsal.cloud.pubsub.refresh_protocol`"
    assert TARGET.read_bytes() == installed_protocol(), hint
    assert message_class("PublishRequest")(topic="t").topic == "t"


def test_lost_leases_are_told_with_exactly_once_delivery(
    topic: Any, local_cloud: Any, expect: Expect
) -> None:
    """Over REST too: 400 names each acknowledgement id that holds nothing any more."""
    client = local_cloud.deployer
    for name, is_exact in (("exact", True), ("usual", False)):
        body = {"topic": TOPIC_NAME, "enableExactlyOnceDelivery": is_exact}
        expect(client.put(f"{BASE}/subscriptions/{name}", json=body))
    expect(client.post(f"{TOPIC}:publish", json={"messages": [{"data": "eA=="}]}))
    for name, code in (("exact", 400), ("usual", 200)):
        url = f"{BASE}/subscriptions/{name}"
        (received,) = expect(client.post(f"{url}:pull", json={"maxMessages": 1}))[
            "receivedMessages"
        ]
        nack = {"ackIds": [received["ackId"]], "ackDeadlineSeconds": 0}
        expect(client.post(f"{url}:modifyAckDeadline", json=nack))
        answer = expect(
            client.post(f"{url}:acknowledge", json={"ackIds": [received["ackId"]]}), code
        )
        if code == 400:
            (details,) = answer["error"]["details"]
            assert details["metadata"] == {received["ackId"]: "PERMANENT_FAILURE_INVALID_ACK_ID"}


def test_a_request_has_its_limits(topic: Any, local_cloud: Any, expect: Expect) -> None:
    """At most 1,000 messages and 10 MB at once, and keys of ordering of 1 KB."""
    client = local_cloud.deployer

    def publish(code: int, *messages: dict[str, Any]) -> str:
        answer = expect(client.post(f"{TOPIC}:publish", json={"messages": messages}), code)
        return str(answer["error"]["message"]) if code == 400 else ""

    small = {"data": "eA=="}
    publish(200, *[small] * 1000)
    assert "maximum value is 1000" in publish(400, *[small] * 1001)
    large = {"data": base64.b64encode(bytes(6 * 1024 * 1024)).decode()}
    publish(200, large)
    assert "exceeds the limit: 10485760" in publish(400, large, large)
    assert "ordering key" in publish(400, small | {"orderingKey": "k" * 1025})


def test_settings_without_effect_here_are_refused(
    topic: Any, local_cloud: Any, expect: Expect
) -> None:
    """What would look right and do nothing is named instead."""
    client = local_cloud.deployer
    schema = {"schemaSettings": {"schema": "projects/local-proj/schemas/s", "encoding": "JSON"}}
    refused = expect(client.put(f"{BASE}/topics/other", json=schema), 400)["error"]
    assert (refused["status"], "schemaSettings" in refused["message"]) == (
        "FAILED_PRECONDITION",
        True,
    )
    body = {"topic": TOPIC_NAME, "bigqueryConfig": {"table": "local-proj.d.t"}}
    refused = expect(client.put(f"{BASE}/subscriptions/other", json=body), 400)["error"]
    assert "bigqueryConfig" in refused["message"]
