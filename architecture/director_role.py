"""What the director's custom role permits: what setting up the kinds present calls for, no more.

The director acts as itself only: it runs no services and takes on nobody's identity.
"""

from __future__ import annotations

from typing import Final

from architecture.model import Architecture

_ALWAYS: Final = ("resourcemanager.projects.get",)

_MANAGED: Final = ("create", "delete", "get", "getIamPolicy", "list", "setIamPolicy", "update")

_PERMISSIONS: Final[dict[str, tuple[str, ...]]] = {
    "topics": tuple(f"pubsub.topics.{verb}" for verb in _MANAGED),
    "subscriptions": (
        *(f"pubsub.subscriptions.{verb}" for verb in _MANAGED),
        "pubsub.topics.attachSubscription",
    ),
    "bigquery_datasets": tuple(
        # Listing datasets asks for `get` on each; there is no permission to list.
        f"bigquery.datasets.{verb}"
        for verb in _MANAGED
        if verb != "list"
    ),
    "bigquery_tables": tuple(f"bigquery.tables.{verb}" for verb in _MANAGED),
    "gcs_buckets": tuple(f"storage.buckets.{verb}" for verb in _MANAGED),
    "firestore_databases": (
        "datastore.databases.create",
        "datastore.databases.delete",
        "datastore.databases.get",
        "datastore.databases.getMetadata",
        "datastore.databases.list",
        "datastore.databases.update",
        "datastore.operations.get",
    ),
    # Collections come to be when a service writes to them; schedules are not the director's.
    "firestore_collections": (),
    "cloud_scheduler_jobs": (),
}

_SECRET_GRANTS: Final = (
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.setIamPolicy",
)


def director_permissions(arch: Architecture) -> tuple[str, ...]:
    """Return the permissions of the director's custom role, sorted."""
    permissions = set(_ALWAYS)
    for dataflow in arch.application_dataflows().values():
        for kind, _ in dataflow.resources.each():
            permissions.update(_PERMISSIONS[kind])
        for service in dataflow.services.values():
            if service.deployment and service.deployment.secret_environment_vars:
                permissions.update(_SECRET_GRANTS)
    return tuple(sorted(permissions))
