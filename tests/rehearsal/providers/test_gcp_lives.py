"""Every gcp resource type lives on the local cloud: made, read, changed, deleted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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

BUCKET = (
    "gcp:storage/bucket:Bucket",
    {"name": "local-proj-data", "location": "EU", "forceDestroy": True},
)
SECRET = (
    "gcp:secretmanager/secret:Secret",
    {"secretId": "db-pass", "replication": {"auto": {}}},
)
DATASET = ("gcp:bigquery/dataset:Dataset", {"datasetId": "events", "location": "EU"})
COLUMNS = '[{"name": "id", "type": "STRING", "mode": "REQUIRED"}, {"name": "n", "type": "INT64"}]'
MORE_COLUMNS = """[
    {"name": "id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "n", "type": "INTEGER"},
    {"name": "at", "type": "TIMESTAMP"}
]"""
TABLE = (
    "gcp:bigquery/table:Table",
    {
        "datasetId": "events",
        "tableId": "orders",
        "schema": COLUMNS,
        "deletionProtection": False,
    },
)
JOB = {
    "name": "tick",
    "region": "europe-west1",
    "schedule": "*/5 * * * *",
    "pubsubTarget": {"topicName": "projects/local-proj/topics/events", "data": "eA=="},
}

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
    (
        BUCKET[0],
        [],
        {
            **BUCKET[1],
            "labels": {"v": "1", "w": "1"},
            "uniformBucketLevelAccess": True,
            "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": 30}}],
        },
        {
            **BUCKET[1],
            "labels": {"v": "2"},
            "uniformBucketLevelAccess": True,
            "versioning": {"enabled": True},
            "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {"age": 60}}],
        },
    ),
    (
        "gcp:storage/bucketIAMMember:BucketIAMMember",
        [ACCOUNT, BUCKET],
        {"bucket": "local-proj-data", "role": "roles/storage.objectViewer", "member": MEMBER},
        None,
    ),
    (
        SECRET[0],
        [],
        {**SECRET[1], "labels": {"v": "1"}},
        {**SECRET[1], "labels": {"v": "2"}, "annotations": {"owner": "team"}},
    ),
    (
        "gcp:secretmanager/secretVersion:SecretVersion",
        [SECRET],
        {"secret": "projects/local-proj/secrets/db-pass", "secretData": "s3cret"},
        {
            "secret": "projects/local-proj/secrets/db-pass",
            "secretData": "s3cret",
            "enabled": False,
        },
    ),
    (
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        [ACCOUNT, SECRET],
        {"secretId": "db-pass", "role": "roles/secretmanager.secretAccessor", "member": MEMBER},
        None,
    ),
    (
        DATASET[0],
        [],
        {**DATASET[1], "labels": {"v": "1"}},
        {**DATASET[1], "labels": {"v": "2"}, "description": "Events"},
    ),
    (
        "gcp:bigquery/datasetIamMember:DatasetIamMember",
        [ACCOUNT, DATASET],
        {"datasetId": "events", "role": "roles/bigquery.dataEditor", "member": MEMBER},
        None,
    ),
    (
        TABLE[0],
        [DATASET],
        {**TABLE[1], "timePartitioning": {"type": "DAY"}},
        {
            **TABLE[1],
            "timePartitioning": {"type": "DAY"},
            "schema": MORE_COLUMNS,
            "clusterings": ["id"],
            "labels": {"v": "1"},
        },
    ),
    (
        "gcp:bigquery/iamMember:IamMember",
        [ACCOUNT, DATASET, TABLE],
        {
            "datasetId": "events",
            "tableId": "orders",
            "role": "roles/bigquery.dataViewer",
            "member": MEMBER,
        },
        None,
    ),
    (
        "gcp:firestore/database:Database",
        [],
        {
            "name": "appdb",
            "locationId": "eur3",
            "type": "FIRESTORE_NATIVE",
            "deletionPolicy": "DELETE",
        },
        {
            "name": "appdb",
            "locationId": "eur3",
            "type": "FIRESTORE_NATIVE",
            "deletionPolicy": "DELETE",
            "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_ENABLED",
        },
    ),
    (
        "gcp:cloudscheduler/job:Job",
        [TOPIC],
        JOB,
        {**JOB, "schedule": "0 * * * *", "description": "Hourly", "paused": True},
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

    async def scenario(rehearsal: Any) -> None:
        for needed_type, inputs in before:
            await rehearsal.resource(needed_type).create(inputs)
        await rehearsal.life(type_, first, second)

    on_cloud(scenario)


CHANGED = [life for life in LIVES if life[3] is not None]


@pytest.mark.parametrize(
    ("type_", "before", "first", "second"), CHANGED, ids=[life[0] for life in CHANGED]
)
def test_what_somebody_else_changed_shows_in_a_refresh(
    on_cloud: Callable[..., None],
    type_: str,
    before: list[Step],
    first: Properties,
    second: Properties,
) -> None:
    """A refresh finds just the properties that somebody changed, and an update undoes it."""

    async def scenario(rehearsal: Any) -> None:
        for needed_type, inputs in before:
            await rehearsal.resource(needed_type).create(inputs)
        declared = rehearsal.resource(type_)
        await declared.create(first)
        changed = set((await declared.diff(second)).diffs)
        # What nobody asked for, and the server may choose, is no drift.
        wanted = changed & declared.inputs.keys()
        await replace(declared).update(second)
        drift = await declared.refresh()
        assert drift is not None
        assert wanted <= set(drift.diffs) <= changed
        assert drift.diffs
        await declared.update(first)
        assert not (await declared.diff(first)).changes

    on_cloud(scenario)
