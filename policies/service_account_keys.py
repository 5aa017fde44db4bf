"""No keys of service accounts: they are passwords that never expire."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule

KEY_TYPE = "gcp:serviceaccount/key:Key"


def check(resource: PlannedResource) -> Iterator[str]:
    """Find keys that are made."""
    if resource.type == KEY_TYPE:
        account = resource.inputs.get("serviceAccountId", "an account")
        yield f"makes a key of service account {account}"


RULE = Rule(
    name="service-account-keys",
    level=Level.DENY,
    why="a key works for whoever has a copy of it, until somebody deletes it",
    instead="run as the account, impersonate it, or use Workload Identity Federation",
    check=check,
)
