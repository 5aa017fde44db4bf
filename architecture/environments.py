"""What `deployment_environments` can say: every key that an environment may have otherwise.

How it is laid over the rest of the file is the business of `architecture.overrides`.
A text below a field says what its key means; after an empty line, where its value goes.
"""

from __future__ import annotations

from pydantic import Field

from architecture.resources import (
    BigQueryDataset,
    BigQueryTable,
    CloudSchedulerJob,
    FirestoreCollection,
    FirestoreDatabase,
    GcsBucket,
    Subscription,
    Topic,
)
from architecture.services import Deployment
from architecture.values import Model


class TopicChanges(Topic):
    """A topic's keys; those that are given replace the topic's own."""

    name: str = ""
    """Not here: an environment renames nothing."""


class SubscriptionChanges(Subscription):
    """A subscription's keys; those that are given replace the subscription's own."""

    name: str = ""
    """Not here: an environment renames nothing."""
    topic: str = ""
    """The topic whose messages it gets in this environment."""


class DatasetChanges(BigQueryDataset):
    """A dataset's keys; those that are given replace the dataset's own."""

    name: str = ""
    """Not here: an environment renames nothing."""


class TableChanges(BigQueryTable):
    """A table's keys; those that are given replace the table's own."""

    name: str = ""
    """Not here: an environment renames nothing."""
    dataset: str = ""
    """The dataset that it is in in this environment."""


class BucketChanges(GcsBucket):
    """A bucket's keys; those that are given replace the bucket's own."""

    name: str = ""
    """Not here: an environment renames nothing."""


class DatabaseChanges(FirestoreDatabase):
    """A database's keys; those that are given replace the database's own."""

    name: str = ""
    """Not here: an environment renames nothing."""


class CollectionChanges(FirestoreCollection):
    """A collection's keys; those that are given replace the collection's own."""

    name: str = ""
    """Not here: an environment renames nothing."""
    database: str = ""
    """The database that it is in in this environment."""


class JobChanges(CloudSchedulerJob):
    """A schedule's keys; those that are given replace the schedule's own."""

    name: str = ""
    """Not here: an environment renames nothing."""
    schedule: str = ""
    """When it calls in this environment, as cron writes it."""
    target_service: str = ""
    """The service that it calls in this environment."""


class ResourceOverrides(Model):
    """What resources have otherwise, by kind and name."""

    topics: dict[str, TopicChanges] = Field({})
    """Topics, by name."""
    subscriptions: dict[str, SubscriptionChanges] = Field({})
    """Subscriptions, by name."""
    bigquery_datasets: dict[str, DatasetChanges] = Field({})
    """Datasets, by name."""
    bigquery_tables: dict[str, TableChanges] = Field({})
    """Tables, by `dataset.table`, or by the table's name where only one is called so."""
    gcs_buckets: dict[str, BucketChanges] = Field({})
    """Buckets, by name."""
    firestore_databases: dict[str, DatabaseChanges] = Field({})
    """Databases, by name."""
    firestore_collections: dict[str, CollectionChanges] = Field({})
    """Collections, by `database.collection`, or by its name where only one is called so."""
    cloud_scheduler_jobs: dict[str, JobChanges] = Field({})
    """Schedules, by name."""


class EnvironmentOverrides(Model):
    """What one environment has otherwise than the rest of the file says."""

    project_id: str = ""
    """The project of this environment."""
    region: str = ""
    """The region of this environment."""
    location: str = ""
    """The location of this environment."""
    labels: dict[str, str] = Field({})
    """Labels added to the architecture's; these win."""
    teardown_protection: bool | None = None
    """Whether what holds data survives `conductor destroy` in this environment."""
    services: dict[str, Deployment] = Field({})
    """What services' `deployment` has otherwise, by the service's name."""
    resources: ResourceOverrides = ResourceOverrides()
    """What resources have otherwise, by kind and name."""
