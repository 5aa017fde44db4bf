"""Which changes replace a resource: what the official provider's own schema says, and no more.

`FIXED` is read off the `ForceNew` of hashicorp/terraform-provider-google-beta at 93c65b2d60 (the
provider that pulumi-gcp 10 bridges), in Pulumi's names. An object's own entry means that it cannot
come or go in place; its fields have entries of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import pytest

from rehearsal.engine.provider import Properties, Value
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.schema import Field, Kind

CONDITION: Final = {
    "condition",
    "condition.title",
    "condition.expression",
    "condition.description",
}
MEMBER: Final = {"role", "member", *CONDITION}
FIXED: Final[dict[str, set[str]]] = {
    "gcp:projects/service:Service": {"project", "service"},
    "gcp:projects/iAMCustomRole:IAMCustomRole": {"project", "roleId"},
    "gcp:projects/iAMMember:IAMMember": {"project", *MEMBER},
    "gcp:serviceaccount/account:Account": {"accountId", "project"},
    "gcp:serviceaccount/iAMMember:IAMMember": {"serviceAccountId", *MEMBER},
    "gcp:artifactregistry/repository:Repository": {
        "format",
        "kmsKeyName",
        "location",
        "mode",
        "project",
        "remoteRepositoryConfig",
        "repositoryId",
    },
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": {
        "location",
        "project",
        "repository",
        *MEMBER,
    },
    "gcp:pubsub/topic:Topic": {"name", "project", "tags"},
    "gcp:pubsub/subscription:Subscription": {
        "enableMessageOrdering",
        "filter",
        "name",
        "project",
        "tags",
        "topic",
    },
    "gcp:pubsub/topicIAMMember:TopicIAMMember": {"project", "topic", *MEMBER},
    "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember": {
        "project",
        "subscription",
        *MEMBER,
    },
    "gcp:cloudrunv2/service:Service": {"location", "name", "project", "tags"},
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": {"location", "name", "project", *MEMBER},
    "gcp:storage/bucket:Bucket": {
        "customPlacementConfig",
        "customPlacementConfig.dataLocations",
        "enableObjectRetention",
        "hierarchicalNamespace",
        "hierarchicalNamespace.enabled",
        "location",
        "name",
        "project",
    },
    "gcp:storage/bucketIAMMember:BucketIAMMember": {"bucket", *MEMBER},
    "gcp:secretmanager/secret:Secret": {
        "project",
        "replication",
        "replication.auto",
        "replication.userManaged",
        "replication.userManaged.replicas",
        "replication.userManaged.replicas.location",
        "secretId",
        "tags",
    },
    "gcp:secretmanager/secretVersion:SecretVersion": {
        "isSecretDataBase64",
        "project",
        "secret",
        "secretData",
    },
    "gcp:secretmanager/secretIamMember:SecretIamMember": {"project", "secretId", *MEMBER},
    "gcp:bigquery/dataset:Dataset": {
        "datasetId",
        "externalDatasetReference",
        "location",
        "project",
    },
    "gcp:bigquery/datasetIamMember:DatasetIamMember": {"datasetId", "project", *MEMBER},
    "gcp:bigquery/table:Table": {
        "datasetId",
        "encryptionConfiguration",
        "materializedView.allowNonIncrementalDefinition",
        "materializedView.query",
        "project",
        "rangePartitioning.field",
        "tableId",
        "timePartitioning.field",
    },
    "gcp:bigquery/iamMember:IamMember": {"datasetId", "project", "tableId", *MEMBER},
    "gcp:firestore/database:Database": {
        "cmekConfig",
        "cmekConfig.kmsKeyName",
        "databaseEdition",
        "firestoreDataAccessMode",
        "locationId",
        "mongodbCompatibleDataAccessMode",
        "name",
        "project",
        "realtimeUpdatesMode",
        "tags",
    },
    "gcp:cloudscheduler/job:Job": {"name", "project", "region"},
}
# Two values of each shape that differ, and mean different things.
FIRST: Final[dict[Kind, Value]] = {
    Kind.TEXT: "one",
    Kind.FLAG: True,
    Kind.NUMBER: 1,
    Kind.TEXTS: ["one"],
    Kind.MAP: {"key": "one"},
}
SECOND: Final[dict[Kind, Value]] = {
    Kind.TEXT: "two",
    Kind.FLAG: False,
    Kind.NUMBER: 2,
    Kind.TEXTS: ["two"],
    Kind.MAP: {"key": "two"},
}
# Fields whose change replaces by what it is, each with tests of its own.
BY_VALUE: Final = {"schema", "retentionPolicy.isLocked"}


def inputs(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Leave out mere outputs."""
    return tuple(field for field in fields if not field.is_output)


def filled(fields: tuple[Field, ...]) -> Properties:
    """Give every input a value."""
    return {field.name: value_of(field) for field in inputs(fields)}


def value_of(field: Field) -> Value:
    """Give a field a value of its shape."""
    match field.kind:
        case Kind.BLOCK:
            return filled(field.fields) or {"anything": "one"}
        case Kind.BLOCKS:
            return [filled(field.fields)]
        case kind:
            return FIRST[kind]


def changes(fields: tuple[Field, ...], path: str = "") -> Iterator[tuple[str, Properties]]:
    """Yield every path with the inputs that differ there only, objects coming and going too."""
    for field in inputs(fields):
        where = f"{path}{field.name}"
        everything = filled(fields)
        match field.kind:
            case Kind.BLOCK:
                if not field.is_computed:
                    yield where, {**everything, field.name: None}
                for inner, changed in changes(field.fields, f"{where}."):
                    yield inner, {**everything, field.name: changed}
            case Kind.BLOCKS:
                yield where, {**everything, field.name: [filled(field.fields)] * 2}
                for inner, changed in changes(field.fields, f"{where}."):
                    yield inner, {**everything, field.name: [changed]}
            case kind:
                yield where, {**everything, field.name: SECOND[kind]}


@pytest.mark.parametrize("type_", sorted(RESOURCE_TYPES))
def test_exactly_what_cannot_change_in_place_replaces(type_: str) -> None:
    """Every property of every type, changed alone: it replaces if the official schema says so."""
    resource_type = RESOURCE_TYPES[type_]
    state = filled(resource_type.fields)
    replacing, changing = set(), set()
    for path, values in changes(resource_type.fields):
        news = {key: value for key, value in values.items() if value is not None}
        result = resource_type.compare(state, news).result()
        if path in BY_VALUE:
            continue
        assert result.changes, path
        changing.add(path)
        if result.replaces:
            assert result.replaces == (path.partition(".")[0],), path
            assert any(kind.value.endswith("-replace") for kind in result.detailed.values()), path
            replacing.add(path)
    # An object that goes takes along what cannot change in place.
    by_going = {
        path for path in changing if any(fixed.startswith(f"{path}.") for fixed in FIXED[type_])
    }
    assert replacing - by_going == (FIXED[type_] & changing) - by_going
    assert by_going <= replacing
    missing = FIXED[type_] - changing
    assert not missing, missing


def test_a_replacement_of_the_same_name_deletes_first() -> None:
    """Two of one name cannot be at once, whichever property asks for it."""
    state: Properties = {"name": "sub", "project": "local-proj", "topic": "projects/p/topics/a"}
    found = asyncio.run(
        GcpProvider().diff(
            urn="",
            type_="gcp:pubsub/subscription:Subscription",
            id="projects/local-proj/subscriptions/sub",
            old_outputs=state,
            old_inputs={},
            news={**state, "topic": "projects/p/topics/b"},
        )
    )
    assert found.replaces == ("topic",)
    assert found.delete_before_replace


def test_a_locked_retention_cannot_be_unlocked_in_place() -> None:
    """Locking is a change like others; what is locked stays so until the bucket is another."""
    bucket = RESOURCE_TYPES["gcp:storage/bucket:Bucket"]

    def retention(*, is_locked: bool) -> Properties:
        return {"retentionPolicy": {"retentionPeriod": "60", "isLocked": is_locked}}

    free, locked = retention(is_locked=False), retention(is_locked=True)
    assert bucket.compare(free, locked).result().replaces == ()
    assert bucket.compare(locked, free).result().replaces == ("retentionPolicy",)


def test_not_asking_for_real_folders_is_asking_for_none() -> None:
    """A bucket is not replaced for saying what is so anyway."""
    bucket = RESOURCE_TYPES["gcp:storage/bucket:Bucket"]
    none: Properties = {"hierarchicalNamespace": {"enabled": False}}
    assert not bucket.compare(none, {}).result().changes
    assert not bucket.compare({}, none).result().changes
