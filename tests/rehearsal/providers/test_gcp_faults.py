"""Resources are made, changed and deleted although the cloud misbehaves by rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.engine.provider import Properties

MEMBER = "serviceAccount:worker-sa@local-proj.iam.gserviceaccount.com"
# Everything that may hit any call, each of them now and then.
RULES = [
    {"prob": 0.1, "reply": {"preset": "UNAVAILABLE"}},
    {"prob": 0.1, "reply": {"preset": "RATE_LIMIT_EXCEEDED"}},
    {"prob": 0.1, "when": "after", "reply": {"preset": "INTERNAL"}},
    {"prob": 0.1, "drop_connection": True},
    {"prob": 0.1, "when": "after", "drop_connection": True},
    {"match": {"method": "*.setIamPolicy"}, "prob": 0.2, "reply": {"preset": "CONCURRENT_POLICY"}},
]
SYSTEM: list[tuple[str, Properties]] = [
    ("gcp:serviceaccount/account:Account", {"accountId": "worker-sa"}),
    ("gcp:pubsub/topic:Topic", {"name": "events", "labels": {"v": "1"}}),
    ("gcp:pubsub/subscription:Subscription", {"name": "worker", "topic": "events"}),
    (
        "gcp:pubsub/topicIAMMember:TopicIAMMember",
        {"topic": "events", "role": "roles/pubsub.publisher", "member": MEMBER},
    ),
    ("gcp:storage/bucket:Bucket", {"name": "local-proj-data", "location": "EU"}),
    (
        "gcp:storage/bucketIAMMember:BucketIAMMember",
        {"bucket": "local-proj-data", "role": "roles/storage.objectViewer", "member": MEMBER},
    ),
    (
        "gcp:secretmanager/secret:Secret",
        {"secretId": "db-pass", "replication": {"auto": {}}},
    ),
    (
        "gcp:artifactregistry/repository:Repository",
        {"repositoryId": "images", "format": "DOCKER"},
    ),
    ("gcp:bigquery/dataset:Dataset", {"datasetId": "events", "location": "EU"}),
    (
        "gcp:bigquery/datasetIamMember:DatasetIamMember",
        {"datasetId": "events", "role": "roles/bigquery.dataViewer", "member": MEMBER},
    ),
    (
        "gcp:bigquery/table:Table",
        {"datasetId": "events", "tableId": "orders", "deletionProtection": False},
    ),
    (
        "gcp:firestore/database:Database",
        {
            "name": "appdb",
            "locationId": "eur3",
            "type": "FIRESTORE_NATIVE",
            "deletionPolicy": "DELETE",
        },
    ),
    (
        "gcp:cloudscheduler/job:Job",
        {
            "name": "tick",
            "region": "europe-west1",
            "schedule": "0 * * * *",
            "httpTarget": {"uri": "http://127.0.0.1:9/"},
        },
    ),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_system_comes_and_goes_through_every_passing_fault(
    on_cloud: Callable[..., None], seed: int
) -> None:
    """With half of all calls disturbed everything is there in the end, once, and then gone."""

    async def scenario(rehearsal: Any) -> None:
        rehearsal.cloud.faults.replace({"seed": seed, "rules": RULES})
        made = []
        for type_, inputs in SYSTEM:
            resource = rehearsal.resource(type_)
            await resource.create(inputs)
            made.append((resource, inputs))
        for resource, inputs in made:
            drift = await resource.refresh()
            assert drift is not None, resource.type_
            assert not drift.changes, (resource.type_, drift)
            assert not (await resource.diff(inputs)).changes
        for resource, _ in reversed(made):
            await resource.delete()
            assert await resource.read() is None
        injected = sum(one["injected"] for one in rehearsal.cloud.faults.described()["rules"])
        assert injected > len(SYSTEM)

    on_cloud(scenario)
