"""Which permission each Pub/Sub method needs on what, for REST and gRPC alike.

Permissions on further resources (attaching to a topic, acting as an account) are `broker`'s.
"""

from collections.abc import Mapping
from typing import Final

from rehearsal.cloud.calls import Requirement

TOPICS: Final = "pubsub.projects.topics"
SUBSCRIPTIONS: Final = "pubsub.projects.subscriptions"
_CONSUME: Final = Requirement("pubsub.subscriptions.consume", "{subscription}")

REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{TOPICS}.create": Requirement("pubsub.topics.create", "projects/{project}"),
    f"{TOPICS}.list": Requirement("pubsub.topics.list", "projects/{project}"),
    f"{TOPICS}.get": Requirement("pubsub.topics.get", "{topic}"),
    f"{TOPICS}.patch": Requirement("pubsub.topics.update", "{name}"),
    f"{TOPICS}.delete": Requirement("pubsub.topics.delete", "{topic}"),
    f"{TOPICS}.publish": Requirement("pubsub.topics.publish", "{topic}"),
    f"{TOPICS}.subscriptions.list": Requirement("pubsub.topics.get", "{topic}"),
    f"{TOPICS}.getIamPolicy": Requirement("pubsub.topics.getIamPolicy", "{resource}"),
    f"{TOPICS}.setIamPolicy": Requirement("pubsub.topics.setIamPolicy", "{resource}"),
    f"{SUBSCRIPTIONS}.create": Requirement("pubsub.subscriptions.create", "projects/{project}"),
    f"{SUBSCRIPTIONS}.list": Requirement("pubsub.subscriptions.list", "projects/{project}"),
    f"{SUBSCRIPTIONS}.get": Requirement("pubsub.subscriptions.get", "{subscription}"),
    f"{SUBSCRIPTIONS}.patch": Requirement("pubsub.subscriptions.update", "{name}"),
    f"{SUBSCRIPTIONS}.delete": Requirement("pubsub.subscriptions.delete", "{subscription}"),
    f"{SUBSCRIPTIONS}.modifyPushConfig": Requirement(
        "pubsub.subscriptions.update", "{subscription}"
    ),
    f"{SUBSCRIPTIONS}.pull": _CONSUME,
    f"{SUBSCRIPTIONS}.acknowledge": _CONSUME,
    f"{SUBSCRIPTIONS}.modifyAckDeadline": _CONSUME,
    f"{SUBSCRIPTIONS}.getIamPolicy": Requirement("pubsub.subscriptions.getIamPolicy", "{resource}"),
    f"{SUBSCRIPTIONS}.setIamPolicy": Requirement("pubsub.subscriptions.setIamPolicy", "{resource}"),
}
