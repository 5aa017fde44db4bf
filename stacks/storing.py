"""Declares what holds one dataflow's data: datasets and tables, buckets, databases."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from architecture import durations
from architecture.grants import Grant
from architecture.model import BigQueryTable, Dataflow, FirestoreDatabase, GcsBucket, Resources
from architecture.schemas import BadSchemaError, assumed_schema, parse_schema
from components import firestore_database
from components.bucket import AgeRule, Bucket, Keeping
from components.dataset import Dataset
from components.firestore_collection import FirestoreCollection
from components.table import Layout, Partitioning, Table
from stacks.context import StackContext
from stacks.errors import StackError
from stacks.labelling import labels_of

DATABASE_TYPES = {"": "FIRESTORE_NATIVE", "NATIVE": "FIRESTORE_NATIVE"}
DEFAULT_PARTITION = "DAY"


@dataclass(frozen=True, slots=True)
class Storage:
    """What was declared, by name; those of tables and collections begin with what they are in."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    databases: dict[str, firestore_database.FirestoreDatabase] = field(default_factory=dict)
    collections: dict[str, FirestoreCollection] = field(default_factory=dict)

    def resource_of(self, grant: Grant) -> pulumi.Resource | None:
        """Return the dataset, table or bucket that a grant is on, if it is one of these."""
        match str(grant.resource.kind):
            case "dataset":
                return self.datasets.get(grant.resource.name)
            case "table":
                return self.tables.get(grant.resource.name)
            case "bucket":
                return self.buckets.get(grant.resource.name)
        return None


def declare_storage(context: StackContext, name: str, dataflow: Dataflow) -> Storage:
    """Declare what holds a dataflow's data, each thing after what it is in."""
    storage = Storage()
    resources = dataflow.resources
    takes_contents = dataflow.lifecycle is not None and dataflow.lifecycle.strategy == "ephemeral"
    for dataset in resources.bigquery_datasets:
        is_protected = context.is_protected(dataset)
        storage.datasets[dataset.name] = Dataset(
            dataset.name,
            project=context.project,
            location=dataset.location or context.location,
            labels=labels_of(context, name, dataset.labels),
            description=dataset.description,
            teardown_protection=is_protected,
            takes_contents=takes_contents and not is_protected,
        )
    for table in resources.bigquery_tables:
        key = f"{table.dataset}.{table.name}"
        storage.tables[key] = _table(context, name, table, storage.datasets.get(table.dataset))
    for bucket in resources.gcs_buckets:
        storage.buckets[bucket.name] = _bucket(context, name, bucket, takes_contents=takes_contents)
    _declare_firestore(context, resources, storage)
    return storage


def _table(
    context: StackContext, dataflow: str, table: BigQueryTable, dataset: Dataset | None
) -> Table:
    return Table(
        f"{table.dataset}.{table.name}",
        project=context.project,
        # Another dataflow's dataset is there already: then its name is enough.
        dataset=table.dataset,
        table=table.name,
        layout=Layout(
            schema=table_schema(table),
            owns_schema=bool(table.schema_file),
            partitioning=_partitioning(table),
            clustering=table.clustering_fields,
            expiration_s=_seconds(table.expiration),
        ),
        labels=labels_of(context, dataflow, table.labels),
        description=table.description,
        teardown_protection=context.is_protected(table),
        opts=pulumi.ResourceOptions(depends_on=[dataset] if dataset is not None else None),
    )


def table_schema(table: BigQueryTable) -> str | None:
    """Return a table's columns in BigQuery's JSON; None where only a program knows them.

    Raises:
        StackError: its `schema_file` cannot be read, or is no schema of this table.
    """
    if not table.schema_file:
        return assumed_schema(table)
    where = f"table {table.dataset}.{table.name}: schema_file {table.schema_file}"
    try:
        return parse_schema(table, Path(table.schema_file).read_text(encoding="utf-8"))
    except BadSchemaError as error:
        raise StackError(f"{where} {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{where} cannot be read: {error}") from error


def _partitioning(table: BigQueryTable) -> Partitioning | None:
    wanted = (
        table.time_partitioning_field,
        table.time_partitioning_type,
        table.time_partitioning_expiration,
    )
    if not any(wanted):
        return None
    return Partitioning(
        unit=table.time_partitioning_type or DEFAULT_PARTITION,
        field=table.time_partitioning_field or None,
        expiration_s=_seconds(table.time_partitioning_expiration),
    )


def _bucket(
    context: StackContext, dataflow: str, bucket: GcsBucket, *, takes_contents: bool
) -> Bucket:
    is_protected = context.is_protected(bucket)
    return Bucket(
        bucket.name,
        project=context.project,
        location=(bucket.location or context.location).upper(),
        keeping=Keeping(
            storage_class=bucket.storage_class or None,
            is_versioned=bucket.versioning_enabled,
            rules=tuple(
                AgeRule(rule.action.type, rule.condition.age_in_days)
                for rule in bucket.lifecycle_rules
            ),
        ),
        labels=labels_of(context, dataflow, bucket.labels),
        teardown_protection=is_protected,
        takes_contents=takes_contents and not is_protected,
    )


def _declare_firestore(context: StackContext, resources: Resources, storage: Storage) -> None:
    for database in resources.firestore_databases:
        storage.databases[database.name] = _database(context, database)
    for collection in resources.firestore_collections:
        inside = storage.databases.get(collection.database)
        # Databases may have collections of one name.
        key = f"{collection.database}.{collection.name}"
        storage.collections[key] = FirestoreCollection(
            key,
            collection=collection.name,
            database_path=f"projects/{context.project}/databases/{collection.database}",
            opts=pulumi.ResourceOptions(depends_on=[inside] if inside is not None else None),
        )


def _database(
    context: StackContext, database: FirestoreDatabase
) -> firestore_database.FirestoreDatabase:
    return firestore_database.FirestoreDatabase(
        database.name,
        project=context.project,
        location=database.location_id or context.location,
        database_type=DATABASE_TYPES.get(database.type, database.type),
        teardown_protection=context.is_protected(database),
    )


def _seconds(duration: str) -> float | None:
    return durations.seconds(duration) if duration else None
