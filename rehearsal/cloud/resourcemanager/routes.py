"""Methods of the Resource Manager API, v1 and v3 (their ids are the same)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import permission_denied
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
from rehearsal.cloud.list_filters import filtered
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_PROJECTS: Final = "cloudresourcemanager.projects"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_PROJECTS}.get": Requirement("resourcemanager.projects.get", "projects/{project}"),
    **policy_requirements(_PROJECTS, "resourcemanager.projects"),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    created_at = rfc3339(cloud.created_at)

    def project(call: Call) -> JsonObject:
        if "/v3/" in call.path:
            return {
                "name": f"projects/{cloud.project_number}",
                "projectId": cloud.project_id,
                "displayName": cloud.project_id,
                "state": "ACTIVE",
                "createTime": created_at,
                "updateTime": created_at,
                "etag": "ACAB",
            }
        return {
            "projectNumber": cloud.project_number,
            "projectId": cloud.project_id,
            "name": cloud.project_id,
            "lifecycleState": "ACTIVE",
            "createTime": created_at,
            "labels": {},
        }

    async def get(call: Call) -> JsonObject:
        return project(call)

    async def found(call: Call) -> JsonObject:
        """Those that the caller may see; of an empty answer nobody learns what there is."""
        if not cloud.iam.allows(call.principal, "resourcemanager.projects.get", cloud.project):
            return {}
        known = project(call)
        query = call.query.get("query") or call.query.get("filter") or ""
        # `id` is a word of the query language only.
        is_found = filtered([known | {"id": cloud.project_id}], query)
        return {"projects": [known]} if is_found else {}

    async def listed(call: Call) -> JsonObject:
        parent = call.query.get("parent", "")
        if "/v3/" in call.path:
            # There is nothing above the project, and Google tells of no such thing either.
            raise permission_denied("resourcemanager.projects.list", parent)
        return await found(call)

    def exists(_resource: str) -> None:
        """The pipeline lets no other project through."""

    return {
        f"{_PROJECTS}.get": get,
        f"{_PROJECTS}.list": listed,
        f"{_PROJECTS}.search": found,
        **policy_handlers(cloud, _PROJECTS, exists),
    }
