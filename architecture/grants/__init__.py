"""Every grant that an architecture needs, each with its reason: one value that all readers share.

Who applies them is `components`' business, who waits for them `orchestration.access`'. What the
director's custom roles permit is in `architecture.director_role`.
"""

from __future__ import annotations

from architecture.director_role import director_permissions
from architecture.grants.agents import agent_grants
from architecture.grants.directory import Directory
from architecture.grants.harness import deployer_grants, director_grants, state_grants
from architecture.grants.inference import application_grants
from architecture.grants.plan import (
    Grant,
    GrantPlan,
    GrantResource,
    ResourceKind,
    StatePlace,
    merged,
)
from architecture.model import Architecture

__all__ = [
    "Grant",
    "GrantPlan",
    "GrantResource",
    "ResourceKind",
    "StatePlace",
    "director_permissions",
    "plan_grants",
]


def plan_grants(
    arch: Architecture, *, deployer: str | None = None, state: StatePlace | None = None
) -> GrantPlan:
    """Return every grant of a hydrated architecture.

    Args:
        arch: the architecture, hydrated.
        deployer: the member that deploys; it may then take on each account's identity, so that
            waiting for a grant can try the grant itself, and set up what runs as the account.
        state: where the stacks' state is in Google's cloud; None for a local cloud, whose director
            shares the deployer's folders.

    Raises:
        ValueError: the architecture names no project, so that nobody has an identity yet.
    """
    if not arch.project_id:
        raise ValueError("an architecture must be hydrated before its grants can be planned")
    directory = Directory(arch)
    asked = list(application_grants(directory))
    needed = list(director_grants(directory))
    if state is not None:
        needed += state_grants(directory, state)
    if deployer:
        needed += deployer_grants(directory, deployer)
    # A grant that both want is made once, and is then the application's.
    asked_for = {grant.key for grant in asked}
    plan = merged([*asked, *needed])
    return GrantPlan(
        application=tuple(grant for grant in plan if grant.key in asked_for),
        harness=tuple(grant for grant in plan if grant.key not in asked_for),
        agents=merged(agent_grants(directory)),
    )
