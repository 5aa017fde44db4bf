"""Members of a policy: their forms, and whom they stand for.

Nobody here belongs to a group or to an identity pool, so grants to those reach nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rehearsal.cloud.errors import invalid_argument

ALL_USERS: Final = "allUsers"
ALL_AUTHENTICATED_USERS: Final = "allAuthenticatedUsers"
EVERYBODY: Final = frozenset({ALL_USERS, ALL_AUTHENTICATED_USERS})
ANONYMOUS: Final = "anonymous"
_FORM: Final = re.compile(
    r"(allUsers|allAuthenticatedUsers"
    r"|(user|group|serviceAccount):[^@\s]+@[^@\s]+|domain:[^@\s]+"
    r"|project(Owner|Editor|Viewer):[^@\s:]+"
    r"|deleted:(user|group|serviceAccount):[^@\s]+@[^@\s?]+(\?uid=\d+)?"
    r"|principal(Set)?://\S+)"
)
_TYPES: Final = re.compile(
    r"(user|group|serviceAccount|domain|deleted|principal|principalSet"
    r"|project(Owner|Editor|Viewer)):.*"
)
# Everybody with a basic role on the project, as buckets' and datasets' default grants name them.
_BASIC_ROLES: Final = {
    "projectOwner": "roles/owner",
    "projectEditor": "roles/editor",
    "projectViewer": "roles/viewer",
}


def check_member(member: str, *, project_id: str, account_exists: Callable[[str], bool]) -> None:
    """Refuse a member that Google would refuse in a policy.

    Raises:
        ApiError: 400; an unknown form, or an account of this project that does not exist.
    """
    if not _FORM.fullmatch(member):
        raise invalid_argument(_mistake_of(member))
    kind, _, email = member.partition(":")
    # Google creates its own agents (`…@gcp-sa-pubsub.iam…`); other projects are not ours to know.
    ours = email.endswith(f"@{project_id}.iam.gserviceaccount.com")
    if kind == "serviceAccount" and ours and not account_exists(email):
        raise invalid_argument(f"Service account {email} does not exist.")


def _mistake_of(member: str) -> str:
    if ":" not in member:
        return 'Policy members must be of the form "<type>:<value>".'
    if not _TYPES.fullmatch(member):
        return (
            f"The member {member} is of an unknown type. Please set a valid type prefix for the"
            " member."
        )
    return f"Invalid member: {member}."


def stands_for(member: str, principal: str) -> bool:
    """Tell whether a member of a binding includes the principal."""
    if member in (principal, ALL_USERS):
        return True
    if principal == ANONYMOUS:
        return False
    if member == ALL_AUTHENTICATED_USERS:
        return True
    kind, _, domain = member.partition(":")
    return kind == "domain" and principal.startswith("user:") and principal.endswith(f"@{domain}")


def basic_role_of(member: str, project_id: str) -> str | None:
    """Return the role on the project that makes somebody part of a member like `projectOwner:p`."""
    kind, _, project = member.partition(":")
    return _BASIC_ROLES.get(kind) if project == project_id else None
