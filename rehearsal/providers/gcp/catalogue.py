"""Which gcp resource types there are, by token."""

from __future__ import annotations

from typing import Final

from rehearsal.providers.gcp.artifact_registry import Repository
from rehearsal.providers.gcp.bigquery_datasets import Dataset
from rehearsal.providers.gcp.bigquery_members import DatasetMember, TableMember
from rehearsal.providers.gcp.bigquery_tables import Table
from rehearsal.providers.gcp.cloud_run import Service
from rehearsal.providers.gcp.firestore import Database
from rehearsal.providers.gcp.iam_members import (
    ProjectMember,
    RepositoryMember,
    RunServiceMember,
    ServiceAccountMember,
    SubscriptionMember,
    TopicMember,
)
from rehearsal.providers.gcp.projects import CustomRole, EnabledService
from rehearsal.providers.gcp.pubsub import Subscription, Topic
from rehearsal.providers.gcp.resource import ResourceType
from rehearsal.providers.gcp.scheduler import Job
from rehearsal.providers.gcp.secrets import Secret, SecretMember, SecretVersion
from rehearsal.providers.gcp.service_accounts import Account
from rehearsal.providers.gcp.storage import Bucket, BucketMember

_TYPES: Final[tuple[ResourceType, ...]] = (
    EnabledService(),
    CustomRole(),
    ProjectMember(),
    Account(),
    ServiceAccountMember(),
    Repository(),
    RepositoryMember(),
    Topic(),
    Subscription(),
    TopicMember(),
    SubscriptionMember(),
    Service(),
    RunServiceMember(),
    Bucket(),
    BucketMember(),
    Secret(),
    SecretVersion(),
    SecretMember(),
    Dataset(),
    DatasetMember(),
    Table(),
    TableMember(),
    Database(),
    Job(),
)

RESOURCE_TYPES: Final = {resource_type.token: resource_type for resource_type in _TYPES}
