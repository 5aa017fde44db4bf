"""Which permission shows that a role works: data, one line per role that the product grants.

Each permission is in its role and in no other that is granted on the same resource, so that one
role cannot pass for another (Google's IAM roles and permissions reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from architecture.grants import Grant, ResourceKind

# `testIamPermissions` takes at most 100 permissions a call.
MOST_PERMISSIONS: Final = 100

PERMISSIONS: Final[Mapping[tuple[ResourceKind, str], str]] = {
    (ResourceKind.TOPIC, "roles/pubsub.publisher"): "pubsub.topics.publish",
    (ResourceKind.TOPIC, "roles/pubsub.viewer"): "pubsub.topics.get",
    (ResourceKind.SUBSCRIPTION, "roles/pubsub.subscriber"): "pubsub.subscriptions.consume",
    (ResourceKind.SUBSCRIPTION, "roles/pubsub.viewer"): "pubsub.subscriptions.get",
    (ResourceKind.SERVICE, "roles/run.invoker"): "run.routes.invoke",
    (
        ResourceKind.SERVICE_ACCOUNT,
        "roles/iam.serviceAccountTokenCreator",
    ): "iam.serviceAccounts.getAccessToken",
    (ResourceKind.SERVICE_ACCOUNT, "roles/iam.serviceAccountUser"): "iam.serviceAccounts.actAs",
    (ResourceKind.PROJECT, "roles/datastore.user"): "datastore.entities.create",
    (ResourceKind.PROJECT, "roles/datastore.viewer"): "datastore.entities.get",
    (ResourceKind.SECRET, "roles/secretmanager.secretAccessor"): "secretmanager.versions.access",
    (ResourceKind.BUCKET, "roles/storage.objectAdmin"): "storage.objects.delete",
    (ResourceKind.BUCKET, "roles/storage.objectViewer"): "storage.objects.get",
    (ResourceKind.BUCKET, "roles/storage.objectUser"): "storage.objects.create",
    (
        ResourceKind.KEY,
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    ): "cloudkms.cryptoKeyVersions.useToEncrypt",
    (ResourceKind.TABLE, "roles/bigquery.dataEditor"): "bigquery.tables.updateData",
    (ResourceKind.TABLE, "roles/bigquery.dataViewer"): "bigquery.tables.getData",
}


def permissions_to_test(
    grant: Grant, custom_roles: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """Give the permissions whose presence shows that a grant works; none if we know none."""
    if grant.role in custom_roles:
        return frozenset(custom_roles[grant.role][:MOST_PERMISSIONS])
    permission = PERMISSIONS.get((grant.resource.kind, grant.role))
    return frozenset() if permission is None else frozenset({permission})
