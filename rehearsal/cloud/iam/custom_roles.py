"""Custom roles of the project, and reading predefined ones.

A deleted role stays for a while, permits nothing, and can be undeleted; its id is not free.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import (
    aborted,
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from rehearsal.cloud.field_masks import implied_mask, masked
from rehearsal.cloud.iam.access import CUSTOM_ROLES
from rehearsal.cloud.iam.roles import (
    is_permission,
    known_permissions,
    predefined_permissions,
    predefined_role,
)

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "iam.projects.roles"
_PROJECT: Final = "projects/{project}"
_ROLE_ID: Final = re.compile(r"[a-zA-Z0-9_.]{3,64}")
_PERMISSION: Final = re.compile(r"[a-z][a-zA-Z0-9-]*\.[a-zA-Z0-9]+\.[a-zA-Z]+")
_CHANGEABLE: Final = ("title", "description", "includedPermissions", "stage")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement("iam.roles.create", _PROJECT),
    f"{_METHODS}.list": Requirement("iam.roles.list", _PROJECT),
    f"{_METHODS}.get": Requirement("iam.roles.get", _PROJECT),
    f"{_METHODS}.patch": Requirement("iam.roles.update", _PROJECT),
    f"{_METHODS}.delete": Requirement("iam.roles.delete", _PROJECT),
    f"{_METHODS}.undelete": Requirement("iam.roles.undelete", _PROJECT),
}


class CustomRoles:
    """The custom roles of the project, by full name."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handlers(self) -> dict[str, Handler]:
        """The methods that are modelled."""
        return {
            f"{_METHODS}.create": self._create,
            f"{_METHODS}.list": self._list,
            f"{_METHODS}.get": self._get,
            f"{_METHODS}.patch": self._patch,
            f"{_METHODS}.delete": self._delete,
            f"{_METHODS}.undelete": self._undelete,
            "iam.roles.get": self._get_predefined,
            "iam.permissions.queryTestablePermissions": self._query_testable,
        }

    async def _create(self, call: Call) -> JsonObject:
        role_id = call.body.get("roleId") or ""
        if not _ROLE_ID.fullmatch(role_id):
            raise invalid_argument(f'The role_id "{role_id}" must match [a-zA-Z0-9_.]{{3,64}}.')
        name = f"{call.params['parent']}/roles/{role_id}"
        known = self._store.get(CUSTOM_ROLES, name)
        if known is not None and known.get("deleted"):
            raise failed_precondition(
                f"You can't create a role with role_id ({role_id}) where there is an existing role"
                " with that role_id in a deleted state."
            )
        if known is not None:
            raise already_exists(
                f"A role named {role_id} in {call.params['parent']} already exists."
            )
        given = call.body.get("role") or {}
        body = {field: given[field] for field in _CHANGEABLE if given.get(field)}
        return self._save({"name": name, "stage": "ALPHA", **body})

    async def _list(self, call: Call) -> JsonObject:
        shows_deleted = call.query.get("showDeleted") == "true"
        is_full = call.query.get("view") == "FULL"
        roles = [
            body if is_full else {k: v for k, v in body.items() if k != "includedPermissions"}
            for _, body in self._store.items(CUSTOM_ROLES)
            if shows_deleted or not body.get("deleted")
        ]
        return {"roles": roles} if roles else {}

    async def _get(self, call: Call) -> JsonObject:
        return self._role(call.params["name"])

    async def _patch(self, call: Call) -> JsonObject:
        current = self._role(call.params["name"])
        _check_etag(call.body.get("etag"), current)
        mask = implied_mask(call.body) if call.update_mask is None else call.update_mask
        if call.replaces_all:
            mask = _CHANGEABLE
        unchangeable = sorted(set(mask) - set(_CHANGEABLE))
        if unchangeable:
            raise invalid_argument(f"Invalid field mask: {', '.join(unchangeable)}.")
        return self._save(masked(current, call.body, mask))

    async def _delete(self, call: Call) -> JsonObject:
        current = self._role(call.params["name"])
        _check_etag(call.query.get("etag"), current)
        return self._save(current | {"deleted": True})

    async def _undelete(self, call: Call) -> JsonObject:
        current = self._role(call.params["name"])
        current.pop("deleted", None)
        return self._save(current)

    async def _get_predefined(self, call: Call) -> JsonObject:
        role = predefined_role(call.params["name"])
        if role is None:
            raise not_found(f"The role named {call.params['name']} was not found.")
        permissions = sorted(predefined_permissions(role.name))
        return {
            "name": role.name,
            "title": role.title,
            "stage": role.stage,
            "etag": "AA==",
            **({"includedPermissions": permissions} if permissions else {}),
        }

    async def _query_testable(self, _call: Call) -> JsonObject:
        """What a custom role may be made of, which is the same on every resource here."""
        return {"permissions": [{"name": name, "stage": "GA"} for name in known_permissions()]}

    def _role(self, name: str) -> JsonObject:
        body = self._store.get(CUSTOM_ROLES, name)
        if body is None:
            raise not_found(f"The role named {name} was not found.")
        return body

    def _save(self, body: JsonObject) -> JsonObject:
        for permission in body.get("includedPermissions") or ():
            if not _PERMISSION.fullmatch(permission) or not is_permission(permission):
                raise invalid_argument(f"Permission {permission} is not valid.")
        saved = body | {"etag": base64.b64encode(secrets.token_bytes(8)).decode()}
        self._store.put(CUSTOM_ROLES, body["name"], saved)
        return saved


def _check_etag(etag: str | None, current: JsonObject) -> None:
    if etag and etag != current["etag"]:
        raise aborted(f"There were concurrent changes of the role {current['name']}.")
