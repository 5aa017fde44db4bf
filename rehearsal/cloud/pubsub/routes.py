"""Pub/Sub over REST: the provider's calls and the data plane without gRPC."""

from collections.abc import Mapping, Sequence

from rehearsal.cloud.calls import Background, Call, Handler, JsonObject
from rehearsal.cloud.iam.policy_methods import policy_handlers
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pubsub import subscriptions, topics
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.grpc_server import DeployerPort
from rehearsal.cloud.pubsub.messages import Draft
from rehearsal.cloud.pubsub.pulling import WAIT_S, pull
from rehearsal.cloud.pubsub.received import received_json
from rehearsal.cloud.pubsub.requirements import REQUIREMENTS, SUBSCRIPTIONS, TOPICS
from rehearsal.cloud.pubsub.state import broker_of

__all__ = ["REQUIREMENTS", "background", "handlers"]


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """Return the handlers of every modelled Pub/Sub method."""
    broker = broker_of(cloud)
    return {
        **_topic_handlers(broker),
        **_subscription_handlers(cloud, broker),
        **_delivery_handlers(broker),
        **policy_handlers(cloud, TOPICS, broker.topics.get),
        **policy_handlers(cloud, SUBSCRIPTIONS, broker.subscriptions.get),
    }


def background(cloud: LocalCloud) -> Sequence[Background]:
    """Return the broker and the deployer's gRPC port."""
    return [broker_of(cloud), DeployerPort(cloud)]


def _topic_handlers(broker: Broker) -> dict[str, Handler]:
    async def create(call: Call) -> JsonObject:
        return broker.topics.create(call.params["name"], call.body)

    async def get(call: Call) -> JsonObject:
        return broker.topics.get(call.params["topic"])

    async def in_project(call: Call) -> JsonObject:
        found = broker.topics.in_project(f"projects/{call.params['project']}")
        return {"topics": found} if found else {}

    async def patch(call: Call) -> JsonObject:
        body = call.body.get("topic") or {}
        mask = sorted(topics.MUTABLE) if call.replaces_all else call.update_mask
        return broker.topics.patch(call.params["name"], body, mask)

    async def delete(call: Call) -> JsonObject:
        broker.delete_topic(call.params["topic"])
        return {}

    async def subscriptions_of(call: Call) -> JsonObject:
        names = broker.subscriptions_of(call.params["topic"])
        return {"subscriptions": names} if names else {}

    return {
        f"{TOPICS}.create": create,
        f"{TOPICS}.get": get,
        f"{TOPICS}.list": in_project,
        f"{TOPICS}.patch": patch,
        f"{TOPICS}.delete": delete,
        f"{TOPICS}.subscriptions.list": subscriptions_of,
    }


def _subscription_handlers(cloud: LocalCloud, broker: Broker) -> dict[str, Handler]:
    async def create(call: Call) -> JsonObject:
        body = cloud.canonical_body(call.body)
        return broker.create_subscription(call.params["name"], body, call.principal)

    async def get(call: Call) -> JsonObject:
        return broker.subscriptions.get(call.params["subscription"])

    async def in_project(call: Call) -> JsonObject:
        found = broker.subscriptions.in_project(f"projects/{call.params['project']}")
        return {"subscriptions": found} if found else {}

    async def patch(call: Call) -> JsonObject:
        body = cloud.canonical_body(call.body.get("subscription") or {})
        name = call.params["name"]
        mask = sorted(subscriptions.MUTABLE) if call.replaces_all else call.update_mask
        return broker.patch_subscription(name, body, mask, call.principal)

    async def delete(call: Call) -> JsonObject:
        broker.delete_subscription(call.params["subscription"])
        return {}

    async def modify_push_config(call: Call) -> JsonObject:
        body = {"pushConfig": call.body.get("pushConfig") or {}}
        name = call.params["subscription"]
        broker.patch_subscription(name, body, ["pushConfig"], call.principal)
        return {}

    return {
        f"{SUBSCRIPTIONS}.create": create,
        f"{SUBSCRIPTIONS}.get": get,
        f"{SUBSCRIPTIONS}.list": in_project,
        f"{SUBSCRIPTIONS}.patch": patch,
        f"{SUBSCRIPTIONS}.delete": delete,
        f"{SUBSCRIPTIONS}.modifyPushConfig": modify_push_config,
    }


def _delivery_handlers(broker: Broker) -> dict[str, Handler]:
    async def publish(call: Call) -> JsonObject:
        drafts = [Draft.from_json(message) for message in call.body.get("messages") or ()]
        return {"messageIds": broker.publish(call.params["topic"], drafts)}

    async def pull_some(call: Call) -> JsonObject:
        backlog = broker.backlog(call.params["subscription"])
        wait_s = 0.0 if call.body.get("returnImmediately") else WAIT_S
        leases = await pull(backlog, int(call.body.get("maxMessages") or 0), wait_s=wait_s)
        received = [received_json(lease, backlog.policy) for lease in leases]
        return {"receivedMessages": received} if received else {}

    async def acknowledge(call: Call) -> JsonObject:
        broker.acknowledge(call.params["subscription"], call.body.get("ackIds") or [])
        return {}

    async def modify_ack_deadline(call: Call) -> JsonObject:
        broker.modify_ack_deadline(
            call.params["subscription"],
            call.body.get("ackIds") or [],
            int(call.body.get("ackDeadlineSeconds") or 0),
        )
        return {}

    return {
        f"{TOPICS}.publish": publish,
        f"{SUBSCRIPTIONS}.pull": pull_some,
        f"{SUBSCRIPTIONS}.acknowledge": acknowledge,
        f"{SUBSCRIPTIONS}.modifyAckDeadline": modify_ack_deadline,
    }
