"""Contents of objects: uploads in one request, and downloads.

Resumable uploads are not modelled; clients use them from a few megabytes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import web

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument, not_found, unauthenticated
from rehearsal.cloud.faults.injector import Subject
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.storage.state import Objects, with_media_link

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_UPLOAD: Final = re.compile(r"/storage/upload/storage/v1/b/([^/]+)/o")
# `/storage/storage/v1/…?alt=media` is another way to the same.
_DOWNLOAD: Final = re.compile(r"/storage/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)")
_BOUNDARY: Final = re.compile(r"boundary=[\"']?([^\"';]+)")
_PART_TYPE: Final = re.compile(rb"(?i)content-type: *([^\r\n]+)")
_PARTS: Final = 2


class Media:
    """Answers uploads and downloads for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._objects = cloud.part(Objects)

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer one request and log it.

        Raises:
            ApiError: whatever it was refused for.
        """
        path = request.raw_path.partition("?")[0]
        with self._cloud.log.call(f"storage media {request.method}", principal, path) as entry:
            self._cloud.apis.require("storage.googleapis.com", "Cloud Storage JSON API")
            upload, download = _UPLOAD.fullmatch(path), _DOWNLOAD.fullmatch(path)
            if upload and request.method == "POST":
                response = await self._upload(request, principal, unquote(upload[1]), entry)
            elif download and request.method == "GET":
                bucket, name = map(unquote, download.groups())
                async with self._call("storage.objects.get", bucket, name, entry):
                    response = self._download(request, principal, bucket, name)
            else:
                raise not_found(f"No such method: {request.method} {path}")
            entry.decision = "allowed"
            entry.answered(response.status)
        return response

    async def _upload(
        self, request: web.BaseRequest, principal: str, bucket: str, entry: OpenCall
    ) -> web.StreamResponse:
        kind = request.query.get("uploadType", "media")
        content = await request.read()
        given: JsonObject = {"contentType": request.headers.get("Content-Type")}
        if kind == "multipart":
            given, content = _multipart(request.headers.get("Content-Type", ""), content)
        elif kind != "media":
            raise failed_precondition(f"not implemented in the local cloud: uploadType={kind}")
        name = request.query.get("name") or given.get("name") or ""
        async with self._call("storage.objects.insert", bucket, name, entry):
            self._require(principal, "storage.objects.create", bucket, name)
            if self._objects.exists(bucket, name):
                # Overwriting deletes what was there.
                self._require(principal, "storage.objects.delete", bucket, name)
            resource = self._objects.put(bucket, name, content, given, dict(request.query))
            return web.json_response(with_media_link(resource, f"http://{request.host}"))

    @asynccontextmanager
    async def _call(
        self, method: str, bucket: str, name: str, entry: OpenCall
    ) -> AsyncIterator[None]:
        """Log the block as this method's call, with the fault that a rule has for it."""
        entry.method, entry.resource = method, f"projects/_/buckets/{bucket}/objects/{name}"
        subject = Subject(method, entry.resource, entry.principal)
        async with self._cloud.faults.around(subject, entry.injected):
            yield

    def _download(
        self, request: web.BaseRequest, principal: str, bucket: str, name: str
    ) -> web.StreamResponse:
        self._require(principal, "storage.objects.get", bucket, name)
        resource, path = self._objects.get(bucket, name, dict(request.query))
        headers = {
            "Content-Type": resource["contentType"],
            "X-Goog-Generation": resource["generation"],
            "X-Goog-Metageneration": resource["metageneration"],
            "X-Goog-Hash": f"md5={resource['md5Hash']}",
            "X-Goog-Stored-Content-Length": resource["size"],
        }
        return web.FileResponse(path, headers=headers)

    def _require(self, principal: str, permission: str, bucket: str, name: str) -> None:
        resource = f"projects/_/buckets/{bucket}/objects/{name}"
        if principal == ANONYMOUS and not self._cloud.iam.allows(principal, permission, resource):
            raise unauthenticated()
        self._cloud.iam.require(principal, permission, resource)


def _multipart(content_type: str, content: bytes) -> tuple[JsonObject, bytes]:
    """The metadata and the content of a `multipart/related` upload."""
    boundary = _BOUNDARY.search(content_type)
    # The delimiter includes the line break before it: the content keeps its own.
    delimiter = b"\r\n--" + (boundary[1].encode() if boundary else b"")
    parts = (b"\r\n" + content.lstrip()).split(delimiter)[1:-1]
    if boundary is None or len(parts) != _PARTS:
        raise invalid_argument("A multipart upload has two parts: metadata and content.")
    (_, metadata), (headers, body) = (part.split(b"\r\n\r\n", 1) for part in parts)
    try:
        given: JsonObject = json.loads(metadata)
    except ValueError as error:
        raise invalid_argument(f"The metadata part is no JSON: {error}") from error
    kind = _PART_TYPE.search(headers)
    return ({"contentType": kind[1].decode()} if kind else {}) | given, body
