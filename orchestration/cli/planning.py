"""`conductor plan iam`: every grant that an architecture needs and why; touches no cloud."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path

import yaml
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from architecture.director_role import CustomRole, director_roles
from architecture.grants import Grant, GrantPlan, StatePlace, plan_grants
from architecture.model import Architecture
from architecture.names import stack_name
from orchestration.artifacts.planner import read_architecture
from orchestration.cli.console import errors, output
from orchestration.environments import Environment, TargetName
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.google import bucket_name, key_path, state_place
from orchestration.targets.local import DEFAULT_PROJECT, LOCAL_DEPLOYER
from orchestration.wording import counted


class PlanFormat(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class IamPlan:
    """The grants of one architecture in one environment, and the roles made for them."""

    environment: str
    architecture: Architecture
    grants: GrantPlan
    roles: tuple[CustomRole, ...]

    def stack(self, grant: Grant) -> str:
        """Name the stack that makes a grant."""
        return stack_name(self.environment, grant.layer, grant.dataflow)


def plan_iam(
    architecture: Path,
    env: str,
    *,
    project: str | None,
    deployer: str | None,
    state_bucket: str | None,
    secrets_provider: str | None,
    suffix: str | None,
    written_as: PlanFormat,
) -> None:
    """Print every grant with its reason: the application's, and apart from them the harness's.

    Raises:
        ArchitectureInvalid: the file has errors.
        UsageError: the deployer is no IAM member, or the place of state is half said.
    """
    if deployer is not None and not all(deployer.partition(":")):
        raise UsageError(
            f"--deployer {deployer!r} is no IAM member",
            hint="write for example user:ada@example.com, or serviceAccount: and an e-mail",
        )
    environment = Environment(env, Settings.from_environment())
    file = read_architecture(
        architecture,
        environment=env,
        project_id=project or DEFAULT_PROJECT,
        suffix=environment.suffix(None) if suffix is None else suffix,
    )
    for warning in file.warnings:
        errors().print(f"[yellow]warning[/]: {escape(warning)}", soft_wrap=True)
    plan = IamPlan(
        environment=environment.name,
        architecture=file.architecture,
        grants=plan_grants(
            file.architecture,
            deployer=deployer or _deployer(environment),
            state=_state_place(environment, state_bucket, secrets_provider),
        ),
        roles=director_roles(file.architecture),
    )
    match written_as:
        case PlanFormat.JSON:
            sys.stdout.write(json.dumps(described(plan), indent=2) + "\n")
        case PlanFormat.YAML:
            text = yaml.safe_dump(described(plan), sort_keys=False, width=1000, allow_unicode=True)
            sys.stdout.write(text)
        case PlanFormat.TABLE:
            _show(output(), plan)


def _deployer(environment: Environment) -> str | None:
    """Return who deploys to a local cloud; nobody is known to deploy elsewhere."""
    record = environment.record()
    target = record.target.value if record is not None else environment.name
    return LOCAL_DEPLOYER if target == TargetName.LOCAL.value else None


def _state_place(
    environment: Environment, bucket: str | None, provider: str | None
) -> StatePlace | None:
    """Say where the stacks' state is: what is asked for, else what the environment keeps."""
    if bucket and provider:
        return StatePlace(bucket_name(bucket), key_path(provider))
    if bucket or provider:
        raise UsageError(
            "the director's grants on state need both its bucket and its key",
            hint="give --state-bucket and --secrets-provider, or neither",
        )
    record = environment.record()
    return state_place(record) if record is not None else None


def described(plan: IamPlan) -> dict[str, JsonValue]:
    """Give a plan as plain values."""
    return {
        "architecture": plan.architecture.name,
        "project_id": plan.architecture.project_id,
        "environment": plan.environment,
        "application": [_grant(plan, grant) for grant in plan.grants.application],
        "harness": [_grant(plan, grant) for grant in plan.grants.harness],
        "agents": [_grant(plan, grant) for grant in plan.grants.agents],
        "custom_roles": [
            {
                "role": role.name(plan.architecture.project_id),
                "title": role.title,
                "permissions": list(role.permissions),
            }
            for role in plan.roles
        ],
    }


def _grant(plan: IamPlan, grant: Grant) -> JsonValue:
    resource: dict[str, JsonValue] = {
        "kind": grant.resource.kind.value,
        "name": grant.resource.name,
    }
    if grant.resource.location:
        resource["location"] = grant.resource.location
    return {
        "member": grant.member,
        "role": grant.role,
        "resource": resource,
        "stack": plan.stack(grant),
        "reason": grant.reason,
    }


def _show(console: Console, plan: IamPlan) -> None:
    application, harness = plan.grants.application, plan.grants.harness
    console.print(f"[bold]What {escape(plan.architecture.name)} asks for[/]")
    _show_grants(console, plan, application)
    console.print("[bold]What the director and the deployment need for themselves[/]")
    _show_grants(console, plan, harness)
    if plan.grants.agents:
        console.print("[bold]What Google's own agents need[/]")
        _show_grants(console, plan, plan.grants.agents)
    for role in plan.roles:
        console.print(f"[bold]{escape(role.name(plan.architecture.project_id))}[/] permits")
        for permission in role.permissions:
            console.print(f"  {permission}")
        console.print()
    console.print(
        f"{counted(len(application), 'grant')} of the application,"
        f" {counted(len(harness), 'grant')} of the harness"
    )


def _show_grants(console: Console, plan: IamPlan, grants: Iterable[Grant]) -> None:
    for stack, made_there in groupby(grants, plan.stack):
        table = Table(
            title=escape(stack),
            title_justify="left",
            box=None,
            padding=(0, 2, 0, 0),
            header_style="bold",
        )
        for column in ("Member", "Role", "On", "Because"):
            table.add_column(column, overflow="fold")
        for grant in made_there:
            on = grant.resource
            table.add_row(
                escape(_short_member(plan, grant.member)),
                escape(grant.role.removeprefix("roles/")),
                escape(f"{on.kind} {_short_account(plan, on.name)}"),
                escape(grant.reason),
            )
        console.print(table)
        console.print()


def _short_member(plan: IamPlan, member: str) -> str:
    """Leave out what all accounts of the project have in common."""
    return _short_account(plan, member.removeprefix("serviceAccount:"))


def _short_account(plan: IamPlan, account: str) -> str:
    return account.removesuffix(f"@{plan.architecture.project_id}.iam.gserviceaccount.com")
