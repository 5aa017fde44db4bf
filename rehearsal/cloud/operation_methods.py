"""The methods of long-running operations that several APIs have alike: get, list, delete.

What an operation does and how long it takes is `operations`' matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.list_filters import filtered

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


def operation_handlers(cloud: LocalCloud, collection: str, package: str) -> dict[str, Handler]:
    """Handlers of `<collection>.{get,list,delete}`.

    Args:
        cloud: The local cloud.
        collection: Like `run.projects.locations.operations`.
        package: Of the messages in the API's operations; those of other APIs are not found.
    """
    operations = cloud.operations

    async def get(call: Call) -> JsonObject:
        return operations.get(call.params["name"], package)

    async def of_parent(call: Call) -> JsonObject:
        found = filtered(
            operations.below(call.params["name"], package), call.query.get("filter", "")
        )
        return {"operations": found} if found else {}

    async def delete(call: Call) -> JsonObject:
        operations.delete(call.params["name"], package)
        return {}

    return {
        f"{collection}.get": get,
        f"{collection}.list": of_parent,
        f"{collection}.delete": delete,
    }


def operation_requirements(collection: str, permissions: str) -> Mapping[str, Requirement]:
    """What those methods need, on the project.

    Args:
        collection: As above.
        permissions: Without their last part, like `run.operations`.
    """
    return {
        f"{collection}.{verb}": Requirement(f"{permissions}.{verb}", "projects/{project}")
        for verb in ("get", "list", "delete")
    }
