"""The kinds of resources of an architecture file, with the keys that a user writes.

A text below a field says what its key means; after an empty line, where its value goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from architecture.values import AccessPolicy, Duration, Model, ServiceMapping


class LifecycleAction(Model):
    """What a lifecycle rule does."""

    type: str
    """What happens to an object: `Delete`, or `SetStorageClass` where a class is given."""


class LifecycleCondition(Model):
    """When a lifecycle rule does it."""

    age_in_days: int | None = None
    """How old an object must be."""


class LifecycleRule(Model):
    """One lifecycle rule of a resource."""

    action: LifecycleAction
    """What the rule does."""
    condition: LifecycleCondition = LifecycleCondition()
    """When it does it."""


class Resource(Model):
    """What every resource can say."""

    name: str
    """The resource's name in Google Cloud, unique among its kind in the whole file.

    Goes to the resource, to the services linked to it, and to their pre-flight tests."""
    description: str = ""
    """What it is for, for people."""
    labels: dict[str, str] = Field({})
    """Labels of its own, added to the architecture's; its own win.

    Goes to the resource's labels, where its kind has any."""
    iam_access_policy: tuple[AccessPolicy, ...] = ()
    """Roles on this resource beyond those that links imply. Not for schedules, which have none."""
    lifecycle_rules: tuple[LifecycleRule, ...] = ()
    """What happens to its objects as they age; for buckets."""
    teardown_protection: bool | None = None
    """Whether it survives `conductor destroy`; what the architecture says when not given.

    Goes to Pulumi's `protect` of what holds data."""


class LinkedResource(Resource):
    """A resource that services write to and read from."""

    producers: tuple[ServiceMapping, ...] = ()
    """The services that write to it.

    Goes to their grants, and to how they learn its name."""
    consumers: tuple[ServiceMapping, ...] = ()
    """The services that read from it.

    Goes to their grants, and to how they learn its name."""


class Topic(Resource):
    """A Pub/Sub topic."""

    producer_service: ServiceMapping | None = None
    """The service that publishes to it.

    Goes to its grants `pubsub.publisher` and `pubsub.viewer`, and to how it learns the name."""
    message_retention_duration: Duration = ""
    """How long messages can be replayed, `10m` to `31d`; not at all when not given.

    Goes to the topic's `messageRetentionDuration`."""


class RetryPolicy(Model):
    """How long Pub/Sub waits before it delivers again."""

    minimum_backoff: Duration = ""
    """The first wait, `0s` to `600s`; Google's default is `10s`."""
    maximum_backoff: Duration = ""
    """The longest wait, `0s` to `600s`; Google's default is `600s`."""


class DeadLetterPolicy(Model):
    """Where messages go that nobody could handle."""

    topic: str
    """The topic that takes them, of whatever dataflow."""
    max_delivery_attempts: int | None = None
    """How often a message is tried before, 5 to 100; Google's default is 5."""


class Subscription(Resource):
    """A Pub/Sub subscription."""

    topic: str
    """The topic whose messages it delivers, of whatever dataflow."""
    consumer_service: ServiceMapping | None = None
    """The service that pulls from it.

    Goes to its grants `pubsub.subscriber` and `pubsub.viewer`, and to how it learns the name."""
    ack_deadline_seconds: int | None = None
    """How long the service has to acknowledge a message, 10 to 600; Google's default is 10.

    Goes to the subscription's `ackDeadlineSeconds`."""
    message_retention_duration: Duration = ""
    """How long messages wait for the service, `10m` to `7d`; Google's default is `7d`.

    Goes to the subscription's `messageRetentionDuration`."""
    retry_policy: RetryPolicy | None = None
    """How long Pub/Sub waits before it delivers again; at once when not given.

    Goes to the subscription's `retryPolicy`."""
    dead_letter_policy: DeadLetterPolicy | None = None
    """Where messages go that nobody could handle; they are tried on and on when not given.

    Goes to the subscription's `deadLetterPolicy`."""
    filter: str = ""
    """Which messages are delivered, in Pub/Sub's filter language; all when not given.

    Goes to the subscription's `filter`."""
    enable_message_ordering: bool = False
    """Whether messages with one ordering key are delivered in their order.

    Goes to the subscription's `enableMessageOrdering`."""


class BigQueryDataset(Resource):
    """A BigQuery dataset; one that tables name and nobody declares is added."""

    location: str = ""
    """Where its data is: a region, `EU` or `US`; the architecture's location when not given.

    Goes to the dataset's `location`."""


class BigQueryTable(LinkedResource):
    """A BigQuery table."""

    dataset: str
    """The dataset that it is in.

    Goes to the table's place, and as `dataset.table` to linked services."""
    schema_type: str = ""
    """The Go type that its rows have, as older tools write it; only read where it can be resolved.

    Goes to the service's `resources.yaml`."""
    schema_import_path: str = ""
    """The Go package of `schema_type`.

    Goes to the service's `resources.yaml`."""
    schema_file: str = ""
    """A JSON file with the table's fields, relative to the architecture file; wins over
    `schema_type`.

    Goes to the table's `schema`."""
    time_partitioning_field: str = ""
    """The field by whose time the table is partitioned; the time of loading when not given.

    Goes to the table's `timePartitioning`."""
    time_partitioning_type: Literal["", "HOUR", "DAY", "MONTH", "YEAR"] = ""
    """How much time a partition holds.

    Goes to the table's `timePartitioning`."""
    time_partitioning_expiration: Duration = ""
    """When a partition is deleted; never when not given.

    Goes to the table's `timePartitioning`."""
    clustering_fields: tuple[str, ...] = ()
    """The fields by which rows are clustered, at most 4.

    Goes to the table's `clustering`."""
    expiration: Duration = ""
    """When the table is deleted, from its creation; never when not given.

    Goes to the table's `expirationTime`."""


class GcsBucket(LinkedResource):
    """A Cloud Storage bucket; its name is unique in the whole world."""

    location: str = ""
    """Where its objects are; the architecture's location when not given.

    Goes to the bucket's `location`."""
    storage_class: str = ""
    """`STANDARD`, `NEARLINE`, `COLDLINE` or `ARCHIVE`; `STANDARD` when not given.

    Goes to the bucket's `storageClass`."""
    versioning_enabled: bool = False
    """Whether replaced and deleted objects are kept as older versions.

    Goes to the bucket's `versioning`."""


class FirestoreDatabase(LinkedResource):
    """A Firestore database."""

    location_id: str = ""
    """Where its data is; the architecture's location when not given.

    Goes to the database's `locationId`."""
    type: Literal["", "NATIVE", "DATASTORE_MODE"] = ""
    """How it is used; `NATIVE` when not given.

    Goes to the database's `type`."""


class FirestoreCollection(LinkedResource):
    """A collection of a Firestore database; it comes to be when a service writes to it."""

    database: str
    """The database that it is in."""


class CloudSchedulerJob(Resource):
    """A schedule on which a service is called."""

    schedule: str
    """When, in cron's five fields: `0 3 * * *`.

    Goes to the job's `schedule`."""
    time_zone: str = ""
    """The time zone of the schedule, as in `Europe/Berlin`; `Etc/UTC` when not given.

    Goes to the job's `timeZone`."""
    target_service: str
    """The service that is called.

    Goes to the job's HTTP target, and to the grant `run.invoker` on the service."""
    service_account: str = ""
    """Who calls; an account of its own, `<name>-sa`, when not given.

    Goes to the job's identity token, and to the grant `run.invoker` on the service."""
    message_body: str = ""
    """What the service is sent; nothing when not given.

    Goes to the job's HTTP target."""


class Resources(Model):
    """The resources of one dataflow, by kind."""

    topics: tuple[Topic, ...] = ()
    """Pub/Sub topics."""
    subscriptions: tuple[Subscription, ...] = ()
    """Pub/Sub subscriptions."""
    bigquery_datasets: tuple[BigQueryDataset, ...] = ()
    """BigQuery datasets."""
    bigquery_tables: tuple[BigQueryTable, ...] = ()
    """BigQuery tables."""
    gcs_buckets: tuple[GcsBucket, ...] = ()
    """Cloud Storage buckets."""
    firestore_databases: tuple[FirestoreDatabase, ...] = ()
    """Firestore databases."""
    firestore_collections: tuple[FirestoreCollection, ...] = ()
    """Collections of Firestore databases."""
    cloud_scheduler_jobs: tuple[CloudSchedulerJob, ...] = ()
    """Schedules on which services are called."""

    def each(self) -> Iterator[tuple[str, Resource]]:
        """Yield every resource with the key of its kind, in the file's order within a kind."""
        for kind in type(self).model_fields:
            for resource in getattr(self, kind):
                yield kind, resource
