"""Faults reach gRPC calls as well."""

from __future__ import annotations

import json
import queue
from typing import Any

import pytest
from google.api_core import exceptions, retry
from google.pubsub_v1.types import StreamingPullRequest

TOPIC = "projects/local-proj/topics/orders"
SUBSCRIPTION = "projects/local-proj/subscriptions/orders-worker"


def test_grpc_calls_fail_by_rule(pubsub: Any, local_cloud: Any, expect: Any) -> None:
    """A refusal and a dropped connection reach Google's client as its own errors."""
    method = "pubsub.projects.topics.create"
    rules = [
        {"match": {"method": method}, "nth": [1], "reply": {"code": 429}},
        {"match": {"method": method}, "nth": [2], "when": "after", "drop_connection": True},
    ]
    expect(local_cloud.deployer.put("/_local/faults", json={"rules": rules}))
    never = retry.Retry(predicate=lambda _: False)
    name = "projects/local-proj/topics/injected"
    with pytest.raises(exceptions.ResourceExhausted):
        pubsub.publisher.create_topic(name=name, retry=never)
    with pytest.raises(exceptions.ServiceUnavailable):
        pubsub.publisher.create_topic(name=name, retry=never)
    with pytest.raises(exceptions.AlreadyExists):
        pubsub.publisher.create_topic(name=name, retry=never)


def test_a_refusal_over_grpc_tells_what_it_tells_over_http(
    pubsub: Any, local_cloud: Any, expect: Any
) -> None:
    """Google's error info is where its client libraries look for it."""
    match = {"method": "pubsub.projects.topics.get"}
    rule = {"match": match, "nth": [1], "reply": {"preset": "RATE_LIMIT_EXCEEDED"}}
    expect(local_cloud.deployer.put("/_local/faults", json={"rules": [rule]}))
    with pytest.raises(exceptions.ResourceExhausted) as caught:
        pubsub.publisher.get_topic(topic=TOPIC, retry=None)
    assert caught.value.reason == "RATE_LIMIT_EXCEEDED"
    assert caught.value.metadata["quota_limit"] == "defaultPerMinutePerProject"
    assert pubsub.publisher.get_topic(topic=TOPIC, retry=None).name == TOPIC


def streams_in(local_cloud: Any) -> list[tuple[int, str]]:
    """Return code and fault of every line about a streaming pull."""
    lines = map(json.loads, local_cloud.deployer.get("/_local/log").text.splitlines())
    return [
        (line["code"], line["fault"]) for line in lines if line["method"].endswith("streamingPull")
    ]


def test_a_stream_is_refused_and_opened_again(pubsub: Any, local_cloud: Any, expect: Any) -> None:
    """The first stream is unavailable, the second one delivers."""
    pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    match = {"method": "*.streamingPull"}
    rule = {"match": match, "nth": [1], "reply": {"preset": "UNAVAILABLE"}}
    expect(local_cloud.deployer.put("/_local/faults", json={"rules": [rule]}))
    pubsub.publish(b"through")
    first = StreamingPullRequest(subscription=SUBSCRIPTION, stream_ack_deadline_seconds=10)

    def open_stream() -> Any:
        said: queue.SimpleQueue[StreamingPullRequest] = queue.SimpleQueue()
        said.put(first)
        # It stays open: nobody says that there is no more.
        return pubsub.subscriber.streaming_pull(requests=iter(said.get, None), retry=None)

    with pytest.raises(exceptions.ServiceUnavailable):
        next(open_stream())
    stream = open_stream()
    assert next(stream).received_messages[0].message.data == b"through"
    stream.cancel()
    assert streams_in(local_cloud)[:2] == [(503, "reply UNAVAILABLE before"), (200, "")]


def test_an_open_stream_breaks(pubsub: Any, local_cloud: Any, expect: Any, wait_until: Any) -> None:
    """What it delivered before is delivered; a subscriber opens another and goes on."""
    pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    match = {"method": "*.streamingPull"}
    rule = {"match": match, "times": 1, "when": "after", "delay": "100ms", "drop_connection": True}
    expect(local_cloud.deployer.put("/_local/faults", json={"rules": [rule]}))
    received: list[bytes] = []
    pubsub.publish(b"before")
    pubsub.subscribe(lambda message: (received.append(message.data), message.ack()))
    wait_until(lambda: b"before" in received)
    wait_until(lambda: len(streams_in(local_cloud)) >= 3)
    pubsub.publish(b"afterwards")
    wait_until(lambda: b"afterwards" in received)
    fault = "dropped connection after"
    assert streams_in(local_cloud)[:3] == [(200, fault), (0, fault), (200, "")]
