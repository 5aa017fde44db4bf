"""Every gcp resource type lives on the local cloud: made, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rehearsal.engine.provider import Properties

MEMBER = "serviceAccount:worker-sa@local-proj.iam.gserviceaccount.com"
ACCOUNT_PATH = "projects/local-proj/serviceAccounts/worker-sa@local-proj.iam.gserviceaccount.com"
ACCOUNT = ("gcp:serviceaccount/account:Account", {"accountId": "worker-sa"})
TOPIC = ("gcp:pubsub/topic:Topic", {"name": "events"})
SUBSCRIPTION = ("gcp:pubsub/subscription:Subscription", {"name": "worker", "topic": "events"})
REPOSITORY = (
    "gcp:artifactregistry/repository:Repository",
    {"repositoryId": "images", "format": "DOCKER"},
)

Step = tuple[str, Properties]
# type, what must be there, first inputs, changed inputs
LIVES: list[tuple[str, list[Step], Properties, Properties | None]] = [
    (
        "gcp:projects/service:Service",
        [],
        {"service": "cloudtasks.googleapis.com", "disableOnDestroy": True},
        None,
    ),
    (
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        [],
        {
            "roleId": "director",
            "title": "Director",
            "permissions": ["pubsub.topics.get", "pubsub.topics.create"],
        },
        {
            "roleId": "director",
            "title": "The director",
            "permissions": ["pubsub.topics.get"],
            "description": "Sets up dataflows.",
        },
    ),
    (
        "gcp:projects/iAMMember:IAMMember",
        [ACCOUNT],
        {"project": "local-proj", "role": "roles/logging.logWriter", "member": MEMBER},
        None,
    ),
    (
        ACCOUNT[0],
        [],
        {"accountId": "worker-sa", "displayName": "Worker"},
        {"accountId": "worker-sa", "displayName": "The worker", "disabled": True},
    ),
    (
        "gcp:serviceaccount/iAMMember:IAMMember",
        [ACCOUNT],
        {
            "serviceAccountId": ACCOUNT_PATH,
            "role": "roles/iam.serviceAccountUser",
            "member": "user:developer@local.test",
        },
        None,
    ),
    (
        REPOSITORY[0],
        [],
        {**REPOSITORY[1], "labels": {"v": "1"}},
        {**REPOSITORY[1], "labels": {"v": "2"}, "description": "Images"},
    ),
    (
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
        [ACCOUNT, REPOSITORY],
        {
            "repository": "images",
            "location": "europe-west1",
            "role": "roles/artifactregistry.reader",
            "member": MEMBER,
        },
        None,
    ),
    (
        TOPIC[0],
        [],
        {"name": "orders", "labels": {"v": "1"}},
        {"name": "orders", "labels": {"v": "2"}, "messageRetentionDuration": "86400s"},
    ),
    (
        SUBSCRIPTION[0],
        [TOPIC],
        {
            "name": "worker",
            "topic": "events",
            "labels": {"v": "1"},
            "filter": 'attributes.kind = "order"',
            "expirationPolicy": {"ttl": ""},
        },
        {
            "name": "worker",
            "topic": "projects/local-proj/topics/events",
            "filter": 'attributes.kind = "order"',
            "expirationPolicy": {"ttl": ""},
            "ackDeadlineSeconds": 20,
            "retryPolicy": {"minimumBackoff": "10s"},
            "deadLetterPolicy": {
                "deadLetterTopic": "projects/local-proj/topics/events",
                "maxDeliveryAttempts": 5,
            },
        },
    ),
    (
        "gcp:pubsub/topicIAMMember:TopicIAMMember",
        [ACCOUNT, TOPIC],
        {"topic": "events", "role": "roles/pubsub.publisher", "member": MEMBER},
        None,
    ),
    (
        "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember",
        [ACCOUNT, TOPIC, SUBSCRIPTION],
        {"subscription": "worker", "role": "roles/pubsub.subscriber", "member": MEMBER},
        None,
    ),
]


@pytest.mark.parametrize(
    ("type_", "before", "first", "second"), LIVES, ids=[life[0] for life in LIVES]
)
def test_resource_is_made_read_changed_and_deleted_without_drift(
    on_cloud: Callable[..., None],
    type_: str,
    before: list[Step],
    first: Properties,
    second: Properties | None,
) -> None:
    """A resource shows no difference after its creation, its update and each refresh."""

    async def scenario(rehearsal: object) -> None:
        for needed_type, inputs in before:
            await rehearsal.resource(needed_type).create(inputs)
        await rehearsal.life(type_, first, second)

    on_cloud(scenario)
