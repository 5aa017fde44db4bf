"""Every field of buckets, datasets, tables, databases and jobs that an architecture can say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.provider import Properties
from rehearsal.providers.gcp.bigquery_schemas import needs_new_table

BUCKET = "gcp:storage/bucket:Bucket"
DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
DATABASE = "gcp:firestore/database:Database"
JOB = "gcp:cloudscheduler/job:Job"
EMAIL = "worker-sa@local-proj.iam.gserviceaccount.com"
ID = '{"name": "id", "type": "STRING", "mode": "REQUIRED"}'
AT = '{"name": "at", "type": "TIMESTAMP"}'
N = '{"name": "n", "type": "INT64"}'
BUCKET_INPUTS: Properties = {
    "name": "local-proj-data",
    "location": "europe-west1",
    "storageClass": "STANDARD",
    "labels": {"team": "a"},
    "uniformBucketLevelAccess": True,
    "publicAccessPrevention": "enforced",
    "versioning": {"enabled": False},
    "lifecycleRules": [
        {"action": {"type": "Delete"}, "condition": {"age": 30}},
        {
            "action": {"type": "SetStorageClass", "storageClass": "NEARLINE"},
            "condition": {"age": 7},
        },
    ],
    "forceDestroy": True,
}
DATASET_INPUTS: Properties = {
    "datasetId": "events",
    "location": "EU",
    "labels": {"team": "a"},
    "defaultTableExpirationMs": 86_400_000,
    "deleteContentsOnDestroy": True,
}
TABLE_INPUTS: Properties = {
    "datasetId": "events",
    "tableId": "orders",
    "schema": f"[{ID}, {AT}, {N}]",
    "timePartitioning": {"type": "DAY", "field": "at", "expirationMs": 86_400_000},
    "clusterings": ["id"],
    "labels": {"team": "a"},
    "expirationTime": 4_000_000_000_000,
    "deletionProtection": False,
}
DATABASE_INPUTS: Properties = {
    "name": "appdb",
    "locationId": "eur3",
    "type": "FIRESTORE_NATIVE",
    "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
    "deletionPolicy": "DELETE",
}
JOB_INPUTS: Properties = {
    "name": "tick",
    "region": "europe-west1",
    "schedule": "*/5 * * * *",
    "timeZone": "Europe/Berlin",
    "retryConfig": {"retryCount": 3, "minBackoffDuration": "5s"},
    "httpTarget": {
        "uri": "http://127.0.0.1:9/worker",
        "httpMethod": "POST",
        "body": "e30=",
        "headers": {"Content-Type": "application/json"},
        "oidcToken": {"serviceAccountEmail": EMAIL, "audience": "http://127.0.0.1:9"},
    },
}
BEFORE: dict[str, list[tuple[str, Properties]]] = {
    TABLE: [(DATASET, {"datasetId": "events", "location": "EU"})],
    JOB: [("gcp:serviceaccount/account:Account", {"accountId": "worker-sa"})],
}
FIRST = {
    BUCKET: BUCKET_INPUTS,
    DATASET: DATASET_INPUTS,
    TABLE: TABLE_INPUTS,
    DATABASE: DATABASE_INPUTS,
    JOB: JOB_INPUTS,
}
UPDATES: list[tuple[str, Properties]] = [
    (
        BUCKET,
        {
            "storageClass": "NEARLINE",
            "labels": {},
            "versioning": {"enabled": True},
            "lifecycleRules": [],
        },
    ),
    (DATASET, {"labels": {"team": "b"}, "defaultTableExpirationMs": 3_600_000}),
    (
        TABLE,
        {
            "schema": f'[{ID}, {AT}, {N}, {{"name": "x", "type": "JSON"}}]',
            "timePartitioning": {"type": "DAY", "field": "at", "expirationMs": 3_600_000},
            "clusterings": ["id", "n"],
            "labels": {"team": "b"},
        },
    ),
    (TABLE, {"schema": f"[{ID}, {AT}]"}),
    (DATABASE, {"deleteProtectionState": "DELETE_PROTECTION_DISABLED"}),
    (
        JOB,
        {
            "schedule": "0 9 * * mon-fri",
            "timeZone": "Etc/UTC",
            "retryConfig": {"retryCount": 1},
            "httpTarget": {"uri": "http://127.0.0.1:9/other", "httpMethod": "POST"},
        },
    ),
]
# A changed label shows in these, too.
MIRRORS = {"effectiveLabels", "pulumiLabels"}
REPLACEMENTS: list[tuple[str, Properties, str]] = [
    (BUCKET, {"name": "local-proj-other"}, "name"),
    (BUCKET, {"location": "EU"}, "location"),
    (DATASET, {"datasetId": "others"}, "datasetId"),
    (DATASET, {"location": "US"}, "location"),
    (TABLE, {"tableId": "others"}, "tableId"),
    (TABLE, {"timePartitioning": None}, "timePartitioning"),
    (TABLE, {"timePartitioning": {"type": "DAY"}}, "timePartitioning"),
    (TABLE, {"schema": f'[{ID}, {AT}, {{"name": "n", "type": "STRING"}}]'}, "schema"),
    (DATABASE, {"name": "other-db"}, "name"),
    (DATABASE, {"locationId": "nam5"}, "locationId"),
    (JOB, {"name": "tock"}, "name"),
    (JOB, {"region": "europe-west4"}, "region"),
]


@pytest.mark.parametrize(
    ("type_", "changes"), UPDATES, ids=[f"{one[0]} {', '.join(one[1])}" for one in UPDATES]
)
def test_what_an_architecture_can_say_is_made_kept_and_changed(
    on_cloud: Callable[..., None], type_: str, changes: Properties
) -> None:
    """Each field survives its creation, a refresh and an update in place without a difference."""

    async def scenario(rehearsal: Any) -> None:
        for needed_type, inputs in BEFORE.get(type_, []):
            await rehearsal.resource(needed_type).create(inputs)
        await rehearsal.life(type_, FIRST[type_], {**FIRST[type_], **changes})

    on_cloud(scenario)


@pytest.mark.parametrize(
    ("type_", "changes"), UPDATES, ids=[f"{one[0]} {', '.join(one[1])}" for one in UPDATES]
)
def test_what_somebody_else_changes_is_found_and_put_right(
    on_cloud: Callable[..., None], type_: str, changes: Properties
) -> None:
    """A refresh names each field that is not as declared; an update makes it so again."""

    async def scenario(rehearsal: Any) -> None:
        for needed_type, inputs in BEFORE.get(type_, []):
            await rehearsal.resource(needed_type).create(inputs)
        declared = rehearsal.resource(type_)
        await declared.create(FIRST[type_])
        other = replace(declared)
        await other.update({**FIRST[type_], **changes})
        drift = await declared.refresh()
        assert drift is not None
        assert set(drift.diffs) - MIRRORS == set(changes)
        assert drift.replaces == ()
        await declared.update(FIRST[type_])
        assert not (await declared.refresh()).changes

    on_cloud(scenario)


@pytest.mark.parametrize(
    ("type_", "changes", "property_"),
    REPLACEMENTS,
    ids=[f"{one[0]} {', '.join(one[1])}" for one in REPLACEMENTS],
)
def test_what_cannot_change_in_place_replaces(
    on_cloud: Callable[..., None], type_: str, changes: Properties, property_: str
) -> None:
    """Names, places, partitions and incompatible columns need a new resource."""

    async def scenario(rehearsal: Any) -> None:
        for needed_type, inputs in BEFORE.get(type_, []):
            await rehearsal.resource(needed_type).create(inputs)
        resource = rehearsal.resource(type_)
        await resource.create(FIRST[type_])
        found = await resource.diff({**FIRST[type_], **changes})
        assert found.replaces == (property_,), found

    on_cloud(scenario)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f"[{ID}]", f"[{ID}, {N}]", False),
        (f"[{ID}, {N}]", f"[{ID}]", False),
        (f"[{ID}, {N}]", f"[{ID}, {AT}]", True),
        (f"[{N}]", f"[{N}, {ID}]", True),
        (f"[{ID}]", f"[{ID.replace('REQUIRED', 'NULLABLE')}]", False),
        (f"[{ID.replace('REQUIRED', 'NULLABLE')}]", f"[{ID}]", True),
        (f"[{N}]", f"[{N.replace('INT64', 'INTEGER')}]", False),
        (f"[{N}]", f"[{N.replace('INT64', 'STRING')}]", True),
        (
            f'[{{"name": "r", "type": "RECORD", "fields": [{N}, {AT}]}}]',
            f'[{{"name": "r", "type": "RECORD", "fields": [{N}]}}]',
            True,
        ),
    ],
)
def test_only_compatible_columns_change_in_place(old: str, new: str, expected: bool) -> None:
    """The official provider's rules: no renaming, no new required column, modes only looser."""
    assert needs_new_table(old, new) is expected


def test_a_protected_database_stays(on_cloud: Callable[..., None]) -> None:
    """Firestore itself refuses to delete a database whose deletion is protected."""

    async def scenario(rehearsal: Any) -> None:
        database = rehearsal.resource(DATABASE)
        await database.create(DATABASE_INPUTS)
        with pytest.raises(Exception, match="protected against deletion"):
            await database.delete()
        assert await database.read() is not None

    on_cloud(scenario)
