"""Who is calling, and what that caller may do and see.

Finding out who calls is the API's job; this module holds the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestration.coordination.refusals import Forbidden, IdentityMismatch

# What the audit log names where the embedded default was told no name at all.
ANONYMOUS = "anonymous"


class Role(StrEnum):
    """What a token's holder may do."""

    AGENT = "agent"
    APPROVER = "approver"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Permission(StrEnum):
    """Something that not everybody may do."""

    READ = "read"
    RECOMMEND = "recommend"
    DECIDE = "decide on approvals"
    EXECUTE = "execute plans"
    SERVE = "register agents and report results"
    DISPATCH = "send tasks"
    AUDIT = "read the audit log"


# Nobody holds both ends of an approval: who recommends does not decide, who decides does not
# execute.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.AGENT: frozenset({Permission.READ, Permission.RECOMMEND, Permission.SERVE}),
    Role.APPROVER: frozenset({Permission.READ, Permission.DECIDE, Permission.AUDIT}),
    Role.OPERATOR: frozenset(
        {
            Permission.READ,
            Permission.RECOMMEND,
            Permission.EXECUTE,
            Permission.SERVE,
            Permission.DISPATCH,
            Permission.AUDIT,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling; without a role it is the embedded default, which trusts this machine."""

    subject: str | None = None
    role: Role | None = None
    customer_id: str | None = None

    @property
    def name(self) -> str:
        """What the audit log calls the caller."""
        return self.subject or ANONYMOUS

    @property
    def is_operator(self) -> bool:
        """Say whether the caller may act on what belongs to others."""
        return self.role in {None, Role.OPERATOR}

    def require(self, permission: Permission) -> None:
        """Make sure that the caller may do this.

        Raises:
            Forbidden: its role does not include it.
        """
        if self.role is not None and permission not in PERMISSIONS[self.role]:
            raise Forbidden(
                f"the role {self.role.value} may not {permission.value}",
                hint=f"use a token of the role {' or '.join(_roles_with(permission))}",
            )

    def sees(self, customer_id: str | None) -> bool:
        """Say whether the caller may know of something that belongs to a customer."""
        return self.customer_id is None or self.customer_id == customer_id

    def require_customer(self, customer_id: str) -> None:
        """Make sure that the caller may act for a customer.

        Raises:
            Forbidden: its token is another customer's.
        """
        if not self.sees(customer_id):
            raise Forbidden(f"this token does not act for customer {customer_id!r}")

    def speaking_as(self, claimed: str) -> str:
        """Confirm the name in a request's body; the embedded default takes it as it is.

        Raises:
            IdentityMismatch: the caller is somebody else.
        """
        if self.subject is not None and self.subject != claimed:
            raise IdentityMismatch(
                f"the request says {claimed!r}, but its token is {self.subject!r}'s"
            )
        return claimed


def _roles_with(permission: Permission) -> list[str]:
    return [role.value for role, permissions in PERMISSIONS.items() if permission in permissions]
