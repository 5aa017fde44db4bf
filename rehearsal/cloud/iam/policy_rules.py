"""What a policy may say: roles and members that exist, within Google's limits.

A condition is refused, not ignored: ignoring it would permit more than Google does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument
from rehearsal.cloud.iam.members import EVERYBODY, check_member
from rehearsal.cloud.iam.roles import predefined_role

# https://cloud.google.com/iam/quotas: principals in one policy, each appearance counted.
_MAX_MEMBERS: Final = 1_500
_VERSIONS: Final = (0, 1, 3)


def check_version(version: object) -> None:
    """Refuse a version of policies that Google does not have.

    Raises:
        ApiError: 400.
    """
    if int(str(version or 0)) not in _VERSIONS:
        raise invalid_argument(f"Invalid policy version: {version}. It must be 0, 1 or 3.")


def check_policy(
    policy: JsonObject,
    *,
    resource: str,
    project_id: str,
    role_exists: Callable[[str], bool],
    account_exists: Callable[[str], bool],
) -> None:
    """Refuse a policy that Google would refuse, and one that is not modelled.

    Args:
        policy: As a caller sent it.
        resource: The full name of what it is for.
        project_id: The project.
        role_exists: Tells whether the project has a custom role, by full name.
        account_exists: Tells whether the project has a service account, by email.

    Raises:
        ApiError: 400.
    """
    check_version(policy.get("version"))
    bindings: list[JsonObject] = policy.get("bindings") or []
    for binding in bindings:
        if binding.get("condition"):
            raise failed_precondition("Conditions are not modelled in the local cloud.")
        _check_role(binding.get("role") or "", role_exists)
        for member in binding.get("members") or ():
            check_member(member, project_id=project_id, account_exists=account_exists)
            if member in EVERYBODY and resource == f"projects/{project_id}":
                # "Project does not support allUsers and allAuthenticatedUsers as members."
                raise invalid_argument("Request contains an invalid argument.")
    count = sum(len(binding.get("members") or ()) for binding in bindings)
    if count > _MAX_MEMBERS:
        raise invalid_argument(
            f"The number of members in the policy ({count:,}) is larger than the maximum allowed"
            f" size {_MAX_MEMBERS:,}."
        )


def _check_role(role: str, role_exists: Callable[[str], bool]) -> None:
    if role.startswith("projects/"):
        # A deleted role may stay in a policy, or nothing else in it could change any more.
        if not role_exists(role):
            raise invalid_argument(f"Role {role} does not exist in the resource's hierarchy.")
    elif predefined_role(role) is None:
        raise invalid_argument(f"Role {role} is not supported for this resource.")
