"""Google's predefined roles, as far as anything here asks for their permissions.

No offline source lists them all. A role of Google's that is missing here can be granted and
permits nothing; add what a service's methods need.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

_PUBSUB_PUBLISHER: Final = {"pubsub.topics.publish"}
_PUBSUB_SUBSCRIBER: Final = {
    "pubsub.snapshots.seek",
    "pubsub.subscriptions.consume",
    "pubsub.topics.attachSubscription",
}
_PUBSUB_VIEWER: Final = {
    "pubsub.snapshots.get",
    "pubsub.snapshots.list",
    "pubsub.subscriptions.get",
    "pubsub.subscriptions.list",
    "pubsub.topics.get",
    "pubsub.topics.list",
    "resourcemanager.projects.get",
    "serviceusage.services.get",
    "serviceusage.services.list",
}
_PUBSUB_EDITOR: Final = {
    *_PUBSUB_PUBLISHER,
    *_PUBSUB_SUBSCRIBER,
    *_PUBSUB_VIEWER,
    "pubsub.snapshots.create",
    "pubsub.snapshots.delete",
    "pubsub.snapshots.update",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.delete",
    "pubsub.subscriptions.update",
    "pubsub.topics.create",
    "pubsub.topics.delete",
    "pubsub.topics.detachSubscription",
    "pubsub.topics.update",
    "pubsub.topics.updateTag",
}
_PUBSUB_ADMIN: Final = {
    *_PUBSUB_EDITOR,
    "pubsub.snapshots.getIamPolicy",
    "pubsub.snapshots.setIamPolicy",
    "pubsub.subscriptions.getIamPolicy",
    "pubsub.subscriptions.setIamPolicy",
    "pubsub.topics.getIamPolicy",
    "pubsub.topics.setIamPolicy",
}
_RUN_INVOKER: Final = {"run.routes.invoke"}
_RUN_VIEWER: Final = {
    "resourcemanager.projects.get",
    "run.locations.list",
    "run.operations.get",
    "run.operations.list",
    "run.revisions.get",
    "run.revisions.list",
    "run.services.get",
    "run.services.getIamPolicy",
    "run.services.list",
}
_RUN_DEVELOPER: Final = {
    *_RUN_VIEWER,
    "run.operations.delete",
    "run.revisions.delete",
    "run.services.create",
    "run.services.delete",
    "run.services.update",
}
_RUN_ADMIN: Final = {*_RUN_DEVELOPER, *_RUN_INVOKER, "run.services.setIamPolicy"}
_STORAGE_OBJECT_VIEWER: Final = {
    "resourcemanager.projects.get",
    "storage.objects.get",
    "storage.objects.list",
}
_STORAGE_OBJECT_CREATOR: Final = {"resourcemanager.projects.get", "storage.objects.create"}
_STORAGE_OBJECT_USER: Final = {
    *_STORAGE_OBJECT_VIEWER,
    *_STORAGE_OBJECT_CREATOR,
    "storage.objects.delete",
    "storage.objects.update",
}
_STORAGE_OBJECT_ADMIN: Final = {
    *_STORAGE_OBJECT_USER,
    "storage.objects.getIamPolicy",
    "storage.objects.setIamPolicy",
}
_STORAGE_ADMIN: Final = {
    *_STORAGE_OBJECT_ADMIN,
    "storage.anywhereCaches.list",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.buckets.list",
    "storage.buckets.setIamPolicy",
    "storage.buckets.update",
}
_BIGQUERY_METADATA_VIEWER: Final = {
    "bigquery.datasets.get",
    "bigquery.datasets.getIamPolicy",
    "bigquery.tables.get",
    "bigquery.tables.getIamPolicy",
    "bigquery.tables.list",
    "resourcemanager.projects.get",
}
_BIGQUERY_DATA_VIEWER: Final = {*_BIGQUERY_METADATA_VIEWER, "bigquery.tables.getData"}
_BIGQUERY_DATA_EDITOR: Final = {
    *_BIGQUERY_DATA_VIEWER,
    "bigquery.datasets.create",
    "bigquery.tables.create",
    "bigquery.tables.delete",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
}
_BIGQUERY_DATA_OWNER: Final = {
    *_BIGQUERY_DATA_EDITOR,
    "bigquery.datasets.delete",
    "bigquery.datasets.setIamPolicy",
    "bigquery.datasets.update",
    "bigquery.tables.setIamPolicy",
}
_BIGQUERY_JOB_USER: Final = {"bigquery.jobs.create", "resourcemanager.projects.get"}
_BIGQUERY_USER: Final = {
    *_BIGQUERY_JOB_USER,
    "bigquery.datasets.create",
    "bigquery.datasets.get",
    "bigquery.tables.list",
}
_DATASTORE_VIEWER: Final = {
    "datastore.databases.get",
    "datastore.databases.getMetadata",
    "datastore.databases.list",
    "datastore.entities.get",
    "datastore.entities.list",
    "resourcemanager.projects.get",
}
_DATASTORE_USER: Final = {
    *_DATASTORE_VIEWER,
    "datastore.entities.allocateIds",
    "datastore.entities.create",
    "datastore.entities.delete",
    "datastore.entities.update",
}
_DATASTORE_OWNER: Final = {
    *_DATASTORE_USER,
    "datastore.databases.create",
    "datastore.databases.delete",
    "datastore.databases.update",
    "datastore.operations.get",
    "datastore.operations.list",
}
_SECRET_ACCESSOR: Final = {"resourcemanager.projects.get", "secretmanager.versions.access"}
_SECRET_VIEWER: Final = {
    "resourcemanager.projects.get",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.list",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
}
_SECRET_VERSION_MANAGER: Final = {
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
    "secretmanager.versions.enable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
}
_SECRET_ADMIN: Final = {
    *_SECRET_ACCESSOR,
    *_SECRET_VIEWER,
    *_SECRET_VERSION_MANAGER,
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
}
_SCHEDULER_VIEWER: Final = {
    "cloudscheduler.jobs.get",
    "cloudscheduler.jobs.list",
    "resourcemanager.projects.get",
    "serviceusage.services.get",
}
_SCHEDULER_RUNNER: Final = {"cloudscheduler.jobs.run"}
_SCHEDULER_ADMIN: Final = {
    *_SCHEDULER_VIEWER,
    *_SCHEDULER_RUNNER,
    "cloudscheduler.jobs.create",
    "cloudscheduler.jobs.delete",
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.pause",
    "cloudscheduler.jobs.update",
}
_REGISTRY_READER: Final = {
    "artifactregistry.dockerimages.get",
    "artifactregistry.dockerimages.list",
    "artifactregistry.repositories.downloadArtifacts",
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.list",
}
_REGISTRY_WRITER: Final = {*_REGISTRY_READER, "artifactregistry.repositories.uploadArtifacts"}
_REGISTRY_REPO_ADMIN: Final = {
    *_REGISTRY_WRITER,
    "artifactregistry.repositories.deleteArtifacts",
}
_REGISTRY_ADMIN: Final = {
    *_REGISTRY_REPO_ADMIN,
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "artifactregistry.repositories.getIamPolicy",
    "artifactregistry.repositories.setIamPolicy",
    "artifactregistry.repositories.update",
}
_ACCOUNT_VIEWER: Final = {
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.list",
    "resourcemanager.projects.get",
}
_ACCOUNT_USER: Final = {
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.list",
    "resourcemanager.projects.get",
}
_ACCOUNT_OPENID_TOKEN_CREATOR: Final = {"iam.serviceAccounts.getOpenIdToken"}
_ACCOUNT_TOKEN_CREATOR: Final = {
    *_ACCOUNT_OPENID_TOKEN_CREATOR,
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.implicitDelegation",
    "iam.serviceAccounts.list",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
}
_ACCOUNT_ADMIN: Final = {
    *_ACCOUNT_VIEWER,
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.disable",
    "iam.serviceAccounts.enable",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.undelete",
    "iam.serviceAccounts.update",
}
_ROLE_VIEWER: Final = {"iam.roles.get", "iam.roles.list", "resourcemanager.projects.get"}
_ROLE_ADMIN: Final = {
    *_ROLE_VIEWER,
    "iam.roles.create",
    "iam.roles.delete",
    "iam.roles.undelete",
    "iam.roles.update",
    "resourcemanager.projects.getIamPolicy",
}
_PROJECT_IAM_ADMIN: Final = {
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
}
_SERVICE_USAGE_VIEWER: Final = {
    "resourcemanager.projects.get",
    "serviceusage.operations.get",
    "serviceusage.services.get",
    "serviceusage.services.list",
}
_SERVICE_USAGE_CONSUMER: Final = {*_SERVICE_USAGE_VIEWER, "serviceusage.services.use"}
_SERVICE_USAGE_ADMIN: Final = {
    *_SERVICE_USAGE_CONSUMER,
    "serviceusage.services.disable",
    "serviceusage.services.enable",
}
_BILLING_VIEWER: Final = {"resourcemanager.projects.get"}

_EDITOR: Final = {
    *_PUBSUB_EDITOR,
    *_RUN_DEVELOPER,
    *_STORAGE_OBJECT_USER,
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.list",
    *_BIGQUERY_USER,
    "bigquery.datasets.get",
    *_DATASTORE_OWNER,
    *_SECRET_VIEWER,
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.update",
    *_SCHEDULER_ADMIN,
    *_REGISTRY_REPO_ADMIN,
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "artifactregistry.repositories.update",
    *_ACCOUNT_VIEWER,
    *_ACCOUNT_USER,
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.update",
    *_ROLE_VIEWER,
    *_SERVICE_USAGE_ADMIN,
}
# An owner may use accounts but not impersonate them: that takes the token creator role.
_OWNER: Final = {
    *_EDITOR,
    *_PUBSUB_ADMIN,
    *_RUN_ADMIN,
    *_STORAGE_ADMIN,
    *_BIGQUERY_DATA_OWNER,
    *_SECRET_ADMIN,
    *_REGISTRY_ADMIN,
    *_ACCOUNT_ADMIN,
    *_ROLE_ADMIN,
    *_PROJECT_IAM_ADMIN,
}
_VIEWER: Final = {
    *_PUBSUB_VIEWER,
    *_RUN_VIEWER,
    *_BIGQUERY_USER,
    *_DATASTORE_VIEWER,
    *_SECRET_VIEWER,
    *_SCHEDULER_VIEWER,
    *_REGISTRY_READER,
    *_ACCOUNT_VIEWER,
    *_ROLE_VIEWER,
    *_SERVICE_USAGE_VIEWER,
    "storage.buckets.list",
}

_PREDEFINED: Final[Mapping[str, Collection[str]]] = {
    "roles/artifactregistry.admin": _REGISTRY_ADMIN,
    "roles/artifactregistry.reader": _REGISTRY_READER,
    "roles/artifactregistry.repoAdmin": _REGISTRY_REPO_ADMIN,
    "roles/artifactregistry.writer": _REGISTRY_WRITER,
    "roles/bigquery.admin": {*_BIGQUERY_DATA_OWNER, *_BIGQUERY_USER},
    "roles/bigquery.dataEditor": _BIGQUERY_DATA_EDITOR,
    "roles/bigquery.dataOwner": _BIGQUERY_DATA_OWNER,
    "roles/bigquery.dataViewer": _BIGQUERY_DATA_VIEWER,
    "roles/bigquery.jobUser": _BIGQUERY_JOB_USER,
    "roles/bigquery.metadataViewer": _BIGQUERY_METADATA_VIEWER,
    "roles/bigquery.user": _BIGQUERY_USER,
    "roles/billing.projectManager": _BILLING_VIEWER,
    "roles/browser": {"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"},
    "roles/cloudscheduler.admin": _SCHEDULER_ADMIN,
    "roles/cloudscheduler.jobRunner": _SCHEDULER_RUNNER,
    "roles/cloudscheduler.viewer": _SCHEDULER_VIEWER,
    "roles/datastore.owner": _DATASTORE_OWNER,
    "roles/datastore.user": _DATASTORE_USER,
    "roles/datastore.viewer": _DATASTORE_VIEWER,
    "roles/editor": _EDITOR,
    "roles/iam.roleAdmin": _ROLE_ADMIN,
    "roles/iam.roleViewer": _ROLE_VIEWER,
    "roles/iam.serviceAccountAdmin": _ACCOUNT_ADMIN,
    "roles/iam.serviceAccountCreator": {
        "iam.serviceAccounts.create",
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.list",
        "resourcemanager.projects.get",
    },
    "roles/iam.serviceAccountDeleter": {
        "iam.serviceAccounts.delete",
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.list",
        "resourcemanager.projects.get",
    },
    "roles/iam.serviceAccountOpenIdTokenCreator": _ACCOUNT_OPENID_TOKEN_CREATOR,
    "roles/iam.serviceAccountTokenCreator": _ACCOUNT_TOKEN_CREATOR,
    "roles/iam.serviceAccountUser": _ACCOUNT_USER,
    "roles/iam.serviceAccountViewer": _ACCOUNT_VIEWER,
    "roles/iam.workloadIdentityUser": {
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.list",
    },
    "roles/owner": _OWNER,
    "roles/pubsub.admin": _PUBSUB_ADMIN,
    "roles/pubsub.editor": _PUBSUB_EDITOR,
    "roles/pubsub.publisher": _PUBSUB_PUBLISHER,
    "roles/pubsub.subscriber": _PUBSUB_SUBSCRIBER,
    "roles/pubsub.viewer": _PUBSUB_VIEWER,
    "roles/resourcemanager.projectIamAdmin": _PROJECT_IAM_ADMIN,
    "roles/run.admin": _RUN_ADMIN,
    "roles/run.developer": _RUN_DEVELOPER,
    "roles/run.invoker": _RUN_INVOKER,
    "roles/run.servicesInvoker": _RUN_INVOKER,
    "roles/run.viewer": _RUN_VIEWER,
    "roles/secretmanager.admin": _SECRET_ADMIN,
    "roles/secretmanager.secretAccessor": _SECRET_ACCESSOR,
    "roles/secretmanager.secretVersionAdder": {"secretmanager.versions.add"},
    "roles/secretmanager.secretVersionManager": _SECRET_VERSION_MANAGER,
    "roles/secretmanager.viewer": _SECRET_VIEWER,
    "roles/serviceusage.serviceUsageAdmin": _SERVICE_USAGE_ADMIN,
    "roles/serviceusage.serviceUsageConsumer": _SERVICE_USAGE_CONSUMER,
    "roles/serviceusage.serviceUsageViewer": _SERVICE_USAGE_VIEWER,
    "roles/storage.admin": _STORAGE_ADMIN,
    "roles/storage.bucketViewer": {"storage.buckets.get", "storage.buckets.list"},
    "roles/storage.legacyBucketReader": {
        "storage.buckets.get",
        "storage.objects.list",
    },
    "roles/storage.objectAdmin": _STORAGE_OBJECT_ADMIN,
    "roles/storage.objectCreator": _STORAGE_OBJECT_CREATOR,
    "roles/storage.objectUser": _STORAGE_OBJECT_USER,
    "roles/storage.objectViewer": _STORAGE_OBJECT_VIEWER,
    "roles/viewer": _VIEWER,
}
_ROLE_NAME: Final = re.compile(r"roles/[a-zA-Z][a-zA-Z0-9]*(\.[a-zA-Z][a-zA-Z0-9]*)?")


def is_role_name(role: str) -> bool:
    """Tell whether the name has the form of a predefined role's."""
    return _ROLE_NAME.fullmatch(role) is not None


@cache
def predefined_permissions(role: str) -> frozenset[str]:
    """The permissions of a predefined role; none for a role that is not modelled."""
    return frozenset(_PREDEFINED.get(role, ()))
