"""Creations are the requests that the official provider was recorded to send."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.provider import Properties
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.policies import PolicyEditor
from rehearsal.providers.gcp.resource import Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Settings
from rehearsal.providers.rest import RestClient

EMAIL = "worker-sa@local-proj.iam.gserviceaccount.com"
IMAGE = f"europe-west1-docker.pkg.dev/local-proj/images/worker@sha256:{'0' * 64}"
ENVS: list[Any] = [
    {"name": "PW", "valueSource": {"secretKeyRef": {"secret": "db-pass", "version": "latest"}}},
    {"name": "X", "value": "1"},
]
LOCATION = "projects/local-proj/locations/europe-west1"
LABELS: Any = {"v": "1"}
# type, inputs, then method, path, query and body as recorded
CREATIONS: list[tuple[str, Properties, str, str, dict[str, str], dict[str, Any]]] = [
    (
        "gcp:pubsub/topic:Topic",
        {"name": "orders", "labels": LABELS, "messageRetentionDuration": "86400s"},
        "PUT",
        "projects/local-proj/topics/orders",
        {},
        {"labels": LABELS, "messageRetentionDuration": "86400s"},
    ),
    (
        "gcp:firestore/database:Database",
        {"name": "appdb", "locationId": "eur3", "type": "FIRESTORE_NATIVE"},
        "POST",
        "projects/local-proj/databases",
        {"databaseId": "appdb"},
        {
            "locationId": "eur3",
            "name": "projects/local-proj/databases/appdb",
            "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
            "type": "FIRESTORE_NATIVE",
        },
    ),
    (
        "gcp:artifactregistry/repository:Repository",
        {"repositoryId": "images", "format": "DOCKER", "labels": LABELS},
        "POST",
        f"{LOCATION}/repositories",
        {"repository_id": "images"},
        {"format": "DOCKER", "labels": LABELS, "mode": "STANDARD_REPOSITORY"},
    ),
    (
        "gcp:secretmanager/secret:Secret",
        {"secretId": "db-pass", "labels": LABELS, "replication": {"auto": {}}},
        "POST",
        "projects/local-proj/secrets",
        {"secretId": "db-pass"},
        {"labels": LABELS, "replication": {"automatic": {}}},
    ),
    (
        "gcp:bigquery/dataset:Dataset",
        {"datasetId": "events", "labels": LABELS, "location": "EU"},
        "POST",
        "projects/local-proj/datasets",
        {"accessPolicyVersion": "3"},
        {"datasetReference": {"datasetId": "events"}, "labels": LABELS, "location": "EU"},
    ),
    (
        "gcp:serviceaccount/account:Account",
        {"accountId": "worker-sa", "displayName": "w1"},
        "POST",
        "projects/local-proj/serviceAccounts",
        {},
        {"accountId": "worker-sa", "serviceAccount": {"displayName": "w1"}},
    ),
    (
        "gcp:cloudrunv2/service:Service",
        {
            "name": "worker",
            "location": "europe-west1",
            "labels": LABELS,
            "template": {
                "serviceAccount": EMAIL,
                "containers": [{"image": IMAGE, "envs": ENVS}],
            },
        },
        "POST",
        f"{LOCATION}/services",
        {"serviceId": "worker"},
        {
            "labels": LABELS,
            "template": {"serviceAccount": EMAIL, "containers": [{"image": IMAGE, "env": ENVS}]},
        },
    ),
    (
        "gcp:cloudscheduler/job:Job",
        {
            "name": "tick",
            "description": "v1",
            "schedule": "*/5 * * * *",
            "httpTarget": {
                "httpMethod": "POST",
                "oidcToken": {"serviceAccountEmail": EMAIL},
                "uri": "http://127.0.0.1:9/worker",
            },
        },
        "POST",
        f"{LOCATION}/jobs",
        {},
        {
            "description": "v1",
            "httpTarget": {
                "httpMethod": "POST",
                "oidcToken": {"serviceAccountEmail": EMAIL},
                "uri": "http://127.0.0.1:9/worker",
            },
            "name": f"{LOCATION}/jobs/tick",
            "schedule": "*/5 * * * *",
            "timeZone": "Etc/UTC",
        },
    ),
]


@pytest.mark.parametrize("creation", CREATIONS, ids=[creation[0] for creation in CREATIONS])
def test_creation_is_the_recorded_request(
    creation: tuple[str, Properties, str, str, dict[str, str], dict[str, Any]],
) -> None:
    """Method, path, query and body equal what the official provider sent."""
    type_, inputs, method, path, query, body = creation
    resource_type = RESOURCE_TYPES[type_]
    assert isinstance(resource_type, RestResource)
    base_url = "http://127.0.0.1:1/v1/"
    endpoints = {resource_type.api.value: base_url}
    settings = Settings("local-proj", "europe-west1", endpoints)
    rest = RestClient("token")
    cloud = Cloud(rest, settings, PolicyEditor(rest))
    checked = resource_type.check(inputs, settings)
    assert checked.failures == ()
    values = resource_type.values(checked.inputs, settings)
    resource_id = resource_type.known_id(values)
    sent = resource_type.body(values, None)
    call = resource_type.creation(cloud, resource_id, values, sent)
    assert (call.method, call.url.removeprefix(base_url)) == (method, path)
    assert dict(call.query) == query
    assert call.body == body
