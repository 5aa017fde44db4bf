"""What a run needs of a cloud, whichever it is: the deployer's roles, secrets that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from architecture.model import Architecture
from orchestration.targets.cloud_reads import CloudReads
from orchestration.targets.prerequisite import Prerequisite, Seen, missing, ok, unknown

ROLES = "the deployer's roles"
SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class DeployerRole:
    """A predefined role on the project, what of it a run uses, and for what.

    Permissions and roles: https://cloud.google.com/iam/docs/roles-permissions. `kinds` are the
    resources that call for it; nothing: every architecture does.
    """

    role: str
    permissions: tuple[str, ...]
    why: str
    kinds: frozenset[str] = frozenset()


_UNDOING = "the director makes them; rollback and destroy are the deployer's"
DEPLOYER_ROLES = (
    DeployerRole(
        "roles/artifactregistry.admin",
        ("artifactregistry.repositories.create", "artifactregistry.repositories.uploadArtifacts"),
        "makes the repository of images, and pushes to it",
    ),
    DeployerRole("roles/iam.roleAdmin", ("iam.roles.create",), "makes the director's custom role"),
    DeployerRole(
        "roles/iam.serviceAccountAdmin",
        ("iam.serviceAccounts.create", "iam.serviceAccounts.setIamPolicy"),
        "makes the services' accounts; grants itself what trying and attaching them takes",
    ),
    DeployerRole(
        "roles/pubsub.admin",
        ("pubsub.subscriptions.create", "pubsub.topics.create"),
        "makes the director's topics and a subscription per run; undoes dataflows",
    ),
    DeployerRole(
        "roles/resourcemanager.projectIamAdmin",
        ("resourcemanager.projects.setIamPolicy",),
        "makes the grants on the project",
    ),
    DeployerRole(
        "roles/run.admin",
        ("run.services.create", "run.services.setIamPolicy"),
        "deploys the services, and says who may call them",
    ),
    DeployerRole(
        "roles/serviceusage.serviceUsageAdmin",
        ("serviceusage.services.enable",),
        "enables the APIs",
    ),
    DeployerRole(
        "roles/bigquery.admin",
        ("bigquery.datasets.delete", "bigquery.tables.delete"),
        f"datasets and tables: {_UNDOING}",
        frozenset({"bigquery_datasets", "bigquery_tables"}),
    ),
    DeployerRole(
        "roles/cloudscheduler.admin",
        ("cloudscheduler.jobs.create",),
        "makes the schedules",
        frozenset({"cloud_scheduler_jobs"}),
    ),
    DeployerRole(
        "roles/datastore.owner",
        ("datastore.databases.delete",),
        f"databases: {_UNDOING}",
        frozenset({"firestore_databases"}),
    ),
    DeployerRole(
        "roles/storage.admin",
        ("storage.buckets.delete",),
        f"buckets: {_UNDOING}",
        frozenset({"gcs_buckets"}),
    ),
)
# Called for by services that read secrets, which are no resources of a dataflow.
SECRETS_ROLE = DeployerRole(
    "roles/secretmanager.admin",
    ("secretmanager.secrets.setIamPolicy", "secretmanager.versions.get"),
    "looks whether secrets are there, and lets the director grant them",
)


def deployer_roles(architecture: Architecture) -> tuple[DeployerRole, ...]:
    """Give the roles on the project that deploying an architecture takes."""
    present = {
        kind for flow in architecture.dataflows.values() for kind, _ in flow.resources.each()
    }
    of_kinds = tuple(role for role in DEPLOYER_ROLES if not role.kinds or role.kinds & present)
    return (*of_kinds, SECRETS_ROLE) if secret_users(architecture) else of_kinds


def roles(
    architecture: Architecture,
    reads: CloudReads | None,
    deployer: Callable[[], str],
    *,
    blind: str,
) -> Iterator[Prerequisite]:
    """Yield the deployer's roles; without `reads`, `blind` says why none can be looked at."""
    needed = deployer_roles(architecture)
    project = architecture.project_id

    @cache
    def allowed() -> frozenset[str]:
        assert reads is not None
        return reads.allowed([item for role in needed for item in role.permissions])

    def look(role: DeployerRole) -> Seen:
        if reads is None:
            return unknown(blind)
        lacking = [item for item in role.permissions if item not in allowed()]
        if lacking:
            return missing(f"{deployer()} lacks {', '.join(lacking)} on project {project}")
        return ok("its permissions are there")

    for role in needed:
        yield Prerequisite(
            ROLES,
            role.role,
            role.why,
            f"gcloud projects add-iam-policy-binding {project} --member=MEMBER --role={role.role}",
            partial(look, role),
        )


def secrets(
    architecture: Architecture, environment: str, reads: CloudReads | None, *, blind: str
) -> Iterator[Prerequisite]:
    """Yield every version of a secret that a service reads, with who reads it."""

    def look(secret: str, version: str) -> Seen:
        return unknown(blind) if reads is None else reads.secret(secret, version)

    for (secret, version), users in sorted(secret_users(architecture).items()):
        yield Prerequisite(
            SECRETS,
            f"secret {secret}, version {version}",
            "; ".join(users),
            f"conductor secrets set {secret} --env {environment}",
            partial(look, secret, version),
        )


def secret_users(architecture: Architecture) -> dict[tuple[str, str], list[str]]:
    """Say of each version of a secret who reads it; one without a version is the latest."""
    users: dict[tuple[str, str], list[str]] = {}
    for service in architecture.all_services():
        if service.deployment is None:
            continue
        for variable in service.deployment.secret_environment_vars:
            version = str(variable.version or "latest")
            users.setdefault((variable.value_from, version), []).append(
                f"service {service.name} reads it as {variable.name}"
            )
    return users
