"""Buckets and objects: metadata in the store, contents as files.

Only an object's live generation is kept. Transport is the matter of `routes` and `media`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument, not_found
from rehearsal.cloud.field_masks import merge_patched
from rehearsal.cloud.storage.bucket_rules import check_bucket, check_change, location_type
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_BUCKETS: Final = "storage.buckets"
_OBJECTS: Final = "storage.objects"
_BUCKET_NAME: Final = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_API: Final = "https://www.googleapis.com/storage/v1"


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
            "selfLink": f"{_API}/b/{name}",
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
        _check_precondition(query, "Metageneration", bucket["metageneration"])
        updated = merge_patched(bucket, changes)
        check_change(bucket, updated)
        updated["location"] = bucket["location"]
        updated["metageneration"] = str(int(bucket["metageneration"]) + 1)
        updated["updated"] = rfc3339(self._cloud.clock())
        return self._saved(updated)

    def delete(self, name: str) -> None:
        """Remove an empty bucket."""
        self.get(name)
        if next(self._store.items(_OBJECTS, f"{name}/"), None) is not None:
            raise ApiError(
                409,
                "FAILED_PRECONDITION",
                "The bucket you tried to delete is not empty.",
                reason="conflict",
            )
        self._store.delete(_BUCKETS, name)
        self._cloud.iam.forget(f"projects/_/buckets/{name}")

    def _saved(self, bucket: JsonObject) -> JsonObject:
        access = bucket.setdefault("iamConfiguration", {})
        access.setdefault("publicAccessPrevention", "inherited")
        uniform = access.setdefault("uniformBucketLevelAccess", {})
        uniform.setdefault("enabled", False)
        # The older name of the same setting.
        access["bucketPolicyOnly"] = dict(uniform)
        bucket["storageClass"] = str(bucket.get("storageClass") or "STANDARD").upper()
        check_bucket(bucket)
        bucket["etag"] = base64.b64encode(f"CAE{bucket['metageneration']}".encode()).decode()
        self._store.put(_BUCKETS, bucket["name"], bucket)
        return bucket


class Objects:
    """All objects, by bucket and name."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._buckets = cloud.part(Buckets)
        self._folder = cloud.data_dir / "objects"
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def put(
        self, bucket: str, name: str, content: bytes, given: JsonObject, query: Mapping[str, str]
    ) -> JsonObject:
        """Write an object's content and metadata, unless a precondition fails."""
        storage_class = self._buckets.get(bucket)["storageClass"]
        if not name:
            raise invalid_argument("Required parameter: name")
        key = f"{bucket}/{name}"
        before = self._store.get(_OBJECTS, key)
        _check_precondition(query, "Generation", before["generation"] if before else "0")
        now = self._cloud.clock()
        # Generations only ever grow, also where two writes share a microsecond.
        generation = max(int(now * 1e6), int(before["generation"]) + 1 if before else 0)
        file = str(uuid.uuid4())
        (self._folder / file).write_bytes(content)
        resource: JsonObject = {
            "contentType": "application/octet-stream",
            "storageClass": storage_class,
            **{field: value for field, value in given.items() if value is not None},
            "kind": "storage#object",
            "id": f"{key}/{generation}",
            "selfLink": f"{_API}/b/{bucket}/o/{quote(name, safe='')}",
            "bucket": bucket,
            "name": name,
            "generation": str(generation),
            "metageneration": "1",
            "size": str(len(content)),
            "md5Hash": base64.b64encode(
                hashlib.md5(content, usedforsecurity=False).digest()
            ).decode(),
            "timeCreated": rfc3339(now),
            "updated": rfc3339(now),
            "etag": base64.b64encode(str(generation).encode()).decode(),
        }
        body = {"resource": resource, "file": file, "generation": str(generation)}
        self._store.put(_OBJECTS, key, body)
        if before:
            (self._folder / before["file"]).unlink(missing_ok=True)
        return resource

    def exists(self, bucket: str, name: str) -> bool:
        """Tell whether there is such an object."""
        return self._store.get(_OBJECTS, f"{bucket}/{name}") is not None

    def get(self, bucket: str, name: str, query: Mapping[str, str]) -> tuple[JsonObject, Path]:
        """Return an object's metadata and where its content is.

        Raises:
            ApiError: 404, 412.
        """
        self._buckets.get(bucket)
        body = self._store.get(_OBJECTS, f"{bucket}/{name}")
        if body is None or query.get("generation", body["generation"]) != body["generation"]:
            raise not_found(f"No such object: {bucket}/{name}")
        _check_precondition(query, "Generation", body["generation"])
        resource: JsonObject = body["resource"]
        return resource, self._folder / body["file"]

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Remove an object, unless a precondition fails."""
        _, path = self.get(bucket, name, query)
        self._store.delete(_OBJECTS, f"{bucket}/{name}")
        path.unlink(missing_ok=True)

    def list(self, bucket: str, prefix: str, delimiter: str) -> tuple[list[JsonObject], list[str]]:
        """The objects whose names begin with the prefix, and the folders among them."""
        self._buckets.get(bucket)
        objects: list[JsonObject] = []
        folders: set[str] = set()
        for key, body in self._store.items(_OBJECTS, f"{bucket}/{prefix}"):
            rest = key.removeprefix(f"{bucket}/{prefix}")
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                objects.append(body["resource"])
        return objects, sorted(folders)


def _check_precondition(query: Mapping[str, str], subject: str, current: str) -> None:
    wanted, unwanted = query.get(f"if{subject}Match"), query.get(f"if{subject}NotMatch")
    if wanted not in (None, current) or (unwanted is not None and unwanted == current):
        raise precondition_failed()


def precondition_failed() -> ApiError:
    """A conditional request met something else than it expected."""
    return ApiError(
        412,
        "FAILED_PRECONDITION",
        "At least one of the pre-conditions you specified did not hold.",
        reason="conditionNotMet",
    )


def with_media_link(resource: JsonObject, base_url: str) -> JsonObject:
    """Return an object with the address of its content, at the port that was asked.

    Clients follow the link as it is, and who they are may depend on the port.
    """
    path = resource["selfLink"].removeprefix(_API)
    link = f"{base_url}/storage/download/storage/v1{path}"
    return resource | {"mediaLink": f"{link}?generation={resource['generation']}&alt=media"}
