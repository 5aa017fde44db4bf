"""Methods of the Artifact Registry API: repositories. Images are `registry`'s matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.artifactregistry.state import REPOSITORIES, require_repository
from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import already_exists, invalid_argument
from rehearsal.cloud.field_masks import implied_mask, masked, refuse_changes
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
from rehearsal.cloud.list_filters import filtered
from rehearsal.cloud.operations import EMPTY
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_LOCATIONS: Final = "artifactregistry.projects.locations"
_METHODS: Final = f"{_LOCATIONS}.repositories"
_TYPE: Final = "artifactregistry.repositories"
_PACKAGE: Final = "google.devtools.artifactregistry.v1"
_MESSAGES: Final = f"type.googleapis.com/{_PACKAGE}"
_REPOSITORY_ID: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DEFAULT_MODE: Final = "STANDARD_REPOSITORY"
_IMMUTABLE: Final = ("format", "mode", "kmsKeyName")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_TYPE}.create", "{parent}"),
    f"{_METHODS}.list": Requirement(f"{_TYPE}.list", "{parent}"),
    f"{_METHODS}.get": Requirement(f"{_TYPE}.get", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_TYPE}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_TYPE}.delete", "{name}"),
    f"{_LOCATIONS}.operations.get": Requirement(f"{_TYPE}.list", "projects/{project}"),
    **policy_requirements(_METHODS, _TYPE),
}


class _Repositories:
    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handlers(self) -> dict[str, Handler]:
        return {
            f"{_METHODS}.create": self._create,
            f"{_METHODS}.list": self._list,
            f"{_METHODS}.get": self._get,
            f"{_METHODS}.patch": self._patch,
            f"{_METHODS}.delete": self._delete,
            f"{_LOCATIONS}.operations.get": self._get_operation,
            **policy_handlers(self._cloud, _METHODS, self._require),
        }

    def _require(self, name: str) -> JsonObject:
        return require_repository(self._store, name)

    async def _create(self, call: Call) -> JsonObject:
        parent, repository_id = call.params["parent"], call.query.get("repositoryId", "")
        if not _REPOSITORY_ID.fullmatch(repository_id):
            raise invalid_argument(f'Invalid repository id "{repository_id}".')
        if not call.body.get("format"):
            raise invalid_argument("The repository's format is missing.")
        name = f"{parent}/repositories/{repository_id}"
        if self._store.get(REPOSITORIES, name) is not None:
            raise already_exists("the repository already exists")
        now = rfc3339(self._cloud.clock())
        location = parent.rpartition("/")[2]
        kind = call.body["format"].lower()
        body = call.body | {
            "name": name,
            "mode": call.body.get("mode") or _DEFAULT_MODE,
            "createTime": now,
            "updateTime": now,
            "sizeBytes": "0",
            "registryUri": (f"{location}-{kind}.pkg.dev/{self._cloud.project_id}/{repository_id}"),
        }
        self._store.put(REPOSITORIES, name, body)
        return self._finished(parent, {"@type": f"{_MESSAGES}.Repository", **body})

    async def _list(self, call: Call) -> JsonObject:
        prefix = f"{call.params['parent']}/repositories/"
        found = [body for _, body in self._store.items(REPOSITORIES, prefix)]
        bodies = filtered(found, call.query.get("filter", ""))
        return {"repositories": bodies} if bodies else {}

    async def _get(self, call: Call) -> JsonObject:
        return self._require(call.params["name"])

    async def _patch(self, call: Call) -> JsonObject:
        current = self._require(call.params["name"])
        mask = implied_mask(call.body) if call.update_mask is None else call.update_mask
        updated = masked(current, call.body, mask)
        updated.setdefault("mode", _DEFAULT_MODE)
        refuse_changes(current, updated, _IMMUTABLE)
        updated["updateTime"] = rfc3339(self._cloud.clock())
        self._store.put(REPOSITORIES, updated["name"], updated)
        return updated

    async def _delete(self, call: Call) -> JsonObject:
        name = call.params["name"]
        self._require(name)
        self._store.delete(REPOSITORIES, name)
        self._cloud.iam.forget(name)
        parent, _, repository_id = name.rpartition("/repositories/")
        self._cloud.images.delete_repository(f"{self._cloud.project_id}/{repository_id}")
        return self._finished(parent, EMPTY)

    async def _get_operation(self, call: Call) -> JsonObject:
        return self._cloud.operations.get(call.params["name"], _PACKAGE)

    def _finished(self, parent: str, response: JsonObject) -> JsonObject:
        metadata = {"@type": f"{_MESSAGES}.OperationMetadata"}
        return self._cloud.operations.accepted(parent, response, metadata=metadata)


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return _Repositories(cloud).handlers()
