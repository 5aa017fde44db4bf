"""The three policy methods that every resource with a policy has, for any API.

A service names its collection; reading, setting and testing are the same everywhere but in
Storage, whose shapes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import ApiError, invalid_argument
from rehearsal.cloud.field_masks import masked
from rehearsal.cloud.iam.policy_rules import check_version

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


# "If the resource does not exist, this will return an empty set of permissions, not a NOT_FOUND
# error": so say these APIs of testIamPermissions.
_SILENT_ABOUT_MISSING: Final = ("bigquery.", "pubsub.", "secretmanager.")
# What a mask may name; the etag is compared whether it is named or not.
_MASKABLE: Final = frozenset({"bindings", "auditConfigs", "etag", "version"})
# "If no mask is provided, the following default mask is used: `paths: "bindings, etag"`."
_DEFAULT_MASK: Final = ("bindings", "etag")


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
        check_version(requested_version(call))
        return cloud.iam.get_policy(call.params["resource"])

    async def set_policy(call: Call) -> JsonObject:
        resource = call.params["resource"]
        require_exists(resource)
        return cloud.iam.set_policy(resource, _asked_for(call, cloud.iam.get_policy(resource)))

    async def test_permissions(call: Call) -> JsonObject:
        resource = call.params["resource"]
        try:
            require_exists(resource)
        except ApiError:
            if not collection.startswith(_SILENT_ABOUT_MISSING):
                raise
            return {}
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


def requested_version(call: Call) -> object:
    """Return the version of policies that a caller can read, wherever the API has it told."""
    options = call.body.get("options") or {}
    return (
        options.get("requestedPolicyVersion")
        or call.query.get("options.requestedPolicyVersion")
        or call.query.get("optionsRequestedPolicyVersion")
    )


def _asked_for(call: Call, current: JsonObject) -> JsonObject:
    """Return the policy as it shall be: what the mask leaves out stays as it is."""
    given = call.body.get("policy")
    if given is None:
        raise invalid_argument("Request contains an invalid argument: policy is required.")
    mask = call.update_mask or _DEFAULT_MASK
    unknown = sorted(set(mask) - _MASKABLE)
    if unknown:
        raise invalid_argument(f"Invalid field mask: {', '.join(unknown)}.")
    wanted = masked(current, given, [field for field in mask if field != "etag"])
    return wanted | {"etag": given.get("etag"), "version": given.get("version")}
