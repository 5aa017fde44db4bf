"""Google's predefined roles, as far as anything here asks for their permissions.

No offline source lists them all. A role of Google's that is missing here can be granted and
permits nothing; add what a service's methods need.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from rehearsal.cloud.iam import permission_sets as sets

_EDITOR: Final = {
    *sets.PUBSUB_EDITOR,
    *sets.RUN_DEVELOPER,
    *sets.STORAGE_OBJECT_USER,
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.list",
    *sets.BIGQUERY_USER,
    "bigquery.datasets.get",
    *sets.DATASTORE_OWNER,
    *sets.SECRET_VIEWER,
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.update",
    *sets.SCHEDULER_ADMIN,
    *sets.REGISTRY_REPO_ADMIN,
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.delete",
    "artifactregistry.repositories.update",
    *sets.ACCOUNT_VIEWER,
    *sets.ACCOUNT_USER,
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.update",
    *sets.ROLE_VIEWER,
    *sets.SERVICE_USAGE_ADMIN,
}
# An owner may use accounts but not impersonate them: that takes the token creator role.
_OWNER: Final = {
    *_EDITOR,
    *sets.PUBSUB_ADMIN,
    *sets.RUN_ADMIN,
    *sets.STORAGE_ADMIN,
    *sets.BIGQUERY_DATA_OWNER,
    *sets.SECRET_ADMIN,
    *sets.REGISTRY_ADMIN,
    *sets.ACCOUNT_ADMIN,
    *sets.ROLE_ADMIN,
    *sets.PROJECT_IAM_ADMIN,
}
_VIEWER: Final = {
    *sets.PUBSUB_VIEWER,
    *sets.RUN_VIEWER,
    *sets.BIGQUERY_USER,
    *sets.DATASTORE_VIEWER,
    *sets.SECRET_VIEWER,
    *sets.SCHEDULER_VIEWER,
    *sets.REGISTRY_READER,
    *sets.ACCOUNT_VIEWER,
    *sets.ROLE_VIEWER,
    *sets.SERVICE_USAGE_VIEWER,
    "storage.buckets.list",
}

_PREDEFINED: Final[Mapping[str, Collection[str]]] = {
    "roles/artifactregistry.admin": sets.REGISTRY_ADMIN,
    "roles/artifactregistry.reader": sets.REGISTRY_READER,
    "roles/artifactregistry.repoAdmin": sets.REGISTRY_REPO_ADMIN,
    "roles/artifactregistry.writer": sets.REGISTRY_WRITER,
    "roles/bigquery.admin": {*sets.BIGQUERY_DATA_OWNER, *sets.BIGQUERY_USER},
    "roles/bigquery.dataEditor": sets.BIGQUERY_DATA_EDITOR,
    "roles/bigquery.dataOwner": sets.BIGQUERY_DATA_OWNER,
    "roles/bigquery.dataViewer": sets.BIGQUERY_DATA_VIEWER,
    "roles/bigquery.jobUser": sets.BIGQUERY_JOB_USER,
    "roles/bigquery.metadataViewer": sets.BIGQUERY_METADATA_VIEWER,
    "roles/bigquery.user": sets.BIGQUERY_USER,
    "roles/billing.projectManager": sets.BILLING_VIEWER,
    "roles/browser": {"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"},
    "roles/cloudscheduler.admin": sets.SCHEDULER_ADMIN,
    "roles/cloudscheduler.jobRunner": sets.SCHEDULER_RUNNER,
    "roles/cloudscheduler.viewer": sets.SCHEDULER_VIEWER,
    "roles/datastore.owner": sets.DATASTORE_OWNER,
    "roles/datastore.user": sets.DATASTORE_USER,
    "roles/datastore.viewer": sets.DATASTORE_VIEWER,
    "roles/editor": _EDITOR,
    "roles/iam.roleAdmin": sets.ROLE_ADMIN,
    "roles/iam.roleViewer": sets.ROLE_VIEWER,
    "roles/iam.serviceAccountAdmin": sets.ACCOUNT_ADMIN,
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
    "roles/iam.serviceAccountOpenIdTokenCreator": sets.ACCOUNT_OPENID_TOKEN_CREATOR,
    "roles/iam.serviceAccountTokenCreator": sets.ACCOUNT_TOKEN_CREATOR,
    "roles/iam.serviceAccountUser": sets.ACCOUNT_USER,
    "roles/iam.serviceAccountViewer": sets.ACCOUNT_VIEWER,
    "roles/iam.workloadIdentityUser": {
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.list",
    },
    "roles/owner": _OWNER,
    "roles/pubsub.admin": sets.PUBSUB_ADMIN,
    "roles/pubsub.editor": sets.PUBSUB_EDITOR,
    "roles/pubsub.publisher": sets.PUBSUB_PUBLISHER,
    "roles/pubsub.subscriber": sets.PUBSUB_SUBSCRIBER,
    "roles/pubsub.viewer": sets.PUBSUB_VIEWER,
    "roles/resourcemanager.projectIamAdmin": sets.PROJECT_IAM_ADMIN,
    "roles/run.admin": sets.RUN_ADMIN,
    "roles/run.developer": sets.RUN_DEVELOPER,
    "roles/run.invoker": sets.RUN_INVOKER,
    "roles/run.servicesInvoker": sets.RUN_INVOKER,
    "roles/run.viewer": sets.RUN_VIEWER,
    "roles/secretmanager.admin": sets.SECRET_ADMIN,
    "roles/secretmanager.secretAccessor": sets.SECRET_ACCESSOR,
    "roles/secretmanager.secretVersionAdder": {"secretmanager.versions.add"},
    "roles/secretmanager.secretVersionManager": sets.SECRET_VERSION_MANAGER,
    "roles/secretmanager.viewer": sets.SECRET_VIEWER,
    "roles/serviceusage.serviceUsageAdmin": sets.SERVICE_USAGE_ADMIN,
    "roles/serviceusage.serviceUsageConsumer": sets.SERVICE_USAGE_CONSUMER,
    "roles/serviceusage.serviceUsageViewer": sets.SERVICE_USAGE_VIEWER,
    "roles/storage.admin": sets.STORAGE_ADMIN,
    "roles/storage.bucketViewer": {"storage.buckets.get", "storage.buckets.list"},
    "roles/storage.legacyBucketReader": {
        "storage.buckets.get",
        "storage.objects.list",
    },
    "roles/storage.objectAdmin": sets.STORAGE_OBJECT_ADMIN,
    "roles/storage.objectCreator": sets.STORAGE_OBJECT_CREATOR,
    "roles/storage.objectUser": sets.STORAGE_OBJECT_USER,
    "roles/storage.objectViewer": sets.STORAGE_OBJECT_VIEWER,
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
