"""What the machinery needs for itself, apart from what the user's file asks for.

The director acts as itself only. The deployer takes on accounts to try their grants, and attaches
them to what it makes. Cloud Scheduler's own agent gets its role from Google with the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from architecture import names
from architecture.director_role import director_permissions, director_roles
from architecture.grants.directory import Directory
from architecture.grants.inference import link_grants
from architecture.grants.plan import Grant, GrantResource, ResourceKind, StatePlace
from architecture.links import all_links

_LOOKS: Final = {
    ("roles/pubsub.viewer", ResourceKind.TOPIC): "pubsub.topics.get",
    ("roles/pubsub.viewer", ResourceKind.SUBSCRIPTION): "pubsub.subscriptions.get",
}


def director_grants(directory: Directory) -> Iterator[Grant]:
    """Yield the director's own: its custom roles, its command and completion topics."""
    member = directory.member(directory.director)
    for role in director_roles(directory.arch):
        reason = f"the director {directory.director} {role.purpose}"
        name = role.name(directory.arch.project_id)
        if not role.on_secrets:
            yield directory.placed(member, name, directory.project(), None, reason)
        for secret in role.on_secrets:
            # The director grants access to secrets that are there already: before it is.
            on = GrantResource(ResourceKind.SECRET, secret)
            yield Grant(member, name, on, "foundation", None, reason)
    held = director_permissions(directory.arch)
    for link in all_links(directory.arch):
        if directory.is_directors(link):
            for grant in link_grants(directory, link):
                # Where dataflows have topics and subscriptions, it may look at all of them already.
                if _LOOKS.get((grant.role, grant.resource.kind)) not in held:
                    yield grant


def state_grants(directory: Directory, state: StatePlace) -> Iterator[Grant]:
    """Yield what the director needs of the stacks' state: objects of one bucket, use of one key.

    Both are there before it is, so that it can be healthy as soon as it starts. It may change
    neither the bucket nor the key, nor who else may use them.
    """
    member, director = directory.member(directory.director), directory.director
    for kind, name, role, reason in (
        (
            ResourceKind.BUCKET,
            state.bucket,
            "roles/storage.objectUser",
            f"the director {director} keeps dataflow stacks' state and its finished commands there",
        ),
        (
            ResourceKind.KEY,
            state.key,
            "roles/cloudkms.cryptoKeyEncrypterDecrypter",
            f"the director {director} reads and writes the secrets of dataflow stacks with it",
        ),
    ):
        yield Grant(member, role, GrantResource(kind, name), "foundation", None, reason)


def deployer_grants(directory: Directory, deployer: str) -> Iterator[Grant]:
    """Yield what the deployer needs of the accounts that the architecture owns."""
    for account in names.service_accounts(directory.arch):
        yield _on_account(
            directory,
            deployer,
            "roles/iam.serviceAccountTokenCreator",
            account,
            f"waiting for grants of {account} tries them as {account}",
        )
    for account, use in sorted(set(_attachments(directory))):
        yield _on_account(directory, deployer, "roles/iam.serviceAccountUser", account, use)


def _attachments(directory: Directory) -> Iterator[tuple[str, str]]:
    """Yield the accounts that something runs as, which only who may act as them can set up."""
    owned = frozenset(names.service_accounts(directory.arch))
    for service in directory.services.values():
        account = names.account_id(service.service_account, directory.arch.project_id)
        if service.deployment is not None and account in owned:
            yield account, f"deploys service {service.name}, which runs as {account}"
    for flow in directory.arch.dataflows.values():
        for job in flow.resources.cloud_scheduler_jobs:
            account = names.account_id(job.service_account, directory.arch.project_id)
            if account in owned:
                yield account, f"makes schedule {job.name}, which calls as {account}"


def _on_account(directory: Directory, member: str, role: str, account: str, reason: str) -> Grant:
    on = GrantResource(ResourceKind.SERVICE_ACCOUNT, directory.email(account))
    return Grant(member, role, on, "foundation", None, reason)
