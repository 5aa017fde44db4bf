"""How dangerous it is that somebody gains a role, and which roles lead to more of them.

The roles that lead to more are those of Google's own list of privilege-escalation paths
(cloud.google.com/iam/docs/best-practices-service-accounts): who may act as an account, make keys
or tokens for it, or change policies and roles, has in the end what they have.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.review.model import Effect, Flag, Risk

PUBLIC_MEMBERS = frozenset({"allUsers", "allAuthenticatedUsers"})
PRIMITIVE_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
ESCALATING_ROLES = frozenset(
    {
        "roles/cloudbuild.builds.editor",
        "roles/cloudfunctions.admin",
        "roles/iam.organizationRoleAdmin",
        "roles/iam.roleAdmin",
        "roles/iam.securityAdmin",
        "roles/iam.serviceAccountAdmin",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
        "roles/iam.workloadIdentityUser",
        "roles/resourcemanager.projectIamAdmin",
        "roles/run.admin",
    }
)
# Permissions by which one's own power can be raised, alone or with another of them.
ESCALATING_PERMISSIONS = frozenset(
    {
        "iam.roles.create",
        "iam.roles.update",
        "iam.serviceAccountKeys.create",
        "iam.serviceAccounts.actAs",
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.implicitDelegation",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccounts.signJwt",
    }
)
SET_POLICY = ".setIamPolicy"
# Words of a role's name that mean more than reading.
WRITING_WORDS = ("admin", "creator", "deployer", "developer", "editor", "owner", "publisher")
SECRET_ROLE = "roles/secretmanager.secretAccessor"  # noqa: S105 - a role


def assess(member: str, role: str, on: str, effect: Effect) -> tuple[Risk, tuple[Flag, ...]]:
    """Rank one change of access, and say what is special about it.

    Args:
        member: who, as Google writes members.
        role: the role's full name.
        on: what it is on, as in `topic orders`.
        effect: whether it is gained or lost.
    """
    flags: list[Flag] = []
    if member in PUBLIC_MEMBERS:
        flags.append("public")
    if role in PRIMITIVE_ROLES:
        flags.append("primitive")
    if role in ESCALATING_ROLES or role.startswith("everything that "):
        flags.append("escalation")
    if effect is Effect.LOSES:
        # Nothing opens; but what worked with it works no longer.
        return (Risk.MEDIUM if on.startswith(("project ", "every")) else Risk.LOW), tuple(flags)
    if "public" in flags or role in PRIMITIVE_ROLES - {"roles/viewer"}:
        return Risk.CRITICAL, tuple(flags)
    on_project = on.startswith("project ")
    if "escalation" in flags:
        return (Risk.CRITICAL if on_project else Risk.HIGH), tuple(flags)
    writes = any(word in role.rpartition(".")[2].lower() for word in WRITING_WORDS)
    if on_project and (writes or "primitive" in flags or not role.startswith("roles/")):
        return Risk.HIGH, tuple(flags)
    if on_project or writes or role == SECRET_ROLE:
        return Risk.MEDIUM, tuple(flags)
    return Risk.LOW, tuple(flags)


def escalates(permission: str) -> bool:
    """Say whether a permission leads to more of them."""
    return permission in ESCALATING_PERMISSIONS or permission.endswith(SET_POLICY)


def assess_permissions(permissions: Iterable[str], effect: Effect) -> tuple[Risk, tuple[Flag, ...]]:
    """Rank the permissions that a custom role gains or loses."""
    escalating = any(map(escalates, permissions))
    flags: tuple[Flag, ...] = ("escalation",) if escalating else ()
    if effect is Effect.LOSES:
        return Risk.LOW, flags
    return (Risk.HIGH if escalating else Risk.MEDIUM), flags
