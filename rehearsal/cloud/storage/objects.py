"""Objects: their metadata by bucket, name and generation, and what may happen to each.

Contents are `contents`' matter, how a request carries them `media`'s and `uploads`'.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, failed_precondition, invalid_argument, not_found
from rehearsal.cloud.field_masks import merge_patched
from rehearsal.cloud.storage.buckets import API, OBJECTS, Buckets
from rehearsal.cloud.storage.contents import Content, Contents
from rehearsal.cloud.storage.preconditions import check_generation
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_MOST_NAME_BYTES: Final = 1024
# What a caller may say of an object.
_SETTABLE: Final = frozenset(
    {
        "cacheControl",
        "contentDisposition",
        "contentEncoding",
        "contentLanguage",
        "contentType",
        "customTime",
        "eventBasedHold",
        "metadata",
        "storageClass",
        "temporaryHold",
    }
)
# What cannot be had here: better refused than kept without effect.
_NOT_MODELLED: Final = ("retention", "acl")


@dataclass(frozen=True, slots=True)
class Stored:
    """One generation of an object: its metadata, and the file that is its content."""

    resource: JsonObject
    file: str


class Objects:
    """All objects of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._clock = cloud.clock
        self._store = cloud.store
        self._buckets = cloud.part(Buckets)
        self.contents = Contents(cloud.data_dir / "objects")

    def files(self) -> set[str]:
        """The files of all contents that some object has."""
        return {body["file"] for _, body in self._store.items(OBJECTS)}

    def live(self, bucket: str, name: str) -> Stored | None:
        """Return an object's live generation, or None.

        Raises:
            ApiError: 404; there is no such bucket.
        """
        self._buckets.get(bucket)
        return self._stored(f"{bucket}/{name}")

    def find(
        self,
        bucket: str,
        name: str,
        query: Mapping[str, str],
        *,
        prefix: str = "if",
        is_read: bool = False,
    ) -> Stored:
        """Return the generation of an object that a request asks for.

        Raises:
            ApiError: 404, or 304 and 412 where a condition does not hold.
        """
        generation = query.get("generation" if prefix == "if" else "sourceGeneration")
        found = self.live(bucket, name)
        if generation and (found is None or found.resource["generation"] != generation):
            found = self._stored(_old(bucket, name, generation))
        if found is None:
            raise not_found(f"No such object: {bucket}/{name}")
        check_generation(query, found.resource, prefix=prefix, is_read=is_read)
        return found

    def versions(self, bucket: str, prefix: str, *, is_all: bool) -> Iterator[JsonObject]:
        """Yield a bucket's objects by name: the live generation of each, or all, oldest first."""
        self._buckets.get(bucket)
        found = [
            (body["resource"], "\n" in key)
            for key, body in self._store.items(OBJECTS, f"{bucket}/{prefix}")
        ]
        if is_all:
            found.sort(key=lambda one: (one[0]["name"], int(one[0]["generation"])))
        yield from (resource for resource, is_old in found if is_all or not is_old)

    def check_writable(
        self, bucket: str, name: str, given: JsonObject, query: Mapping[str, str]
    ) -> None:
        """Refuse an object that cannot be written, whatever its content is.

        Raises:
            ApiError: 400, 403, 404 or 412.
        """
        before = self.live(bucket, name)
        is_named = 0 < len(name.encode()) <= _MOST_NAME_BYTES and name not in {".", ".."}
        if not is_named or "\n" in name or "\r" in name:
            problem = "Required parameter: name" if not name else f"Invalid object name: {name!r}"
            raise invalid_argument(problem)
        _check_settable(given)
        if query.get("predefinedAcl"):
            raise failed_precondition("not implemented in the local cloud: predefinedAcl")
        check_generation(query, before.resource if before else None)
        if before is not None:
            self._check_replaceable(before.resource, is_kept=self._is_versioned(bucket))

    def put(
        self,
        bucket: str,
        name: str,
        content: Content,
        given: JsonObject,
        query: Mapping[str, str],
        *,
        components: int | None = None,
    ) -> JsonObject:
        """Make a content the live generation of an object.

        `components` says of how many parts a composite object is made; None for any other.

        Raises:
            ApiError: 400, 403, 404 or 412; the content is gone then.
        """
        try:
            content.check(given)
            self.check_writable(bucket, name, given, query)
        except ApiError:
            self.contents.remove(content.file)
            raise
        before = self.live(bucket, name)
        resource = self._resource(bucket, name, content, given, before)
        if components is not None:
            resource["componentCount"] = components
            del resource["md5Hash"]
        self._replace(bucket, name, before, {"resource": resource, "file": content.file})
        return resource

    def change(
        self,
        bucket: str,
        name: str,
        changes: JsonObject,
        query: Mapping[str, str],
        *,
        is_whole: bool,
    ) -> JsonObject:
        """Change an object's metadata: the fields given, or (`is_whole`) everything.

        Raises:
            ApiError: 400, 404 or 412.
        """
        found = self.find(bucket, name, query)
        _check_settable(changes)
        settable = {field: value for field, value in changes.items() if field in _SETTABLE}
        kept = dict(found.resource)
        if is_whole:
            kept = {field: kept[field] for field in kept if field not in _SETTABLE}
            kept["storageClass"] = found.resource["storageClass"]
        updated = merge_patched(kept, settable)
        if not updated.get("metadata"):
            updated.pop("metadata", None)
        updated["metageneration"] = str(int(updated["metageneration"]) + 1)
        updated["updated"] = rfc3339(self._clock())
        updated["etag"] = _etag(updated)
        is_live = "timeDeleted" not in updated
        key = f"{bucket}/{name}" if is_live else _old(bucket, name, updated["generation"])
        self._store.put(OBJECTS, key, {"resource": updated, "file": found.file})
        return updated

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Remove the generation asked for; the live one stays as an old one where those are kept.

        Raises:
            ApiError: 403, 404 or 412.
        """
        found = self.find(bucket, name, query)
        is_live = "timeDeleted" not in found.resource
        is_kept = is_live and "generation" not in query and self._is_versioned(bucket)
        self._check_replaceable(found.resource, is_kept=is_kept)
        if is_kept:
            self._store.put_many(OBJECTS, [self._archived(found)])
            self._store.delete(OBJECTS, f"{bucket}/{name}")
            return
        generation = found.resource["generation"]
        self._store.delete(
            OBJECTS, f"{bucket}/{name}" if is_live else _old(bucket, name, generation)
        )
        self.contents.remove(found.file)

    def _stored(self, key: str) -> Stored | None:
        body = self._store.get(OBJECTS, key)
        return None if body is None else Stored(body["resource"], body["file"])

    def _is_versioned(self, bucket: str) -> bool:
        versioning = self._buckets.get(bucket).get("versioning") or {}
        return bool(versioning.get("enabled"))

    def _check_replaceable(self, resource: JsonObject, *, is_kept: bool) -> None:
        """Refuse to lose an object that is held, or (unless it is kept) that its bucket retains.

        Raises:
            ApiError: 403.
        """
        named = f"Object '{resource['bucket']}/{resource['name']}'"
        for field, word in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
            if resource.get(field):
                raise ApiError(
                    403,
                    "PERMISSION_DENIED",
                    f"{named} is under active {word} hold and cannot be deleted, overwritten or"
                    " archived until hold is removed.",
                )
        until = resource.get("retentionExpirationTime")
        if until and not is_kept and datetime.fromisoformat(until).timestamp() > self._clock():
            raise ApiError(
                403,
                "PERMISSION_DENIED",
                f"{named} is subject to bucket's retention policy or object retention and cannot be"
                f" deleted or overwritten until {until}",
                reason="retentionPolicyNotMet",
            )

    def _replace(self, bucket: str, name: str, before: Stored | None, body: JsonObject) -> None:
        bodies = [(f"{bucket}/{name}", body)]
        if before is not None and self._is_versioned(bucket):
            self._store.put_many(OBJECTS, [*bodies, self._archived(before)])
            return
        self._store.put_many(OBJECTS, bodies)
        if before is not None:
            self.contents.remove(before.file)

    def _archived(self, live: Stored) -> tuple[str, JsonObject]:
        """The entry of a live generation once it is an old one."""
        resource = live.resource | {"timeDeleted": rfc3339(self._clock())}
        key = _old(resource["bucket"], resource["name"], resource["generation"])
        return key, {"resource": resource, "file": live.file}

    def _resource(
        self, bucket: str, name: str, content: Content, given: JsonObject, before: Stored | None
    ) -> JsonObject:
        home = self._buckets.get(bucket)
        now = self._clock()
        # Generations only ever grow, also where two writes share a microsecond.
        least = int(before.resource["generation"]) + 1 if before else 0
        generation = str(max(int(now * 1e6), least))
        link = f"{API}/b/{bucket}/o/{quote(name, safe='')}"
        settable = {field: value for field, value in given.items() if field in _SETTABLE and value}
        resource: JsonObject = {
            "contentType": "application/octet-stream",
            "storageClass": home["storageClass"],
            **settable,
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "selfLink": link,
            "bucket": bucket,
            "name": name,
            "generation": generation,
            "metageneration": "1",
            "size": str(content.size),
            "md5Hash": content.md5,
            "crc32c": content.crc32c,
            "timeCreated": rfc3339(now),
            "updated": rfc3339(now),
            "timeStorageClassUpdated": rfc3339(now),
            "timeFinalized": rfc3339(now),
        }
        if home.get("defaultEventBasedHold"):
            resource.setdefault("eventBasedHold", True)
        kept_s = int((home.get("retentionPolicy") or {}).get("retentionPeriod") or 0)
        if kept_s:
            resource["retentionExpirationTime"] = rfc3339(now + kept_s)
        resource["etag"] = _etag(resource)
        return resource


def _old(bucket: str, name: str, generation: str) -> str:
    """The key of a generation that is not live; no object's name has a line break."""
    return f"{bucket}/{name}\n{generation}"


def with_media_link(resource: JsonObject, base_url: str) -> JsonObject:
    """Return an object with the address of its content, at the port that was asked.

    Clients follow the link as it is, and who they are may depend on the port.
    """
    path = resource["selfLink"].removeprefix(API)
    link = f"{base_url}/storage/download/storage/v1{path}"
    return resource | {"mediaLink": f"{link}?generation={resource['generation']}&alt=media"}


def _etag(resource: JsonObject) -> str:
    tag = f"{resource['generation']}/{resource['metageneration']}"
    return base64.b64encode(tag.encode()).decode()


def _check_settable(given: JsonObject) -> None:
    for field in _NOT_MODELLED:
        if given.get(field):
            raise failed_precondition(f"not implemented in the local cloud: an object's {field}")
    metadata = given.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise invalid_argument("Invalid value for: metadata")
