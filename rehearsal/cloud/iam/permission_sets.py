"""What Google's predefined roles permit, service by service.

Sets of permissions, the larger ones made of the smaller; `roles` says which role has which.
"""

from __future__ import annotations

from typing import Final

PUBSUB_PUBLISHER: Final = {"pubsub.topics.publish"}
PUBSUB_SUBSCRIBER: Final = {
    "pubsub.snapshots.seek",
    "pubsub.subscriptions.consume",
    "pubsub.topics.attachSubscription",
}
PUBSUB_VIEWER: Final = {
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
PUBSUB_EDITOR: Final = {
    *PUBSUB_PUBLISHER,
    *PUBSUB_SUBSCRIBER,
    *PUBSUB_VIEWER,
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
PUBSUB_ADMIN: Final = {
    *PUBSUB_EDITOR,
    "pubsub.snapshots.getIamPolicy",
    "pubsub.snapshots.setIamPolicy",
    "pubsub.subscriptions.getIamPolicy",
    "pubsub.subscriptions.setIamPolicy",
    "pubsub.topics.getIamPolicy",
    "pubsub.topics.setIamPolicy",
}
RUN_INVOKER: Final = {"run.routes.invoke"}
RUN_VIEWER: Final = {
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
RUN_DEVELOPER: Final = {
    *RUN_VIEWER,
    "run.operations.delete",
    "run.revisions.delete",
    "run.services.create",
    "run.services.delete",
    "run.services.update",
}
RUN_ADMIN: Final = {*RUN_DEVELOPER, *RUN_INVOKER, "run.services.setIamPolicy"}
STORAGE_OBJECT_VIEWER: Final = {
    "resourcemanager.projects.get",
    "storage.objects.get",
    "storage.objects.list",
}
STORAGE_OBJECT_CREATOR: Final = {"resourcemanager.projects.get", "storage.objects.create"}
STORAGE_OBJECT_USER: Final = {
    *STORAGE_OBJECT_VIEWER,
    *STORAGE_OBJECT_CREATOR,
    "storage.objects.delete",
    "storage.objects.update",
}
STORAGE_OBJECT_ADMIN: Final = {
    *STORAGE_OBJECT_USER,
    "storage.objects.getIamPolicy",
    "storage.objects.setIamPolicy",
}
STORAGE_ADMIN: Final = {
    *STORAGE_OBJECT_ADMIN,
    "storage.anywhereCaches.list",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.buckets.list",
    "storage.buckets.setIamPolicy",
    "storage.buckets.update",
}
BIGQUERY_METADATA_VIEWER: Final = {
    "bigquery.datasets.get",
    "bigquery.datasets.getIamPolicy",
    "bigquery.tables.get",
    "bigquery.tables.getIamPolicy",
    "bigquery.tables.list",
    "resourcemanager.projects.get",
}
BIGQUERY_DATA_VIEWER: Final = {*BIGQUERY_METADATA_VIEWER, "bigquery.tables.getData"}
BIGQUERY_DATA_EDITOR: Final = {
    *BIGQUERY_DATA_VIEWER,
    "bigquery.datasets.create",
    "bigquery.tables.create",
    "bigquery.tables.delete",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
}
BIGQUERY_DATA_OWNER: Final = {
    *BIGQUERY_DATA_EDITOR,
    "bigquery.datasets.delete",
    "bigquery.datasets.setIamPolicy",
    "bigquery.datasets.update",
    "bigquery.tables.setIamPolicy",
}
BIGQUERY_JOB_USER: Final = {"bigquery.jobs.create", "resourcemanager.projects.get"}
BIGQUERY_USER: Final = {
    *BIGQUERY_JOB_USER,
    "bigquery.datasets.create",
    "bigquery.datasets.get",
    "bigquery.tables.list",
}
DATASTORE_VIEWER: Final = {
    "datastore.databases.get",
    "datastore.databases.getMetadata",
    "datastore.databases.list",
    "datastore.entities.get",
    "datastore.entities.list",
    "resourcemanager.projects.get",
}
DATASTORE_USER: Final = {
    *DATASTORE_VIEWER,
    "datastore.entities.allocateIds",
    "datastore.entities.create",
    "datastore.entities.delete",
    "datastore.entities.update",
}
DATASTORE_OWNER: Final = {
    *DATASTORE_USER,
    "datastore.databases.create",
    "datastore.databases.delete",
    "datastore.databases.update",
    "datastore.operations.get",
    "datastore.operations.list",
}
SECRET_ACCESSOR: Final = {"resourcemanager.projects.get", "secretmanager.versions.access"}
SECRET_VIEWER: Final = {
    "resourcemanager.projects.get",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.list",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
}
SECRET_VERSION_MANAGER: Final = {
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
    "secretmanager.versions.enable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
}
SECRET_ADMIN: Final = {
    *SECRET_ACCESSOR,
    *SECRET_VIEWER,
    *SECRET_VERSION_MANAGER,
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
}
SCHEDULER_VIEWER: Final = {
    "cloudscheduler.jobs.get",
    "cloudscheduler.jobs.list",
    "resourcemanager.projects.get",
    "serviceusage.services.get",
}
SCHEDULER_RUNNER: Final = {"cloudscheduler.jobs.run"}
SCHEDULER_ADMIN: Final = {
    *SCHEDULER_VIEWER,
    *SCHEDULER_RUNNER,
    "cloudscheduler.jobs.create",
    "cloudscheduler.jobs.delete",
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.pause",
    "cloudscheduler.jobs.update",
}
REGISTRY_READER: Final = {
    "artifactregistry.dockerimages.get",
    "artifactregistry.dockerimages.list",
    "artifactregistry.repositories.downloadArtifacts",
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.list",
}
REGISTRY_WRITER: Final = {*REGISTRY_READER, "artifactregistry.repositories.uploadArtifacts"}
REGISTRY_REPO_ADMIN: Final = {
    *REGISTRY_WRITER,
    "artifactregistry.repositories.deleteArtifacts",
}
REGISTRY_ADMIN: Final = {
    *REGISTRY_REPO_ADMIN,
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "artifactregistry.repositories.getIamPolicy",
    "artifactregistry.repositories.setIamPolicy",
    "artifactregistry.repositories.update",
}
ACCOUNT_VIEWER: Final = {
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.list",
    "resourcemanager.projects.get",
}
ACCOUNT_USER: Final = {
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.list",
    "resourcemanager.projects.get",
}
ACCOUNT_OPENID_TOKEN_CREATOR: Final = {"iam.serviceAccounts.getOpenIdToken"}
ACCOUNT_TOKEN_CREATOR: Final = {
    *ACCOUNT_OPENID_TOKEN_CREATOR,
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.implicitDelegation",
    "iam.serviceAccounts.list",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
}
ACCOUNT_ADMIN: Final = {
    *ACCOUNT_VIEWER,
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.disable",
    "iam.serviceAccounts.enable",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.undelete",
    "iam.serviceAccounts.update",
}
ROLE_VIEWER: Final = {"iam.roles.get", "iam.roles.list", "resourcemanager.projects.get"}
ROLE_ADMIN: Final = {
    *ROLE_VIEWER,
    "iam.roles.create",
    "iam.roles.delete",
    "iam.roles.undelete",
    "iam.roles.update",
    "resourcemanager.projects.getIamPolicy",
}
PROJECT_IAM_ADMIN: Final = {
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
}
SERVICE_USAGE_VIEWER: Final = {
    "resourcemanager.projects.get",
    "serviceusage.operations.get",
    "serviceusage.services.get",
    "serviceusage.services.list",
}
SERVICE_USAGE_CONSUMER: Final = {*SERVICE_USAGE_VIEWER, "serviceusage.services.use"}
SERVICE_USAGE_ADMIN: Final = {
    *SERVICE_USAGE_CONSUMER,
    "serviceusage.services.disable",
    "serviceusage.services.enable",
}
BILLING_VIEWER: Final = {"resourcemanager.projects.get"}
