"""Members of a policy: their forms, and whom they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable

from rehearsal.cloud.errors import invalid_argument

ALL_USERS = "allUsers"
ALL_AUTHENTICATED_USERS = "allAuthenticatedUsers"
ANONYMOUS = "anonymous"
_FORM = re.compile(
    r"(allUsers|allAuthenticatedUsers"
    r"|(user|group|serviceAccount):[^@\s]+@[^@\s]+|domain:[^@\s]+"
    r"|project(Owner|Editor|Viewer):[^@\s:]+"
    r"|deleted:(user|group|serviceAccount):[^@\s]+@[^@\s?]+(\?uid=\d+)?"
    r"|principal(Set)?://\S+)"
)


def check_member(member: str, *, project_id: str, account_exists: Callable[[str], bool]) -> None:
    """Refuse a member that Google would refuse in a policy.

    Raises:
        ApiError: 400; an unknown form, or an account of this project that does not exist.
    """
    if not _FORM.fullmatch(member):
        raise invalid_argument(f"Invalid member: {member}.")
    kind, _, email = member.partition(":")
    # Google creates its own agents (`…@gcp-sa-pubsub.iam…`); other projects are not ours to know.
    ours = email.endswith(f"@{project_id}.iam.gserviceaccount.com")
    if kind == "serviceAccount" and ours and not account_exists(email):
        raise invalid_argument(f"Service account {email} does not exist.")


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
