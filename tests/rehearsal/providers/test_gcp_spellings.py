"""Values that mean the same are no difference, however they are spelled; others always are."""

from __future__ import annotations

import pytest

from rehearsal.engine.provider import Properties, Value
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.settings import Settings

TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
BUCKET = "gcp:storage/bucket:Bucket"
TABLE = "gcp:bigquery/table:Table"
JOB = "gcp:cloudscheduler/job:Job"
RUN = "gcp:cloudrunv2/service:Service"
TWO_COLUMNS = '[{"name": "id", "type": "INTEGER", "mode": "NULLABLE"}]'
# type, property, what is live, other spellings of it, what is another value
SPELLINGS: list[tuple[str, str, Value, list[Value], Value]] = [
    (TOPIC, "messageRetentionDuration", "600s", ["600.0s", "600.000s"], "601s"),
    (
        TOPIC,
        "messageStoragePolicy",
        {"allowedPersistenceRegions": ["europe-west1", "europe-west4"]},
        [{"allowedPersistenceRegions": ["europe-west4", "europe-west1"]}],
        {"allowedPersistenceRegions": ["europe-west1"]},
    ),
    (SUBSCRIPTION, "topic", "projects/p/topics/a", ["a", "projects/p/topics/a"], "b"),
    (
        SUBSCRIPTION,
        "retryPolicy",
        {"minimumBackoff": "3.5s", "maximumBackoff": "60s"},
        [{"minimumBackoff": "3.500s", "maximumBackoff": "60.0s"}, {"minimumBackoff": "3.5s"}],
        {"minimumBackoff": "3.6s"},
    ),
    (BUCKET, "location", "EUROPE-WEST1", ["europe-west1", "Europe-West1"], "EU"),
    (BUCKET, "storageClass", "NEARLINE", ["nearline"], "STANDARD"),
    (
        BUCKET,
        "customPlacementConfig",
        {"dataLocations": ["A", "B"]},
        [{"dataLocations": ["B", "A"]}],
        {"dataLocations": ["A", "C"]},
    ),
    ("gcp:bigquery/dataset:Dataset", "location", "EU", ["eu"], "US"),
    (TABLE, "datasetId", "events", ["projects/p/datasets/events"], "other"),
    (TABLE, "schema", TWO_COLUMNS, ['[{"type": "INT64", "name": "id"}]'], '[{"name": "id"}]'),
    ("gcp:artifactregistry/repository:Repository", "format", "DOCKER", ["docker"], "NPM"),
    (
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        "permissions",
        ["a.b.c", "d.e.f"],
        [["d.e.f", "a.b.c"]],
        ["a.b.c"],
    ),
    (JOB, "attemptDeadline", "180s", ["180.0s", None], "200s"),
    (
        JOB,
        "httpTarget",
        {"uri": "http://127.0.0.1/", "httpMethod": "POST"},
        [{"uri": "http://127.0.0.1"}],
        {"uri": "http://127.0.0.1/x"},
    ),
    (
        RUN,
        "template",
        {"timeout": "300s", "containers": [{"resources": {"limits": {"cpu": "1000m"}}}]},
        [
            {"timeout": "300.0s", "containers": [{"resources": {"limits": {"cpu": "1"}}}]},
            {"containers": [{}]},
        ],
        {"timeout": "301s", "containers": [{}]},
    ),
    (
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        "secretId",
        "projects/p/secrets/key",
        ["key"],
        "other",
    ),
]


@pytest.mark.parametrize(
    "case", SPELLINGS, ids=[f"{c[0].rpartition(':')[2]}-{c[1]}" for c in SPELLINGS]
)
def test_another_spelling_is_no_difference(
    case: tuple[str, str, Value, list[Value], Value],
) -> None:
    """Neither an update nor a replacement; another value is the one or the other."""
    type_, name, live, same, other = case
    resource_type = RESOURCE_TYPES[type_]
    settings = Settings("p", "europe-west1")
    place: Properties = {"project": "p", "region": "europe-west1"}

    def changes(value: Value) -> bool:
        given: Properties = {} if value is None else {name: value}
        values = resource_type.values(given, settings)
        state = {**resource_type.values({}, settings), **place, name: live}
        return resource_type.compare(state, values).result().changes

    for spelling in [live, *same]:
        assert not changes(spelling), spelling
    assert changes(other)
