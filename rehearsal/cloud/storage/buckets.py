"""Buckets: what is kept of them, and what may change. Their objects are `objects`' matter."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument, not_found
from rehearsal.cloud.field_masks import merge_patched
from rehearsal.cloud.storage.bucket_rules import check_bucket, check_change, location_type
from rehearsal.cloud.storage.preconditions import check_metageneration
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_BUCKETS: Final = "storage.buckets"
OBJECTS: Final = "storage.objects"
_BUCKET_NAME: Final = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
# A bucket's own to say; a change of its name or location is refused instead of ignored.
_OWN: Final = (
    "kind",
    "id",
    "selfLink",
    "projectNumber",
    "generation",
    "timeCreated",
    "locationType",
)
# What a full update keeps.
_KEPT: Final = (*_OWN, "name", "location", "rpo", "softDeletePolicy")
API: Final = "https://www.googleapis.com/storage/v1"


class Buckets:
    """All buckets, by name."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def create(self, body: JsonObject) -> JsonObject:
        """Create an empty bucket."""
        name = body.get("name") or ""
        if not _BUCKET_NAME.fullmatch(name):
            raise invalid_argument(f"Invalid bucket name: '{name}'")
        if self._store.get(_BUCKETS, name) is not None:
            raise ApiError(
                409,
                "ALREADY_EXISTS",
                "The requested bucket name is not available. The bucket namespace is shared by all"
                " users of the system. Please select a different name and try again.",
                reason="conflict",
            )
        now = rfc3339(self._cloud.clock())
        location = (body.get("location") or "US").upper()
        bucket: JsonObject = {
            "storageClass": "STANDARD",
            "rpo": "DEFAULT",
            "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": now},
            **body,
            "kind": "storage#bucket",
            "id": name,
            "selfLink": f"{API}/b/{name}",
            "projectNumber": self._cloud.project_number,
            "generation": "1",
            "metageneration": "1",
            "timeCreated": now,
            "updated": now,
            "location": location,
            "locationType": location_type(location),
        }
        return self._saved(bucket)

    def get(self, name: str) -> JsonObject:
        """Return a bucket.

        Raises:
            ApiError: 404.
        """
        bucket = self._store.get(_BUCKETS, name)
        if bucket is None:
            raise not_found("The specified bucket does not exist.")
        return bucket

    def all(self, prefix: str = "") -> list[JsonObject]:
        """All buckets, by name."""
        return [bucket for _, bucket in self._store.items(_BUCKETS, prefix)]

    def patch(self, name: str, changes: JsonObject, query: Mapping[str, str]) -> JsonObject:
        """Merge changes into a bucket; null removes."""
        bucket = self.get(name)
        check_metageneration(query, bucket["metageneration"])
        own = {field: bucket[field] for field in _OWN}
        return self._changed(bucket, merge_patched(bucket, changes) | own)

    def update(self, name: str, body: JsonObject, query: Mapping[str, str]) -> JsonObject:
        """Replace everything that can change in a bucket."""
        bucket = self.get(name)
        check_metageneration(query, bucket["metageneration"])
        kept = {field: bucket[field] for field in _KEPT}
        return self._changed(bucket, merge_patched(body, {}) | kept)

    def delete(self, name: str, query: Mapping[str, str]) -> None:
        """Remove an empty bucket."""
        check_metageneration(query, self.get(name)["metageneration"])
        if next(self._store.items(OBJECTS, f"{name}/"), None) is not None:
            raise ApiError(
                409,
                "FAILED_PRECONDITION",
                "The bucket you tried to delete is not empty.",
                reason="conflict",
            )
        self._store.delete(_BUCKETS, name)
        self._cloud.iam.forget(f"projects/_/buckets/{name}")

    def _changed(self, bucket: JsonObject, updated: JsonObject) -> JsonObject:
        check_change(bucket, updated)
        updated["location"] = bucket["location"]
        updated["metageneration"] = str(int(bucket["metageneration"]) + 1)
        updated["updated"] = rfc3339(self._cloud.clock())
        return self._saved(updated)

    def _saved(self, bucket: JsonObject) -> JsonObject:
        access = bucket.setdefault("iamConfiguration", {})
        access.setdefault("publicAccessPrevention", "inherited")
        uniform = access.setdefault("uniformBucketLevelAccess", {})
        uniform.setdefault("enabled", False)
        # The older name of the same setting.
        access["bucketPolicyOnly"] = dict(uniform)
        bucket["storageClass"] = str(bucket.get("storageClass") or "STANDARD").upper()
        retention = bucket.get("retentionPolicy")
        if retention is not None:
            retention.setdefault("effectiveTime", rfc3339(self._cloud.clock()))
        check_bucket(bucket)
        bucket["etag"] = base64.b64encode(f"CAE{bucket['metageneration']}".encode()).decode()
        self._store.put(_BUCKETS, bucket["name"], bucket)
        return bucket
