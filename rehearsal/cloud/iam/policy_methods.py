"""The three policy methods that every resource with a policy has, for any API.

A service names its collection; reading, setting and testing are the same everywhere but in
Storage, whose shapes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


def policy_handlers(
    cloud: LocalCloud, collection: str, require_exists: Callable[[str], object]
) -> dict[str, Handler]:
    """Handlers of `<collection>.{getIamPolicy,setIamPolicy,testIamPermissions}`.

    Args:
        cloud: The local cloud.
        collection: The method ids without their last part, like `pubsub.projects.topics`.
        require_exists: Raises `ApiError` 404 unless the named resource exists.
    """

    async def get_policy(call: Call) -> JsonObject:
        require_exists(call.params["resource"])
        return cloud.iam.get_policy(call.params["resource"])

    async def set_policy(call: Call) -> JsonObject:
        require_exists(call.params["resource"])
        return cloud.iam.set_policy(call.params["resource"], call.body.get("policy") or {})

    async def test_permissions(call: Call) -> JsonObject:
        resource = call.params["resource"]
        require_exists(resource)
        asked = call.body.get("permissions") or []
        permitted = cloud.iam.permitted(call.principal, asked, resource)
        return {"permissions": permitted} if permitted else {}

    return {
        f"{collection}.getIamPolicy": get_policy,
        f"{collection}.setIamPolicy": set_policy,
        f"{collection}.testIamPermissions": test_permissions,
    }


def policy_requirements(collection: str, resource_type: str) -> Mapping[str, Requirement]:
    """What reading and setting need; testing needs nothing.

    Args:
        collection: As above.
        resource_type: The permissions without their last part, like `pubsub.topics`.
    """
    return {
        f"{collection}.getIamPolicy": Requirement(f"{resource_type}.getIamPolicy", "{resource}"),
        f"{collection}.setIamPolicy": Requirement(f"{resource_type}.setIamPolicy", "{resource}"),
    }
