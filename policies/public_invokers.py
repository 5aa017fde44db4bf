"""Nobody outside may call, read or write what we deploy."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule

EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})


def check(resource: PlannedResource) -> Iterator[str]:
    """Find grants to everybody, and services whose invoker check is turned off."""
    members = resource.inputs.get("members")
    granted = [resource.inputs.get("member"), *(members if isinstance(members, list) else ())]
    for member in granted:
        if member in EVERYBODY:
            yield f"grants {resource.inputs.get('role', 'a role')} to {member}"
    if resource.inputs.get("invokerIamDisabled") is True:
        yield "lets everybody call it: its invoker check is turned off"


RULE = Rule(
    name="public-invokers",
    level=Level.DENY,
    why="whatever everybody may call is found and called within hours",
    instead="grant the role to the service accounts and groups that need it",
    check=check,
)
