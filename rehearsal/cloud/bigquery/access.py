"""A dataset's access list, which is its policy in older words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError

_ROLES: Final[Mapping[str, str]] = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
_OLDER_ROLES: Final = {role: older for older, role in _ROLES.items()}
_SUBJECTS: Final = (
    "userByEmail",
    "groupByEmail",
    "domain",
    "specialGroup",
    "iamMember",
    "view",
    "dataset",
    "routine",
)


def default_access(creator: str) -> list[JsonObject]:
    """What a new dataset has."""
    return [
        {"role": "WRITER", "specialGroup": "projectWriters"},
        {"role": "OWNER", "specialGroup": "projectOwners"},
        {"role": "OWNER", "userByEmail": creator.partition(":")[2]},
        {"role": "READER", "specialGroup": "projectReaders"},
    ]


def normalised(access: Sequence[JsonObject]) -> list[JsonObject]:
    """The list as Google answers it: older names of roles, and no fields that it does not know."""
    entries = []
    for given in access:
        entry = {field: given[field] for field in ("role", *_SUBJECTS) if given.get(field)}
        if "role" in entry:
            entry["role"] = _OLDER_ROLES.get(entry["role"], entry["role"])
        if entry not in entries:
            entries.append(entry)
    return entries


def policy_of(access: Sequence[JsonObject]) -> JsonObject:
    """The policy that the list stands for.

    The special groups of the project are left out: roles on the project cover its datasets.
    """
    bindings = []
    for entry in access:
        member = _member(entry)
        if member and entry.get("role"):
            role = _ROLES.get(entry["role"], entry["role"])
            bindings.append({"role": role, "members": [member]})
    return {"bindings": bindings}


def _member(entry: JsonObject) -> str | None:
    email = entry.get("userByEmail")
    if email:
        kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{email}"
    if entry.get("groupByEmail"):
        return f"group:{entry['groupByEmail']}"
    if entry.get("domain"):
        return f"domain:{entry['domain']}"
    if entry.get("specialGroup") == "allAuthenticatedUsers":
        return "allAuthenticatedUsers"
    member: str | None = entry.get("iamMember")
    return member


def access_denied(table: str) -> ApiError:
    """A job may not use a table, by its full name; whether it is there stays open."""
    _, project, _, dataset, _, name = table.split("/")
    told = f"{project}:{dataset}.{name}"
    return ApiError(
        403,
        "PERMISSION_DENIED",
        f"Access Denied: Table {told}: User does not have permission to query table {told}, or"
        " perhaps it does not exist.",
        reason="accessDenied",
    )
