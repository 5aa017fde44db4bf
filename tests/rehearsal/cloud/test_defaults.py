"""What each kind of resource answers when it was made of no more than it must be made of.

Without these fields and values the official provider's second preview is not empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

PROJECT = "projects/local-proj"
NUMBERED = "projects/123456789012"
PLACE = f"{PROJECT}/locations/europe-west1"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,9})?Z")
MILLISECONDS = re.compile(r"\d{13}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"\d{21}")
ETAG = re.compile(r'"?[\w+/=-]{4,}"?')
URL = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Kind:
    """A kind, the least that makes one, and what it then is.

    Attributes:
        name: The kind's.
        create: Method, URL, parameters and body.
        url: Where it is then.
        answer: Every field of it; a pattern for what differs from time to time.
        others: Fields that may be there as well.
    """

    name: str
    create: tuple[str, str, dict[str, str], Any]
    url: str
    answer: dict[str, Any]
    others: frozenset[str] = field(default_factory=frozenset)


KINDS = (
    Kind(
        "topic",
        ("PUT", f"/pubsub/v1/{PROJECT}/topics/orders", {}, {}),
        f"/pubsub/v1/{PROJECT}/topics/orders",
        {"name": f"{PROJECT}/topics/orders"},
    ),
    Kind(
        "subscription",
        (
            "PUT",
            f"/pubsub/v1/{PROJECT}/subscriptions/bill",
            {},
            {"topic": f"{PROJECT}/topics/base", "retryPolicy": None, "deadLetterPolicy": None},
        ),
        f"/pubsub/v1/{PROJECT}/subscriptions/bill",
        {
            "name": f"{PROJECT}/subscriptions/bill",
            "topic": f"{PROJECT}/topics/base",
            "ackDeadlineSeconds": 10,
            "pushConfig": {},
            "messageRetentionDuration": "604800s",
            "expirationPolicy": {"ttl": "2678400s"},
            "state": "ACTIVE",
        },
    ),
    Kind(
        "secret",
        (
            "POST",
            f"/secretmanager/v1/{PROJECT}/secrets",
            {"secretId": "key"},
            {"replication": {"automatic": {}}},
        ),
        f"/secretmanager/v1/{PROJECT}/secrets/key",
        {
            "name": f"{NUMBERED}/secrets/key",
            "replication": {"automatic": {}},
            "createTime": TIME,
            "etag": ETAG,
        },
    ),
    Kind(
        "secret version",
        (
            "POST",
            f"/secretmanager/v1/{PROJECT}/secrets/base:addVersion",
            {},
            {"payload": {"data": "eA=="}},
        ),
        f"/secretmanager/v1/{PROJECT}/secrets/base/versions/latest",
        {
            "name": f"{NUMBERED}/secrets/base/versions/1",
            "state": "ENABLED",
            "createTime": TIME,
            "replicationStatus": {"automatic": {}},
            "etag": ETAG,
        },
    ),
    Kind(
        "service account",
        ("POST", f"/iam/v1/{PROJECT}/serviceAccounts", {}, {"accountId": "worker"}),
        f"/iam/v1/{PROJECT}/serviceAccounts/worker@local-proj.iam.gserviceaccount.com",
        {
            "name": f"{PROJECT}/serviceAccounts/worker@local-proj.iam.gserviceaccount.com",
            "email": "worker@local-proj.iam.gserviceaccount.com",
            "projectId": "local-proj",
            "uniqueId": NUMBER,
            "oauth2ClientId": NUMBER,
            "etag": ETAG,
        },
    ),
    Kind(
        "bucket",
        (
            "POST",
            "/storage/storage/v1/b",
            {"project": "local-proj"},
            {"name": "data", "location": "europe-west1"},
        ),
        "/storage/storage/v1/b/data",
        {
            "kind": "storage#bucket",
            "id": "data",
            "name": "data",
            "selfLink": "https://www.googleapis.com/storage/v1/b/data",
            "projectNumber": "123456789012",
            "generation": re.compile(r"\d+"),
            "metageneration": "1",
            "timeCreated": TIME,
            "updated": TIME,
            "etag": ETAG,
            "location": "EUROPE-WEST1",
            "locationType": "region",
            "storageClass": "STANDARD",
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": False},
                "bucketPolicyOnly": {"enabled": False},
                "publicAccessPrevention": "inherited",
            },
            "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": TIME},
        },
        frozenset({"rpo"}),
    ),
    Kind(
        "dataset",
        (
            "POST",
            f"/bigquery/bigquery/v2/{PROJECT}/datasets",
            {"accessPolicyVersion": "3"},
            {"datasetReference": {"datasetId": "sales"}},
        ),
        f"/bigquery/bigquery/v2/{PROJECT}/datasets/sales",
        {
            "kind": "bigquery#dataset",
            "id": "local-proj:sales",
            "datasetReference": {"projectId": "local-proj", "datasetId": "sales"},
            "selfLink": re.compile(r"https://.*/projects/local-proj/datasets/sales"),
            "location": "US",
            "type": "DEFAULT",
            "maxTimeTravelHours": "168",
            "creationTime": MILLISECONDS,
            "lastModifiedTime": MILLISECONDS,
            "etag": ETAG,
            "access": [
                {"role": "WRITER", "specialGroup": "projectWriters"},
                {"role": "OWNER", "specialGroup": "projectOwners"},
                {"role": "OWNER", "userByEmail": "developer@local.test"},
                {"role": "READER", "specialGroup": "projectReaders"},
            ],
        },
    ),
    Kind(
        "table",
        (
            "POST",
            f"/bigquery/bigquery/v2/{PROJECT}/datasets/base/tables",
            {},
            {"tableReference": {"tableId": "orders"}},
        ),
        f"/bigquery/bigquery/v2/{PROJECT}/datasets/base/tables/orders",
        {
            "kind": "bigquery#table",
            "id": "local-proj:base.orders",
            "tableReference": {
                "projectId": "local-proj",
                "datasetId": "base",
                "tableId": "orders",
            },
            "selfLink": re.compile(r"https://.*/datasets/base/tables/orders"),
            "location": "US",
            "type": "TABLE",
            "numBytes": "0",
            "numLongTermBytes": "0",
            "numRows": "0",
            "creationTime": MILLISECONDS,
            "lastModifiedTime": MILLISECONDS,
            "etag": ETAG,
        },
    ),
    Kind(
        "database",
        (
            "POST",
            f"/firestore/v1/{PROJECT}/databases",
            {"databaseId": "appdb"},
            {"locationId": "eur3", "type": "FIRESTORE_NATIVE"},
        ),
        f"/firestore/v1/{PROJECT}/databases/appdb",
        {
            "name": f"{PROJECT}/databases/appdb",
            "locationId": "eur3",
            "type": "FIRESTORE_NATIVE",
            "uid": UUID,
            "keyPrefix": re.compile(r"\w+"),
            "etag": ETAG,
            "createTime": TIME,
            "updateTime": TIME,
            "earliestVersionTime": TIME,
            "versionRetentionPeriod": "3600s",
            "concurrencyMode": "PESSIMISTIC",
            "appEngineIntegrationMode": "DISABLED",
            "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
            "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
            "databaseEdition": "STANDARD",
        },
    ),
    Kind(
        "repository",
        (
            "POST",
            f"/artifactregistry/v1/{PLACE}/repositories",
            {"repository_id": "images"},
            {"format": "DOCKER"},
        ),
        f"/artifactregistry/v1/{PLACE}/repositories/images",
        {
            "name": f"{PLACE}/repositories/images",
            "format": "DOCKER",
            "mode": "STANDARD_REPOSITORY",
            "createTime": TIME,
            "updateTime": TIME,
            "sizeBytes": "0",
            "registryUri": "europe-west1-docker.pkg.dev/local-proj/images",
        },
    ),
    Kind(
        "job",
        (
            "POST",
            f"/cloudscheduler/v1/{PLACE}/jobs",
            {},
            {
                "name": f"{PLACE}/jobs/nightly",
                "schedule": "0 3 1 1 *",
                "httpTarget": {"uri": "http://127.0.0.1:9/"},
            },
        ),
        f"/cloudscheduler/v1/{PLACE}/jobs/nightly",
        {
            "name": f"{PLACE}/jobs/nightly",
            "schedule": "0 3 1 1 *",
            "timeZone": "Etc/UTC",
            "state": "ENABLED",
            "httpTarget": {"uri": "http://127.0.0.1:9/"},
            "attemptDeadline": "180s",
            "userUpdateTime": TIME,
            "scheduleTime": TIME,
        },
    ),
    Kind(
        "service",
        (
            "POST",
            f"/run/v2/{PLACE}/services",
            {"serviceId": "web"},
            {"template": {"containers": [{"image": "127.0.0.1:9/none/none"}]}},
        ),
        f"/run/v2/{PLACE}/services/web",
        {
            "name": f"{PLACE}/services/web",
            "uid": UUID,
            "generation": "1",
            "createTime": TIME,
            "updateTime": TIME,
            "creator": "developer@local.test",
            "lastModifier": "developer@local.test",
            "launchStage": "GA",
            "ingress": "INGRESS_TRAFFIC_ALL",
            "etag": ETAG,
            "uri": URL,
            "urls": [URL],
            "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
            "template": {
                "timeout": "300s",
                "maxInstanceRequestConcurrency": 80,
                "serviceAccount": "123456789012-compute@developer.gserviceaccount.com",
                "scaling": {"maxInstanceCount": 100},
                "containers": [
                    {
                        "image": "127.0.0.1:9/none/none",
                        "ports": [{"name": "http1", "containerPort": 8080}],
                        "resources": {
                            "limits": {"cpu": "1000m", "memory": "512Mi"},
                            "cpuIdle": True,
                            "startupCpuBoost": True,
                        },
                        "startupProbe": {
                            "timeoutSeconds": 240,
                            "periodSeconds": 240,
                            "failureThreshold": 1,
                            "tcpSocket": {"port": 8080},
                        },
                    }
                ],
            },
        },
        # How its first rollout stands, which is still under way.
        frozenset(
            {
                "conditions",
                "latestCreatedRevision",
                "observedGeneration",
                "reconciling",
                "terminalCondition",
            }
        ),
    ),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_least_that_makes_a_resource_makes_it_whole(shared_cloud: Any, kind: Kind) -> None:
    """Defaults and outputs are there, with Google's values, and nothing besides them."""
    client: httpx.Client = shared_cloud.deployer
    shared_cloud.enable("bigquery", "storage")
    client.put(f"/pubsub/v1/{PROJECT}/topics/base", json={})
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    client.post(f"/secretmanager/v1/{PROJECT}/secrets", params={"secretId": "base"}, json=body)
    body = {"datasetReference": {"datasetId": "base"}}
    client.post(f"/bigquery/bigquery/v2/{PROJECT}/datasets", json=body)
    http_method, url, query, body = kind.create
    client.request(http_method, url, params=query, json=body).raise_for_status()
    read = client.get(kind.url).raise_for_status().json()
    shown = {name: value for name, value in read.items() if name not in kind.others}
    assert _with_patterns(shown, kind.answer) == kind.answer


def _with_patterns(value: Any, wanted: Any) -> Any:
    """The value, with the pattern in the place of what fits it."""
    if isinstance(wanted, re.Pattern):
        return wanted if isinstance(value, str) and wanted.fullmatch(value) else value
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {name: _with_patterns(one, wanted.get(name)) for name, one in value.items()}
    if isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        return [_with_patterns(*pair) for pair in zip(value, wanted, strict=True)]
    return value
