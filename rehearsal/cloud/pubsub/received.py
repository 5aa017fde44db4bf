"""A delivered message in protobuf and JSON."""

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.pubsub.delivery import DeliveryPolicy, Lease
from rehearsal.cloud.pubsub.protocol import Proto, ReceivedMessage


def received_message(lease: Lease, policy: DeliveryPolicy) -> Proto:
    """Return a delivery as gRPC shows it; attempts are told where a dead letter policy counts."""
    return ReceivedMessage(
        ack_id=lease.ack_id,
        message=lease.message.to_proto(),
        delivery_attempt=lease.attempt if policy.max_attempts is not None else 0,
    )


def received_json(lease: Lease, policy: DeliveryPolicy) -> JsonObject:
    """Return a delivery as REST shows it."""
    body: JsonObject = {"ackId": lease.ack_id, "message": lease.message.to_json()}
    if policy.max_attempts is not None:
        body["deliveryAttempt"] = lease.attempt
    return body
