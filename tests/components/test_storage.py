"""What holds data as components: datasets, tables, buckets, databases and collections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from components.bucket import AgeRule, Bucket, Keeping
from components.dataset import Dataset
from components.firestore_collection import FirestoreCollection
from components.firestore_database import FirestoreDatabase
from components.table import Layout, Partitioning, Table

if TYPE_CHECKING:
    from tests.components.conftest import Program, Recording

DATASET, TABLE = "gcp:bigquery/dataset:Dataset", "gcp:bigquery/table:Table"
BUCKET, DATABASE = "gcp:storage/bucket:Bucket", "gcp:firestore/database:Database"


def declare_dataset(*, protected: bool = False) -> None:
    """Declare a dataset."""
    Dataset("d", project="p", location="EU", labels={"a": "b"}, teardown_protection=protected)


def declare_table(layout: Layout | None = None, *, protected: bool = False) -> None:
    """Declare a table."""
    Table(
        "d.t",
        project="p",
        dataset="d",
        table="t",
        layout=layout or Layout(),
        labels={"a": "b"},
        teardown_protection=protected,
    )


def declare_bucket(keeping: Keeping | None = None, *, protected: bool = False) -> None:
    """Declare a bucket."""
    Bucket(
        "b",
        project="p",
        location="EU",
        keeping=keeping or Keeping(),
        labels={"a": "b"},
        teardown_protection=protected,
    )


def declare_database(*, protected: bool = False) -> None:
    """Declare a database."""
    FirestoreDatabase(
        "db",
        project="p",
        location="eur3",
        database_type="FIRESTORE_NATIVE",
        teardown_protection=protected,
    )


KINDS: dict[str, tuple[str, Callable[..., None]]] = {
    "conductor:dataflow:Dataset": (DATASET, declare_dataset),
    "conductor:dataflow:Table": (TABLE, declare_table),
    "conductor:dataflow:Bucket": (BUCKET, declare_bucket),
    "conductor:dataflow:FirestoreDatabase": (DATABASE, declare_database),
}


@pytest.mark.parametrize("component", KINDS)
@pytest.mark.parametrize("protected", [True, False])
def test_what_holds_data_is_one_component_and_protected_on_demand(
    program: Program, component: str, *, protected: bool
) -> None:
    """The resource is the component's child and carries its protection."""
    type_, declare = KINDS[component]
    recording = program.run(lambda: declare(protected=protected))
    resource = recording.one(type_)
    assert resource.parent == recording.one(component).urn
    assert resource.protect is protected
    assert recording.component_outputs[resource.parent]


@pytest.mark.parametrize("protected", [True, False])
def test_the_cloud_protects_what_pulumi_protects(program: Program, *, protected: bool) -> None:
    """Tables and databases refuse to be deleted by anybody; the provider's defaults say nothing."""
    recording = program.run(lambda: declare_table(protected=protected))
    assert recording.one(TABLE).inputs["deletionProtection"] is protected
    inputs = program.run(lambda: declare_database(protected=protected)).one(DATABASE).inputs
    state = "ENABLED" if protected else "DISABLED"
    assert inputs["deleteProtectionState"] == f"DELETE_PROTECTION_{state}"
    assert inputs["deletionPolicy"] == "DELETE"


def test_contents_go_only_where_that_was_asked_for(program: Program) -> None:
    """A bucket with objects and a dataset with tables of others are otherwise not deleted."""

    def declare() -> None:
        Bucket("b", project="p", location="EU", keeping=Keeping(), labels={}, takes_contents=True)
        Dataset("d", project="p", location="EU", labels={}, takes_contents=True)

    recording = program.run(declare)
    assert recording.one(BUCKET).inputs["forceDestroy"] is True
    assert recording.one(DATASET).inputs["deleteContentsOnDestroy"] is True
    kept = program.run(declare_bucket).one(BUCKET).inputs
    assert kept["forceDestroy"] is False
    assert program.run(declare_dataset).one(DATASET).inputs["deleteContentsOnDestroy"] is False


def test_a_bucket_is_closed_to_the_public_and_keeps_objects_as_told(program: Program) -> None:
    """Access is by IAM alone; class, versions and rules reach the resource."""
    rules = (AgeRule("Delete", 30), AgeRule("AbortIncompleteMultipartUpload"))
    keeping = Keeping(storage_class="NEARLINE", is_versioned=True, rules=rules)
    inputs = program.run(lambda: declare_bucket(keeping)).one(BUCKET).inputs
    assert inputs["uniformBucketLevelAccess"] is True
    assert inputs["publicAccessPrevention"] == "enforced"
    assert inputs["storageClass"] == "NEARLINE"
    assert inputs["versioning"] == {"enabled": True}
    assert inputs["lifecycleRules"] == [
        {"action": {"type": "Delete"}, "condition": {"age": 30}},
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {}},
    ]


def table_inputs(recording: Recording) -> dict[str, object]:
    """Return what the only table was declared with."""
    return recording.one(TABLE).inputs


def test_a_table_is_laid_out_as_told(program: Program) -> None:
    """Columns, partitions with their expiration, and clusters."""
    schema = json.dumps([{"name": "at", "type": "TIMESTAMP"}])
    layout = Layout(schema, Partitioning("DAY", "at", 90 * 86400.0), ("customer",))
    inputs = table_inputs(program.run(lambda: declare_table(layout)))
    assert inputs["schema"] == schema
    assert inputs["clusterings"] == ["customer"]
    assert inputs["timePartitioning"] == {
        "type": "DAY",
        "field": "at",
        "expirationMs": 7_776_000_000,
    }
    assert "expirationTime" not in inputs
    bare = table_inputs(program.run(declare_table))
    assert not {"schema", "clusterings", "timePartitioning"} & bare.keys()


def test_columns_that_loads_add_are_left_alone(program: Program) -> None:
    """Where no file says all columns, a table starts with some and keeps what it gets."""
    owned = program.run(lambda: declare_table(Layout("[]"))).one(TABLE)
    assert owned.ignored == []
    grown = program.run(lambda: declare_table(Layout("[]", owns_schema=False))).one(TABLE)
    assert grown.ignored == ["schema"]


def test_a_tables_life_is_counted_from_its_making(program: Program) -> None:
    """BigQuery wants the point in time at which it ends, in milliseconds."""
    before_ms = time.time() * 1000
    table = program.run(lambda: declare_table(Layout(expiration_s=3600))).one(TABLE)
    assert table.ignored == ["expirationTime"]
    ends_ms = table.inputs["expirationTime"]
    assert isinstance(ends_ms, int | float)
    assert before_ms - 1 <= ends_ms - 3_600_000 <= time.time() * 1000 + 1


def test_a_collection_is_a_place_without_a_resource(program: Program) -> None:
    """Firestore makes it with its first document; plans and outputs know where it is."""

    def declare() -> None:
        path = "projects/p/databases/db"
        FirestoreCollection("db.orders", collection="orders", database_path=path)

    recording = program.run(declare)
    (component,) = recording.resources
    assert component.type == "conductor:dataflow:FirestoreCollection"
    assert recording.component_outputs[component.urn] == {
        "collectionPath": "projects/p/databases/db/documents/orders"
    }
