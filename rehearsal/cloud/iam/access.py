"""Decisions: may this principal do this on that resource, now?

A grant on a resource covers everything below it: `projects/p` every resource of the project, a
dataset its tables, a secret its versions. Roles come from `rehearsal.cloud.iam.roles` and from the
project's custom roles.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument, permission_denied
from rehearsal.cloud.iam.members import check_member, stands_for
from rehearsal.cloud.iam.policies import Policies
from rehearsal.cloud.iam.propagation import Delays
from rehearsal.cloud.iam.roles import is_role_name, predefined_permissions
from rehearsal.cloud.store import Store

ACCOUNTS: Final = "iam.serviceAccounts"
CUSTOM_ROLES: Final = "iam.roles"


class Iam:
    """The policies of one local cloud and what they permit."""

    def __init__(
        self, store: Store, *, project_id: str, delays: Delays, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._project_id = project_id
        self._delays = delays
        self._clock = clock
        self._policies = Policies(store, delays, clock)
        # When new service accounts are found; of those before a restart all are.
        self._accounts_found_at: dict[str, float] = {}

    def require(self, principal: str, permission: str, resource: str) -> None:
        """Refuse unless the principal has the permission on the resource now.

        Raises:
            ApiError: 403.
        """
        if not self.allows(principal, permission, resource):
            raise permission_denied(permission, resource)

    def allows(self, principal: str, permission: str, resource: str) -> bool:
        """Tell whether the principal has the permission on the resource now."""
        return any(
            stands_for(member, principal) and permission in self._permissions(role)
            for ancestor in self._with_ancestors(resource)
            for role, member in self._policies.effective_grants(ancestor)
        )

    def permitted(self, principal: str, permissions: Collection[str], resource: str) -> list[str]:
        """Those of the permissions that the principal has on the resource now.

        Raises:
            ApiError: 400; a wildcard.
        """
        wildcard = next((name for name in permissions if "*" in name), None)
        if wildcard is not None:
            raise invalid_argument(f"Permission {wildcard} is not valid: wildcards are not.")
        return [name for name in permissions if self.allows(principal, name, resource)]

    def get_policy(self, resource: str) -> JsonObject:
        """Return the stored policy of a resource, whatever of it works already."""
        return self._policies.get(resource)

    def set_policy(
        self, resource: str, policy: JsonObject, *, immediately: bool = False
    ) -> JsonObject:
        """Replace the policy of a resource and return it as stored.

        Raises:
            ApiError: 409 when the etag is old; 400 for members, roles or conditions that cannot be.
        """
        for binding in policy.get("bindings") or ():
            self._check_binding(binding)
        return self._policies.set(resource, policy, immediately=immediately)

    def forget(self, resource: str) -> None:
        """Drop the policies of a deleted resource and of everything below it."""
        self._policies.forget(resource)

    def mark_deleted(self, member: str, unique_id: str) -> None:
        """End the grants of a deleted account; a new one of its name inherits nothing."""
        self._policies.mark_deleted(member, unique_id)

    def _check_binding(self, binding: JsonObject) -> None:
        role = binding.get("role") or ""
        if binding.get("condition"):
            raise failed_precondition("Conditions are not modelled in the local cloud.")
        if role.startswith("projects/"):
            # A deleted role may stay in a policy, or nothing else in it could change any more.
            if self._store.get(CUSTOM_ROLES, role) is None:
                raise invalid_argument(f"Role {role} does not exist in the resource's hierarchy.")
        elif not is_role_name(role):
            raise invalid_argument(f"Role {role} is not supported for this resource.")
        for member in binding.get("members") or ():
            check_member(member, project_id=self._project_id, account_exists=self.knows_account)

    def expect_account(self, email: str) -> None:
        """Take note of a new service account, which may not be found at once."""
        found_at = self._clock() + self._delays.until_account_is_found(email)
        self._accounts_found_at[email] = found_at

    def knows_account(self, email: str) -> bool:
        """Tell whether a service account of the project is found by now."""
        name = f"projects/{self._project_id}/serviceAccounts/{email}"
        if self._store.get(ACCOUNTS, name) is None:
            return False
        return self._clock() >= self._accounts_found_at.get(email, 0.0)

    def _permissions(self, role: str) -> Collection[str]:
        if not role.startswith("projects/"):
            return predefined_permissions(role)
        body = self._store.get(CUSTOM_ROLES, role) or {}
        if body.get("deleted") or body.get("stage") == "DISABLED":
            return ()
        permissions: list[str] = body.get("includedPermissions") or []
        return permissions

    def _with_ancestors(self, resource: str) -> Iterator[str]:
        """The resource, then what it belongs to, up to the project."""
        segments = resource.split("/")
        for length in range(len(segments) - len(segments) % 2, 2, -2):
            yield "/".join(segments[:length])
        if segments[0] == "projects" and segments[1:2] in ([self._project_id], ["_"]):
            yield f"projects/{self._project_id}"
