"""What the director's custom roles permit: what setting up the kinds present calls for, no more.

One role on the project, because what is yet to be made has no policy of its own; one on each secret
that services read, since those are there already. The director runs no services, takes on nobody's
identity and reads no secret. It only ever looks at what it made, by name: it lists nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from architecture.model import Architecture

_ROLE_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A custom role of the project, and the secrets it is granted on; else it is on the project."""

    role_id: str
    title: str
    purpose: str
    permissions: tuple[str, ...]
    on_secrets: tuple[str, ...] = ()

    def name(self, project_id: str) -> str:
        """Return the role as policies name it."""
        return f"projects/{project_id}/roles/{self.role_id}"


@dataclass(frozen=True, slots=True)
class KindPermissions:
    """What managing one kind of resource takes, and where Google says so."""

    permissions: tuple[str, ...]
    source: str


# `create`, `update` and `delete` are the provider's own calls; `get` is its refresh, and what it
# does after each write. It changes a policy by reading and writing the whole of it.
_MANAGED: Final = ("create", "delete", "get", "getIamPolicy", "setIamPolicy", "update")

ALWAYS: Final = KindPermissions(
    # The provider looks the project up.
    ("resourcemanager.projects.get",),
    "https://cloud.google.com/resource-manager/docs/access-control-proj",
)

KIND_PERMISSIONS: Final[dict[str, KindPermissions]] = {
    "topics": KindPermissions(
        tuple(f"pubsub.topics.{verb}" for verb in _MANAGED),
        "https://cloud.google.com/pubsub/docs/access-control",
    ),
    "subscriptions": KindPermissions(
        (
            *(f"pubsub.subscriptions.{verb}" for verb in _MANAGED),
            # Asked of whoever makes a subscription, on the topic.
            "pubsub.topics.attachSubscription",
        ),
        "https://cloud.google.com/pubsub/docs/access-control",
    ),
    "bigquery_datasets": KindPermissions(
        tuple(f"bigquery.datasets.{verb}" for verb in _MANAGED),
        "https://cloud.google.com/bigquery/docs/access-control",
    ),
    "bigquery_tables": KindPermissions(
        (
            *(f"bigquery.tables.{verb}" for verb in _MANAGED),
            # A column is dropped by a statement, and a statement is a job.
            "bigquery.jobs.create",
        ),
        "https://cloud.google.com/bigquery/docs/access-control",
    ),
    "gcs_buckets": KindPermissions(
        tuple(f"storage.buckets.{verb}" for verb in _MANAGED),
        "https://cloud.google.com/storage/docs/access-control/iam-json",
    ),
    "firestore_databases": KindPermissions(
        (
            "datastore.databases.create",
            "datastore.databases.delete",
            # Reading a database's settings asks for this one, not for `get`.
            "datastore.databases.getMetadata",
            "datastore.databases.update",
            # Creating, changing and deleting are operations that are waited for.
            "datastore.operations.get",
        ),
        "https://cloud.google.com/firestore/docs/security/iam",
    ),
    # Collections come to be when a service writes to them; schedules are not the director's.
    "firestore_collections": KindPermissions((), ""),
    "cloud_scheduler_jobs": KindPermissions((), ""),
}

SECRET_GRANTS: Final = KindPermissions(
    (
        "secretmanager.secrets.get",
        "secretmanager.secrets.getIamPolicy",
        "secretmanager.secrets.setIamPolicy",
    ),
    "https://cloud.google.com/secret-manager/docs/access-control",
)


def director_roles(arch: Architecture) -> tuple[CustomRole, ...]:
    """Return the director's custom roles: the project's, and where there are secrets, theirs."""
    on_project = CustomRole(
        _role_id(arch, "director"),
        f"Director of {arch.name}",
        "sets up the resources of every dataflow",
        director_permissions(arch),
    )
    secrets = granted_secrets(arch)
    if not secrets:
        return (on_project,)
    on_secrets = CustomRole(
        _role_id(arch, "director_secrets"),
        f"Director of {arch.name}, on secrets",
        "grants services the secrets that they read",
        SECRET_GRANTS.permissions,
        secrets,
    )
    return on_project, on_secrets


def director_permissions(arch: Architecture) -> tuple[str, ...]:
    """Return the permissions of the director's custom role on the project, sorted."""
    permissions = set(ALWAYS.permissions)
    for dataflow in arch.application_dataflows().values():
        for kind, _ in dataflow.resources.each():
            permissions.update(KIND_PERMISSIONS[kind].permissions)
    return tuple(sorted(permissions))


def granted_secrets(arch: Architecture) -> tuple[str, ...]:
    """Return the secrets that the director grants to services of dataflows, sorted."""
    return tuple(
        sorted(
            {
                variable.value_from
                for dataflow in arch.application_dataflows().values()
                for service in dataflow.services.values()
                if service.deployment
                for variable in service.deployment.secret_environment_vars
            }
        )
    )


def _role_id(arch: Architecture, what: str) -> str:
    """Return the id of a custom role: letters, digits and `_` only."""
    parts = (arch.name, what, arch.name_suffix)
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(filter(None, parts)))[-_ROLE_ID_LENGTH:]
