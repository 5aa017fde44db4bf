"""The foundation: enabled APIs, the image repositories, identities, project-level grants."""

from __future__ import annotations

import pulumi

from architecture import names
from architecture.apis import required_apis
from architecture.director_role import CustomRole, director_roles
from components.director_role import DirectorRole
from components.enabled_apis import EnabledApis
from components.labels import resource_labels
from components.repository import Repository
from components.service_account import ServiceAccount
from stacks.context import StackContext
from stacks.granting import applied_grants, declare_grants
from stacks.program import Outputs


def declare(context: StackContext) -> Outputs:
    """Declare what everything else of the environment stands on."""
    apis = EnabledApis("apis", project=context.project, apis=required_apis(context.architecture))
    opts = pulumi.ResourceOptions(depends_on=[apis])
    repositories = _repositories(context, opts)
    accounts = _accounts(context, opts)
    roles = {
        role.name(context.project): _director_role(context, role, opts)
        for role in director_roles(context.architecture)
    }
    by_member = {_member(context, account): component for account, component in accounts.items()}
    declare_grants(
        context,
        context.grants,
        # A policy takes no member, and an account no policy, before the account exists.
        after=lambda grant: [
            apis,
            by_member.get(grant.member),
            by_member.get(_member(context, grant.resource.name)),
            roles.get(grant.role),
        ],
    )
    return {
        "accounts": {name: account.email for name, account in accounts.items()},
        "repositories": {name: item.repository_path for name, item in repositories.items()},
        "directorRoles": [role.role_name for role in roles.values()],
        "grants": applied_grants(context),
    }


def _member(context: StackContext, account: str) -> str:
    return names.member(names.account_email(account, context.project))


def _repositories(context: StackContext, opts: pulumi.ResourceOptions) -> dict[str, Repository]:
    labels = resource_labels(context.name.environment, own=context.architecture.labels)
    return {
        name: Repository(
            name, project=context.project, location=context.region, labels=labels, opts=opts
        )
        for name in names.image_repositories(context.architecture)
    }


def _accounts(context: StackContext, opts: pulumi.ResourceOptions) -> dict[str, ServiceAccount]:
    """Declare each account of the project once, however many services share it."""
    users: dict[str, list[str]] = {}
    for service in context.architecture.all_services():
        account = names.account_id(service.service_account, context.project)
        users.setdefault(account, []).append(service.name)
    return {
        account: ServiceAccount(
            account,
            project=context.project,
            display_name=_display_name(users.get(account, [])),
            opts=opts,
        )
        for account in names.service_accounts(context.architecture)
    }


def _display_name(services: list[str]) -> str:
    """Name the services of an account within Google's 100 characters."""
    longest = 100
    name = ", ".join(sorted(services))
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _director_role(
    context: StackContext, role: CustomRole, opts: pulumi.ResourceOptions
) -> DirectorRole:
    return DirectorRole(
        role.role_id,
        project=context.project,
        title=role.title,
        permissions=role.permissions,
        opts=opts,
    )
