"""Methods of the Resource Manager API, v1 and v3 (their ids are the same)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
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

    async def get(call: Call) -> JsonObject:
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

    def exists(_resource: str) -> None:
        """The pipeline lets no other project through."""

    return {f"{_PROJECTS}.get": get, **policy_handlers(cloud, _PROJECTS, exists)}
