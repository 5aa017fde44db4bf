"""Objects made of other objects: copies, rewrites and compositions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, JsonObject
from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.storage.access import ObjectAccess
from rehearsal.cloud.storage.contents import Content
from rehearsal.cloud.storage.objects import Objects, Stored, with_media_link

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_MOST_COMPONENTS: Final = 32
# Naming the destination once more says nothing of its metadata.
_NAMES: Final = frozenset({"bucket", "kind", "name", "id"})
# The copy gets these anew.
_NOT_COPIED: Final = frozenset(
    {"crc32c", "eventBasedHold", "md5Hash", "storageClass", "temporaryHold"}
)


class Copying:
    """Makes objects of objects for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._access = cloud.part(ObjectAccess)
        self._objects = cloud.part(Objects)

    def copy(self, call: Call) -> JsonObject:
        """Copy an object, its content and, unless the request says otherwise, its metadata.

        Raises:
            ApiError: 400, 403, 404 or 412.
        """
        source = self._objects.find(
            call.params["sourceBucket"], call.params["sourceObject"], call.query, prefix="ifSource"
        )
        bucket, name = call.params["destinationBucket"], call.params["destinationObject"]
        self._access.require_writable(call.principal, bucket, name)
        given = {field: value for field, value in call.body.items() if field not in _NAMES}
        if not given:
            given = {
                field: value for field, value in source.resource.items() if field not in _NOT_COPIED
            }
        self._objects.check_writable(bucket, name, given, call.query)
        content = self._copied(source)
        components = source.resource.get("componentCount")
        resource = self._objects.put(
            bucket, name, content, given, call.query, components=components
        )
        return with_media_link(resource, call.base_url)

    def rewrite(self, call: Call) -> JsonObject:
        """Copy an object in one go; the answer's shape allows for several.

        Raises:
            ApiError: as `copy`.
        """
        resource = self.copy(call)
        return {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": resource["size"],
            "objectSize": resource["size"],
            "done": True,
            "resource": resource,
        }

    def compose(self, call: Call) -> JsonObject:
        """Join objects of one bucket.

        Raises:
            ApiError: 400, 403, 404 or 412.
        """
        bucket, name = call.params["destinationBucket"], call.params["destinationObject"]
        wanted = call.body.get("sourceObjects") or []
        if not wanted:
            raise invalid_argument("You must provide at least one source component.")
        if len(wanted) > _MOST_COMPONENTS:
            raise invalid_argument(
                f"The number of source components provided ({len(wanted)}) exceeds the maximum"
                f" ({_MOST_COMPONENTS})"
            )
        sources = [self._component(call.principal, bucket, one) for one in wanted]
        self._access.require_writable(call.principal, bucket, name)
        given = {"contentType": sources[0].resource["contentType"]}
        given |= call.body.get("destination") or {}
        self._objects.check_writable(bucket, name, given, call.query)
        contents = self._objects.contents
        joined = (piece for source in sources for piece in contents.pieces(source.file))
        count = sum(int(source.resource.get("componentCount", 1)) for source in sources)
        resource = self._objects.put(
            bucket, name, contents.write(joined), given, call.query, components=count
        )
        if call.body.get("deleteSourceObjects"):
            for source in sources:
                if source.resource["name"] != name:
                    self._objects.delete(bucket, source.resource["name"], {})
        return with_media_link(resource, call.base_url)

    def _component(self, principal: str, bucket: str, wanted: JsonObject) -> Stored:
        name = str(wanted.get("name") or "")
        self._access.require(principal, "storage.objects.get", bucket, name)
        conditions = wanted.get("objectPreconditions") or {}
        query = {field: str(value) for field, value in conditions.items()}
        if wanted.get("generation"):
            query["generation"] = str(wanted["generation"])
        return self._objects.find(bucket, name, query)

    def _copied(self, source: Stored) -> Content:
        return self._objects.contents.write(self._objects.contents.pieces(source.file))
