"""`google-cloud-pubsub` over gRPC, and the same API over REST: topics and subscriptions."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google_clients import PROJECT, READER, Clients, walk_policy

from rehearsal.cloud.pubsub.grpc_methods import PUBLISHER, SUBSCRIBER
from rehearsal.cloud.pubsub.grpc_policies import IAM_POLICY

TOPIC = f"{PROJECT}/topics/orders"
SUBSCRIPTION = f"{PROJECT}/subscriptions/bill"


@pytest.fixture(name="publisher")
def publisher_fixture(clients: Clients) -> PublisherClient:
    """Over gRPC, on the deployer's port."""
    return PublisherClient(transport=PublisherGrpcTransport(channel=clients.channel()))


@pytest.fixture(name="subscriber")
def subscriber_fixture(clients: Clients) -> SubscriberClient:
    """Over gRPC, on the deployer's port."""
    return SubscriberClient(transport=SubscriberGrpcTransport(channel=clients.channel()))


def test_topics_and_subscriptions_live(
    publisher: PublisherClient, subscriber: SubscriberClient
) -> None:
    """Created, read, changed by mask, listed, granted and deleted, over gRPC."""
    topic = publisher.create_topic(request={"name": TOPIC, "labels": {"a": "b"}})
    assert topic == publisher.get_topic(topic=TOPIC)
    subscription = subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    assert subscription.ack_deadline_seconds == 10
    change = {"name": SUBSCRIPTION, "ack_deadline_seconds": 30, "labels": {"lost": "yes"}}
    changed = subscriber.update_subscription(
        subscription=change, update_mask={"paths": ["ack_deadline_seconds"]}
    )
    assert (changed.ack_deadline_seconds, changed.topic, changed.labels) == (30, TOPIC, {})
    renamed = {"topic": {"name": TOPIC, "labels": {"c": "d"}}, "update_mask": {"paths": ["labels"]}}
    assert dict(publisher.update_topic(request=renamed).labels) == {"c": "d"}
    assert [found.name for found in publisher.list_topics(project=PROJECT)] == [TOPIC]
    assert list(publisher.list_topic_subscriptions(topic=TOPIC)) == [SUBSCRIPTION]
    assert list(subscriber.list_subscriptions(project=PROJECT)) == [changed]
    walk_policy(publisher, TOPIC, "pubsub.topics.publish")
    walk_policy(subscriber, SUBSCRIPTION, "pubsub.subscriptions.consume")
    subscriber.delete_subscription(subscription=SUBSCRIPTION)
    publisher.delete_topic(topic=TOPIC)
    assert not list(publisher.list_topics(project=PROJECT))


def test_errors_have_the_classes_that_grpc_knows(
    publisher: PublisherClient, subscriber: SubscriberClient
) -> None:
    """Each status arrives as the exception that Google's library has for it."""
    with pytest.raises(exceptions.NotFound):
        publisher.get_topic(topic=TOPIC)
    with pytest.raises(exceptions.NotFound):
        publisher.get_iam_policy(request={"resource": TOPIC})
    publisher.create_topic(name=TOPIC)
    with pytest.raises(exceptions.AlreadyExists):
        publisher.create_topic(name=TOPIC)
    with pytest.raises(exceptions.InvalidArgument):
        publisher.create_topic(name=f"{PROJECT}/topics/1")
    policy = publisher.get_iam_policy(request={"resource": TOPIC})
    publisher.set_iam_policy(request={"resource": TOPIC, "policy": policy})
    with pytest.raises(exceptions.Aborted):
        publisher.set_iam_policy(request={"resource": TOPIC, "policy": policy})
    with pytest.raises(exceptions.NotFound):
        subscriber.create_subscription(name=SUBSCRIPTION, topic=f"{PROJECT}/topics/none")
    snapshot = {"resource": f"{PROJECT}/snapshots/old"}
    with pytest.raises(exceptions.FailedPrecondition, match="IAMPolicy"):
        subscriber.get_iam_policy(request=snapshot)


def test_a_reader_of_policies_over_grpc_needs_the_permission(
    clients: Clients, publisher: PublisherClient
) -> None:
    """A bearer token names the caller, who may then do what it may, and test what that is."""
    publisher.create_topic(name=TOPIC)
    metadata = [("authorization", f"Bearer {clients.credentials(READER).token}")]
    with pytest.raises(exceptions.PermissionDenied, match=r"pubsub\.topics\.getIamPolicy"):
        publisher.get_iam_policy(request={"resource": TOPIC}, metadata=metadata)
    asked = {"resource": TOPIC, "permissions": ["pubsub.topics.get"]}
    assert not publisher.test_iam_permissions(request=asked, metadata=metadata).permissions


def test_every_other_method_over_grpc_says_so_by_name(clients: Clients) -> None:
    """What is missing here fails for good and names itself; UNIMPLEMENTED would be the server's."""
    channel = clients.channel()
    modelled = {
        *(f"/google.pubsub.v1.Publisher/{name}" for name in PUBLISHER),
        *(f"/google.pubsub.v1.Subscriber/{name}" for name in SUBSCRIBER),
        *(
            f"/{IAM_POLICY}/{verb}"
            for verb in ("GetIamPolicy", "SetIamPolicy", "TestIamPermissions")
        ),
    }
    known = {
        stub._method
        for transport in (
            PublisherGrpcTransport,
            SubscriberGrpcTransport,
            SchemaServiceGrpcTransport,
        )
        for stub in transport(channel=channel)._wrapped_methods
        if isinstance(stub._method, str)  # Streaming pull is modelled.
    }
    assert modelled < known
    for path in sorted(known):
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"", timeout=10)
        refusal: Any = caught.value
        if path in modelled:
            assert refusal.code() is grpc.StatusCode.INVALID_ARGUMENT, path
        else:
            assert refusal.code() is grpc.StatusCode.FAILED_PRECONDITION, path
            name = path.strip("/").replace("/", ".")
            assert refusal.details() == f"not implemented in the local cloud: {name}"


def test_messages_over_rest(clients: Clients) -> None:
    """Published, pulled and acknowledged by the client that is made of the discovery document."""
    pubsub = clients.document("pubsub", "v1").projects()
    pubsub.topics().create(name=TOPIC, body={}).execute()
    pubsub.subscriptions().create(name=SUBSCRIPTION, body={"topic": TOPIC}).execute()
    message = {"data": "aGVsbG8=", "attributes": {"kind": "first"}}
    published = pubsub.topics().publish(topic=TOPIC, body={"messages": [message]}).execute()
    (received,) = (
        pubsub.subscriptions()
        .pull(subscription=SUBSCRIPTION, body={"maxMessages": 5})
        .execute()["receivedMessages"]
    )
    assert received["message"]["data"] == "aGVsbG8="
    assert [received["message"]["messageId"]] == published["messageIds"]
    acknowledgement = {"ackIds": [received["ackId"]]}
    pubsub.subscriptions().acknowledge(subscription=SUBSCRIPTION, body=acknowledgement).execute()
    nothing = {"maxMessages": 5, "returnImmediately": True}
    assert pubsub.subscriptions().pull(subscription=SUBSCRIPTION, body=nothing).execute() == {}
