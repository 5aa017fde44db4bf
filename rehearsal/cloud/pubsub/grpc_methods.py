"""The unary methods of Pub/Sub's gRPC services, over the broker.

Owns the translation between protobuf and the broker's JSON; permissions and errors are
`grpc_server`'s. Publishing, pulling and acknowledging skip JSON: they carry the load.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf import json_format

from rehearsal.cloud.calls import JsonObject, camel_case
from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.paging import page_of_names
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.messages import Draft
from rehearsal.cloud.pubsub.protocol import (
    Empty,
    Proto,
    PublishResponse,
    PullResponse,
    message_class,
)
from rehearsal.cloud.pubsub.pulling import WAIT_S, pull
from rehearsal.cloud.pubsub.received import received_message
from rehearsal.cloud.pubsub.requirements import SUBSCRIPTIONS, TOPICS

Answer: TypeAlias = Callable[[Broker, Proto, str], Awaitable[Proto]]


@dataclass(frozen=True, slots=True)
class UnaryMethod:
    """One method: its request, the same method's id over REST, and how it is answered.

    Attributes:
        request: The request message's name.
        method_id: The id in the discovery document; permissions are listed by it. `{collection}`
            in it stands for that of the resource: policies are of topics and of subscriptions.
        parameter: The path parameter that `resource` fills, as in the discovery document.
        resource: The request's field (dotted) that names what the call is about.
    """

    request: str
    method_id: str
    parameter: str
    resource: str
    answer: Answer

    def id_for(self, resource: str) -> str:
        """The id of a call that is about a resource."""
        collection = SUBSCRIPTIONS if "/subscriptions/" in resource else TOPICS
        return self.method_id.format(collection=collection)


def _json(message: Proto) -> JsonObject:
    body: JsonObject = json_format.MessageToDict(message)
    return body


def _proto(name: str, body: JsonObject) -> Proto:
    return json_format.ParseDict(body, message_class(name)())


def _mask(request: Proto, resource: Proto) -> list[str] | None:
    """Return the mask's paths by JSON names; None for an empty one.

    Raises:
        ApiError: 400; a path is none of the resource's.
    """
    if not request.update_mask.paths:
        return None
    if not request.update_mask.IsValidForDescriptor(resource.DESCRIPTOR):
        kind = resource.DESCRIPTOR.name
        raise invalid_argument(
            f"Invalid update_mask provided in the Update{kind}Request: it has paths that are no"
            f" known {kind} fields."
        )
    return [camel_case(str(path)) for path in request.update_mask.paths]


async def _create_topic(broker: Broker, request: Proto, _principal: str) -> Proto:
    return _proto("Topic", broker.topics.create(request.name, _json(request)))


async def _get_topic(broker: Broker, request: Proto, _principal: str) -> Proto:
    return _proto("Topic", broker.topics.get(request.topic))


async def _update_topic(broker: Broker, request: Proto, _principal: str) -> Proto:
    body = _json(request.topic)
    mask = _mask(request, request.topic)
    return _proto("Topic", broker.topics.patch(request.topic.name, body, mask))


async def _list_topics(broker: Broker, request: Proto, _principal: str) -> Proto:
    found = broker.topics.in_project(request.project)
    return _page("ListTopicsResponse", "topics", found, request, request.project)


async def _list_topic_subscriptions(broker: Broker, request: Proto, _principal: str) -> Proto:
    names = broker.subscriptions_of(request.topic)
    kind = "ListTopicSubscriptionsResponse"
    return _page(kind, "subscriptions", names, request, request.topic)


async def _delete_topic(broker: Broker, request: Proto, _principal: str) -> Proto:
    broker.delete_topic(request.topic)
    return Empty()


async def _publish(broker: Broker, request: Proto, _principal: str) -> Proto:
    drafts = [Draft.from_proto(message) for message in request.messages]
    return PublishResponse(message_ids=broker.publish(request.topic, drafts))


async def _create_subscription(broker: Broker, request: Proto, principal: str) -> Proto:
    created = broker.create_subscription(request.name, _subscription_json(request), principal)
    return _proto("Subscription", created)


async def _get_subscription(broker: Broker, request: Proto, _principal: str) -> Proto:
    return _proto("Subscription", broker.subscriptions.get(request.subscription))


async def _update_subscription(broker: Broker, request: Proto, principal: str) -> Proto:
    body = _subscription_json(request.subscription)
    name = request.subscription.name
    mask = _mask(request, request.subscription)
    return _proto("Subscription", broker.patch_subscription(name, body, mask, principal))


async def _list_subscriptions(broker: Broker, request: Proto, _principal: str) -> Proto:
    found = broker.subscriptions.in_project(request.project)
    return _page("ListSubscriptionsResponse", "subscriptions", found, request, request.project)


async def _delete_subscription(broker: Broker, request: Proto, _principal: str) -> Proto:
    broker.delete_subscription(request.subscription)
    return Empty()


async def _modify_push_config(broker: Broker, request: Proto, principal: str) -> Proto:
    body = {"pushConfig": _json(request.push_config)}
    broker.patch_subscription(request.subscription, body, ["pushConfig"], principal)
    return Empty()


async def _pull(broker: Broker, request: Proto, _principal: str) -> Proto:
    backlog = broker.backlog(request.subscription)
    wait_s = 0.0 if request.return_immediately else WAIT_S
    leases = await pull(backlog, request.max_messages, wait_s=wait_s)
    return PullResponse(
        received_messages=[received_message(lease, backlog.policy) for lease in leases]
    )


async def _acknowledge(broker: Broker, request: Proto, _principal: str) -> Proto:
    broker.acknowledge(request.subscription, request.ack_ids)
    return Empty()


async def _modify_ack_deadline(broker: Broker, request: Proto, _principal: str) -> Proto:
    broker.modify_ack_deadline(request.subscription, request.ack_ids, request.ack_deadline_seconds)
    return Empty()


def _page(
    kind: str, field: str, found: Sequence[JsonObject | str], request: Proto, parent: str
) -> Proto:
    """Return the page of a list that the request asks for."""
    names = [entry if isinstance(entry, str) else str(entry["name"]) for entry in found]
    scope = (kind, parent)
    page, token = page_of_names(names, request.page_size, request.page_token, scope)
    return _proto(kind, {field: list(found[page]), "nextPageToken": token})


def _subscription_json(subscription: Proto) -> JsonObject:
    """Return a subscription as JSON, keeping an expiration policy that says "never"."""
    body = _json(subscription)
    if subscription.HasField("expiration_policy"):
        body.setdefault("expirationPolicy", {})
    return body


_A_TOPIC = ("topic", "topic")
_A_SUBSCRIPTION = ("subscription", "subscription")
_A_PROJECT = ("project", "project")

PUBLISHER: Final[Mapping[str, UnaryMethod]] = {
    "CreateTopic": UnaryMethod("Topic", f"{TOPICS}.create", "name", "name", _create_topic),
    "GetTopic": UnaryMethod("GetTopicRequest", f"{TOPICS}.get", *_A_TOPIC, _get_topic),
    "UpdateTopic": UnaryMethod(
        "UpdateTopicRequest", f"{TOPICS}.patch", "name", "topic.name", _update_topic
    ),
    "ListTopics": UnaryMethod("ListTopicsRequest", f"{TOPICS}.list", *_A_PROJECT, _list_topics),
    "ListTopicSubscriptions": UnaryMethod(
        "ListTopicSubscriptionsRequest",
        f"{TOPICS}.subscriptions.list",
        *_A_TOPIC,
        _list_topic_subscriptions,
    ),
    "DeleteTopic": UnaryMethod("DeleteTopicRequest", f"{TOPICS}.delete", *_A_TOPIC, _delete_topic),
    "Publish": UnaryMethod("PublishRequest", f"{TOPICS}.publish", *_A_TOPIC, _publish),
}
SUBSCRIBER: Final[Mapping[str, UnaryMethod]] = {
    "CreateSubscription": UnaryMethod(
        "Subscription", f"{SUBSCRIPTIONS}.create", "name", "name", _create_subscription
    ),
    "GetSubscription": UnaryMethod(
        "GetSubscriptionRequest", f"{SUBSCRIPTIONS}.get", *_A_SUBSCRIPTION, _get_subscription
    ),
    "UpdateSubscription": UnaryMethod(
        "UpdateSubscriptionRequest",
        f"{SUBSCRIPTIONS}.patch",
        "name",
        "subscription.name",
        _update_subscription,
    ),
    "ListSubscriptions": UnaryMethod(
        "ListSubscriptionsRequest", f"{SUBSCRIPTIONS}.list", *_A_PROJECT, _list_subscriptions
    ),
    "DeleteSubscription": UnaryMethod(
        "DeleteSubscriptionRequest",
        f"{SUBSCRIPTIONS}.delete",
        *_A_SUBSCRIPTION,
        _delete_subscription,
    ),
    "ModifyPushConfig": UnaryMethod(
        "ModifyPushConfigRequest",
        f"{SUBSCRIPTIONS}.modifyPushConfig",
        *_A_SUBSCRIPTION,
        _modify_push_config,
    ),
    "Pull": UnaryMethod("PullRequest", f"{SUBSCRIPTIONS}.pull", *_A_SUBSCRIPTION, _pull),
    "Acknowledge": UnaryMethod(
        "AcknowledgeRequest", f"{SUBSCRIPTIONS}.acknowledge", *_A_SUBSCRIPTION, _acknowledge
    ),
    "ModifyAckDeadline": UnaryMethod(
        "ModifyAckDeadlineRequest",
        f"{SUBSCRIPTIONS}.modifyAckDeadline",
        *_A_SUBSCRIPTION,
        _modify_ack_deadline,
    ),
}
