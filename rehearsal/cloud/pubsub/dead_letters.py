"""Dead letters: who may forward a message that nobody could process, and what it then carries."""

from datetime import UTC, datetime
from typing import Protocol

from rehearsal.cloud.pubsub.messages import Draft, Message


class PermissionCheck(Protocol):
    """What this module needs of the cloud's IAM."""

    def allows(self, principal: str, permission: str, resource: str) -> bool:
        """Return whether the principal has the permission."""


def service_agent(project_number: str) -> str:
    """Return the principal Pub/Sub itself acts as in a project."""
    return f"serviceAccount:service-{project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"


def may_forward(iam: PermissionCheck, agent: str, topic: str, subscription: str) -> bool:
    """Return whether Pub/Sub may publish to the topic and acknowledge on the subscription.

    Forgotten grants to the service agent are the usual reason why dead letters stay away.
    """
    return iam.allows(agent, "pubsub.topics.publish", topic) and iam.allows(
        agent, "pubsub.subscriptions.consume", subscription
    )


def forwarded(message: Message, subscription: str, attempts: int) -> Draft:
    """Return the message as it reaches the dead letter topic."""
    _, project, _, subscription_id = subscription.split("/")
    published_at = datetime.fromtimestamp(message.published_at_s, UTC)
    attributes = dict(message.attributes) | {
        "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
        "CloudPubSubDeadLetterSourceSubscription": subscription_id,
        "CloudPubSubDeadLetterSourceSubscriptionProject": project,
        "CloudPubSubDeadLetterSourceTopicPublishTime": published_at.isoformat(),
    }
    return Draft(message.data, attributes, message.ordering_key)
