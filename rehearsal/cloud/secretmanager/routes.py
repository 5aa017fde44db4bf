"""Methods of the Secret Manager API (global secrets)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.field_masks import masked, refuse_changes
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
from rehearsal.cloud.list_filters import filtered
from rehearsal.cloud.secretmanager.state import Secrets

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "secretmanager.projects.secrets"
_SECRETS: Final = "secretmanager.secrets"
_VERSIONS: Final = "secretmanager.versions"
_SECRET_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_IMMUTABLE: Final = ("replication", "secretType", "tags")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_SECRETS}.create", "{parent}"),
    f"{_METHODS}.list": Requirement(f"{_SECRETS}.list", "{parent}"),
    f"{_METHODS}.get": Requirement(f"{_SECRETS}.get", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_SECRETS}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_SECRETS}.delete", "{name}"),
    f"{_METHODS}.addVersion": Requirement(f"{_VERSIONS}.add", "{parent}"),
    f"{_METHODS}.versions.list": Requirement(f"{_VERSIONS}.list", "{parent}"),
    f"{_METHODS}.versions.get": Requirement(f"{_VERSIONS}.get", "{name}"),
    f"{_METHODS}.versions.access": Requirement(f"{_VERSIONS}.access", "{name}"),
    f"{_METHODS}.versions.enable": Requirement(f"{_VERSIONS}.enable", "{name}"),
    f"{_METHODS}.versions.disable": Requirement(f"{_VERSIONS}.disable", "{name}"),
    f"{_METHODS}.versions.destroy": Requirement(f"{_VERSIONS}.destroy", "{name}"),
    **policy_requirements(_METHODS, _SECRETS),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    secrets = cloud.part(Secrets)

    async def create(call: Call) -> JsonObject:
        secret_id = call.query.get("secretId", "")
        if not _SECRET_ID.fullmatch(secret_id):
            raise invalid_argument(f"The provided Secret ID [{secret_id}] does not match.")
        return secrets.create(f"{call.params['parent']}/secrets/{secret_id}", call.body)

    async def in_project(call: Call) -> JsonObject:
        found = filtered(secrets.all(), call.query.get("filter", ""))
        return {"secrets": found, "totalSize": len(found)} if found else {}

    async def get(call: Call) -> JsonObject:
        return secrets.get(call.params["name"])

    async def patch(call: Call) -> JsonObject:
        name = call.params["name"]
        current = secrets.get(name)
        updated = masked(current, call.body, call.update_mask or ())
        refuse_changes(current, updated, _IMMUTABLE)
        return secrets.replace(name, updated, call.body.get("etag", ""))

    async def delete(call: Call) -> JsonObject:
        secrets.delete(call.params["name"], call.query.get("etag", ""))
        return {}

    return {
        f"{_METHODS}.create": create,
        f"{_METHODS}.list": in_project,
        f"{_METHODS}.get": get,
        f"{_METHODS}.patch": patch,
        f"{_METHODS}.delete": delete,
        **_version_handlers(secrets),
        **policy_handlers(cloud, _METHODS, secrets.get),
    }


def _version_handlers(secrets: Secrets) -> dict[str, Handler]:
    async def add_version(call: Call) -> JsonObject:
        return secrets.add_version(call.params["parent"], call.body.get("payload") or {})

    async def of_secret(call: Call) -> JsonObject:
        found = filtered(secrets.versions(call.params["parent"]), call.query.get("filter", ""))
        return {"versions": found, "totalSize": len(found)} if found else {}

    async def get(call: Call) -> JsonObject:
        return secrets.version(call.params["name"])

    async def access(call: Call) -> JsonObject:
        return secrets.access(call.params["name"])

    def setting(state: str) -> Handler:
        async def set_state(call: Call) -> JsonObject:
            return secrets.set_state(call.params["name"], state, call.body.get("etag", ""))

        return set_state

    return {
        f"{_METHODS}.addVersion": add_version,
        f"{_METHODS}.versions.list": of_secret,
        f"{_METHODS}.versions.get": get,
        f"{_METHODS}.versions.access": access,
        f"{_METHODS}.versions.enable": setting("ENABLED"),
        f"{_METHODS}.versions.disable": setting("DISABLED"),
        f"{_METHODS}.versions.destroy": setting("DESTROYED"),
    }
