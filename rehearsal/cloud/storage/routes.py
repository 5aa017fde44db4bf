"""Methods of the Cloud Storage JSON API. Contents are `media`'s matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.iam.policy_methods import requested_version
from rehearsal.cloud.iam.policy_rules import check_version
from rehearsal.cloud.storage.bucket_rules import check_policy
from rehearsal.cloud.storage.buckets import Buckets
from rehearsal.cloud.storage.copying import Copying
from rehearsal.cloud.storage.listing import listed
from rehearsal.cloud.storage.objects import Objects, with_media_link
from rehearsal.cloud.storage.preconditions import check_metageneration, not_held

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_BUCKET: Final = "projects/_/buckets/{bucket}"
_OBJECT: Final = "projects/_/buckets/{bucket}/objects/{object}"
_SOURCE: Final = "projects/_/buckets/{sourceBucket}/objects/{sourceObject}"
_DESTINATION: Final = "projects/_/buckets/{destinationBucket}/objects/{destinationObject}"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "storage.buckets.insert": Requirement("storage.buckets.create", "projects/{project}"),
    "storage.buckets.list": Requirement("storage.buckets.list", "projects/{project}"),
    "storage.buckets.get": Requirement("storage.buckets.get", _BUCKET),
    "storage.buckets.getStorageLayout": Requirement("storage.objects.list", _BUCKET),
    "storage.buckets.patch": Requirement("storage.buckets.update", _BUCKET),
    "storage.buckets.update": Requirement("storage.buckets.update", _BUCKET),
    "storage.buckets.delete": Requirement("storage.buckets.delete", _BUCKET),
    "storage.buckets.getIamPolicy": Requirement("storage.buckets.getIamPolicy", _BUCKET),
    "storage.buckets.setIamPolicy": Requirement("storage.buckets.setIamPolicy", _BUCKET),
    "storage.anywhereCaches.list": Requirement("storage.anywhereCaches.list", _BUCKET),
    "storage.managedFolders.list": Requirement("storage.managedFolders.list", _BUCKET),
    "storage.objects.list": Requirement("storage.objects.list", _BUCKET),
    "storage.objects.get": Requirement("storage.objects.get", _OBJECT),
    "storage.objects.delete": Requirement("storage.objects.delete", _OBJECT),
    "storage.objects.patch": Requirement("storage.objects.update", _OBJECT),
    "storage.objects.update": Requirement("storage.objects.update", _OBJECT),
    # What is written is checked besides: see `copying`.
    "storage.objects.copy": Requirement("storage.objects.get", _SOURCE),
    "storage.objects.rewrite": Requirement("storage.objects.get", _SOURCE),
    "storage.objects.compose": Requirement("storage.objects.create", _DESTINATION),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return {
        **_bucket_handlers(cloud.part(Buckets)),
        **_policy_handlers(cloud, cloud.part(Buckets)),
        **_object_handlers(cloud.part(Objects)),
        **_copying_handlers(cloud.part(Copying)),
    }


def _bucket_handlers(buckets: Buckets) -> dict[str, Handler]:
    async def insert(call: Call) -> JsonObject:
        return buckets.create(call.body)

    async def in_project(call: Call) -> JsonObject:
        found = buckets.all(call.query.get("prefix", ""))
        return {"kind": "storage#buckets"} | ({"items": found} if found else {})

    async def get(call: Call) -> JsonObject:
        bucket = buckets.get(call.params["bucket"])
        check_metageneration(call.query, bucket["metageneration"], is_read=True)
        return bucket

    async def list_folders(call: Call) -> JsonObject:
        """None, for none can be made; gcloud looks before it deletes a bucket with its objects."""
        buckets.get(call.params["bucket"])
        return {"kind": "storage#managedFolders"}

    async def get_layout(call: Call) -> JsonObject:
        """Where objects are, and that folders are only in their names."""
        bucket = buckets.get(call.params["bucket"])
        return {
            "kind": "storage#storageLayout",
            "bucket": bucket["name"],
            "location": bucket["location"],
            "locationType": bucket["locationType"],
            "hierarchicalNamespace": {"enabled": False},
        }

    async def patch(call: Call) -> JsonObject:
        return buckets.patch(call.params["bucket"], call.body, call.query)

    async def update(call: Call) -> JsonObject:
        return buckets.update(call.params["bucket"], call.body, call.query)

    async def delete(call: Call) -> None:
        buckets.delete(call.params["bucket"], call.query)

    async def list_caches(call: Call) -> JsonObject:
        buckets.get(call.params["bucket"])
        return {"kind": "storage#anywhereCaches"}

    return {
        "storage.buckets.insert": insert,
        "storage.buckets.list": in_project,
        "storage.buckets.get": get,
        "storage.buckets.getStorageLayout": get_layout,
        "storage.buckets.patch": patch,
        "storage.buckets.update": update,
        "storage.buckets.delete": delete,
        "storage.anywhereCaches.list": list_caches,
        "storage.managedFolders.list": list_folders,
    }


def _policy_handlers(cloud: LocalCloud, buckets: Buckets) -> dict[str, Handler]:
    """Bare policies, unlike those of all other APIs."""

    def resource_of(call: Call) -> str:
        return f"projects/_/buckets/{buckets.get(call.params['bucket'])['name']}"

    def answer(resource: str, policy: JsonObject) -> JsonObject:
        return {"kind": "storage#policy", "resourceId": resource, **policy}

    async def get_policy(call: Call) -> JsonObject:
        resource = resource_of(call)
        check_version(requested_version(call))
        return answer(resource, cloud.iam.get_policy(resource))

    async def set_policy(call: Call) -> JsonObject:
        resource = resource_of(call)
        check_policy(buckets.get(call.params["bucket"]), call.body)
        etag = call.body.get("etag")
        if etag and etag != cloud.iam.get_policy(resource)["etag"]:
            # Where other APIs say 409 ABORTED, Storage's own conditional requests answer.
            raise not_held()
        return answer(resource, cloud.iam.set_policy(resource, call.body))

    async def test_permissions(call: Call) -> JsonObject:
        asked = [name for name in call.query.get("permissions", "").split(",") if name]
        permitted = cloud.iam.permitted(call.principal, asked, resource_of(call))
        answer = {"kind": "storage#testIamPermissionsResponse"}
        return answer | ({"permissions": permitted} if permitted else {})

    return {
        "storage.buckets.getIamPolicy": get_policy,
        "storage.buckets.setIamPolicy": set_policy,
        "storage.buckets.testIamPermissions": test_permissions,
    }


def _object_handlers(objects: Objects) -> dict[str, Handler]:
    async def in_bucket(call: Call) -> JsonObject:
        answer = listed(objects, call.params["bucket"], call.query)
        items = [with_media_link(item, call.base_url) for item in answer.get("items", ())]
        return answer | ({"items": items} if items else {})

    async def get(call: Call) -> JsonObject:
        place = call.params["bucket"], call.params["object"]
        found = objects.find(*place, call.query, is_read=True)
        return with_media_link(found.resource, call.base_url)

    async def patch(call: Call) -> JsonObject:
        place = call.params["bucket"], call.params["object"]
        changed = objects.change(*place, call.body, call.query, is_whole=False)
        return with_media_link(changed, call.base_url)

    async def update(call: Call) -> JsonObject:
        place = call.params["bucket"], call.params["object"]
        changed = objects.change(*place, call.body, call.query, is_whole=True)
        return with_media_link(changed, call.base_url)

    async def delete(call: Call) -> None:
        objects.delete(call.params["bucket"], call.params["object"], call.query)

    return {
        "storage.objects.list": in_bucket,
        "storage.objects.get": get,
        "storage.objects.patch": patch,
        "storage.objects.update": update,
        "storage.objects.delete": delete,
    }


def _copying_handlers(copying: Copying) -> dict[str, Handler]:
    async def copy(call: Call) -> JsonObject:
        return copying.copy(call)

    async def rewrite(call: Call) -> JsonObject:
        return copying.rewrite(call)

    async def compose(call: Call) -> JsonObject:
        return copying.compose(call)

    return {
        "storage.objects.copy": copy,
        "storage.objects.rewrite": rewrite,
        "storage.objects.compose": compose,
    }
