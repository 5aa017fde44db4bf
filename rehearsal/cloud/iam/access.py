"""Decisions: may this principal do this on that resource, now?

A grant on a resource covers everything below it: `projects/p` every resource of the project, a
dataset its tables, a secret its versions. Roles come from `rehearsal.cloud.iam.roles` and from the
project's custom roles.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument, permission_denied
from rehearsal.cloud.iam.members import basic_role_of, stands_for
from rehearsal.cloud.iam.policies import Policies
from rehearsal.cloud.iam.policy_rules import check_policy
from rehearsal.cloud.iam.propagation import Delays
from rehearsal.cloud.iam.roles import is_permission, predefined_permissions
from rehearsal.cloud.store import Store

ACCOUNTS: Final = "iam.serviceAccounts"
CUSTOM_ROLES: Final = "iam.roles"
# testIamPermissions takes no more at a time.
_MAX_TESTED: Final = 100


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
            permission in self._permissions(role) and self._includes(member, principal)
            for ancestor in self._with_ancestors(resource)
            for role, member in self._policies.effective_grants(ancestor)
        )

    def may_act_as(self, principal: str, email: str) -> bool:
        """Tell whether the principal may have something run as a service account.

        Google does not tell a missing account from one out of reach, so neither does this.
        """
        account = f"projects/{self._project_id}/serviceAccounts/{email}"
        is_missing = self.is_ours(email) and self.account(email) is None
        return not is_missing and self.allows(principal, "iam.serviceAccounts.actAs", account)

    def require_act_as(self, principal: str, email: str) -> None:
        """Refuse unless the principal may have something run as a service account.

        Raises:
            ApiError: 403.
        """
        if not self.may_act_as(principal, email):
            account = f"projects/{self._project_id}/serviceAccounts/{email}"
            raise permission_denied("iam.serviceAccounts.actAs", account)

    def permitted(self, principal: str, permissions: Collection[str], resource: str) -> list[str]:
        """Those of the permissions that the principal has on the resource now.

        Raises:
            ApiError: 400; too many, or one that does not exist, as a wildcard never does.
        """
        if len(permissions) > _MAX_TESTED:
            raise invalid_argument(f"At most {_MAX_TESTED} permissions can be tested at a time.")
        for name in permissions:
            if "*" in name or not is_permission(name):
                raise invalid_argument(f"Permission {name} is not valid for this resource.")
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
        check_policy(
            policy,
            resource=resource,
            project_id=self._project_id,
            role_exists=lambda role: self._store.get(CUSTOM_ROLES, role) is not None,
            account_exists=self.knows_account,
        )
        return self._policies.set(resource, policy, immediately=immediately)

    def forget(self, resource: str) -> None:
        """Drop the policies of a deleted resource and of everything below it."""
        self._policies.forget(resource)

    def mark_deleted(self, member: str, unique_id: str) -> None:
        """End the grants of a deleted account; a new one of its name inherits nothing."""
        self._policies.mark_deleted(member, unique_id)

    def account(self, email_or_unique_id: str) -> JsonObject | None:
        """Return a service account of the project, found already or not; None without one."""
        if email_or_unique_id.isdecimal():
            accounts = (body for _, body in self._store.items(ACCOUNTS))
            return next((b for b in accounts if b["uniqueId"] == email_or_unique_id), None)
        name = f"projects/{self._project_id}/serviceAccounts/{email_or_unique_id}"
        return self._store.get(ACCOUNTS, name)

    def is_ours(self, email: str) -> bool:
        """Tell whether an email is that of a service account of the project, there or not."""
        return email.endswith(f"@{self._project_id}.iam.gserviceaccount.com")

    def expect_account(self, email: str) -> None:
        """Take note of a new service account, which may not be found at once."""
        found_at = self._clock() + self._delays.until_account_is_found(email)
        self._accounts_found_at[email] = found_at

    def knows_account(self, email: str) -> bool:
        """Tell whether a service account of the project is found by now."""
        if self.account(email) is None:
            return False
        return self._clock() >= self._accounts_found_at.get(email, 0.0)

    def _includes(self, member: str, principal: str) -> bool:
        """Tell whether a member stands for the principal now."""
        basic_role = basic_role_of(member, self._project_id)
        if basic_role is None:
            return stands_for(member, principal)
        return any(
            role == basic_role and stands_for(one, principal)
            for role, one in self._policies.effective_grants(f"projects/{self._project_id}")
        )

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
