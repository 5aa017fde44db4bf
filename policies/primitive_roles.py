"""No primitive roles: each of them holds thousands of permissions."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule

PRIMITIVE_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})


def check(resource: PlannedResource) -> Iterator[str]:
    """Find grants of owner, editor and viewer."""
    role = resource.inputs.get("role")
    if role in PRIMITIVE_ROLES:
        who = resource.inputs.get("member") or resource.inputs.get("members") or "somebody"
        yield f"grants {role} to {who}"


RULE = Rule(
    name="primitive-roles",
    level=Level.DENY,
    why="a primitive role reaches every service of the project, also those that come later",
    instead="grant a predefined role on the one resource (`conductor plan iam` infers it)",
    check=check,
)
