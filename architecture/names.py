"""Every cloud name that follows from the architecture, computed in one place.

Whether a name is one that Google accepts is `architecture.checks`' concern.
"""

from __future__ import annotations

from typing import Final

from architecture.model import Architecture, Layer, Subscription

DEFAULT_IMAGE_REPO: Final = "cloud-deploy"
"""The Artifact Registry repository of services that name none."""

_ACCOUNT_DOMAIN: Final = ".iam.gserviceaccount.com"


def stack_name(env: str, layer: Layer, dataflow: str | None = None) -> str:
    """Return `<env>.<layer>[.<dataflow>]`."""
    return ".".join(part for part in (env, layer, dataflow) if part)


def suffixed(name: str, suffix: str) -> str:
    """Return a name as it is in a test run."""
    return f"{name}-{suffix}"


def without_suffix(name: str, suffix: str) -> str:
    """Return a name as it is outside of the test run with that suffix, if it is one's."""
    return name.removesuffix(suffixed("", suffix)) if suffix else name


def account_id(account: str, project_id: str) -> str:
    """Return the short id of an account of the project; another project's e-mail as it is."""
    return account.removesuffix(f"@{project_id}{_ACCOUNT_DOMAIN}") if project_id else account


def inferred_account(job: str) -> str:
    """Return the account of a schedule that names none."""
    return f"{job}-sa"


def account_email(account: str, project_id: str) -> str:
    """Return the full e-mail of an account given by its short id or already in full."""
    return account if "@" in account else f"{account}@{project_id}{_ACCOUNT_DOMAIN}"


def member(email: str) -> str:
    """Return a service account as IAM policies name it."""
    return f"serviceAccount:{email}"


def service_accounts(arch: Architecture) -> tuple[str, ...]:
    """Return the ids of the accounts that the architecture owns, sorted, each once."""
    given = {service.service_account for service in arch.all_services()}
    for dataflow in arch.dataflows.values():
        given |= {job.service_account for job in dataflow.resources.cloud_scheduler_jobs}
    ids = {account_id(account, arch.project_id) for account in given if account}
    return tuple(sorted(account for account in ids if "@" not in account))


def account_path(account: str, project_id: str) -> str:
    """Return the full resource name of a service account."""
    return f"projects/{project_id}/serviceAccounts/{account_email(account, project_id)}"


def topic_path(project_id: str, topic: str) -> str:
    """Return the full resource name of a topic."""
    return f"projects/{project_id}/topics/{topic}"


def subscription_path(project_id: str, subscription: str) -> str:
    """Return the full resource name of a subscription."""
    return f"projects/{project_id}/subscriptions/{subscription}"


def command_subscription(arch: Architecture) -> str:
    """Return the name of the subscription on which the director takes commands."""
    command_topic = arch.director.command_topic.name
    declared = arch.director_dataflow
    if declared is not None:
        for subscription in arch.dataflows[declared].resources.subscriptions:
            if is_command_subscription(arch, subscription):
                return subscription.name
    return f"{command_topic}-sub"


def is_command_subscription(arch: Architecture, subscription: Subscription) -> bool:
    """Return whether the director takes its commands from this subscription."""
    consumer = subscription.consumer_service
    return (
        subscription.topic == arch.director.command_topic.name
        and consumer is not None
        and consumer.name == arch.director.name
    )


def image_name(registry: str, project_id: str, image_repo: str, service: str) -> str:
    """Return `<registry>/<project>/<repository>/<service>`, without tag or digest."""
    return f"{registry}/{project_id}/{image_repo}/{service}"


def registry_host(region: str) -> str:
    """Return Google's registry host of a region."""
    return f"{region}-docker.pkg.dev"


def image_repositories(arch: Architecture) -> tuple[str, ...]:
    """Return the Artifact Registry repositories that the services' images live in, sorted."""
    deployments = (service.deployment for service in arch.all_services())
    return tuple(sorted({d.image_repo or DEFAULT_IMAGE_REPO for d in deployments if d}))
