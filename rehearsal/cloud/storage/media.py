"""Contents of objects over HTTP: uploads in one request, resumable ones, and downloads."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from aiohttp import web

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import (
    failed_precondition,
    not_found,
)
from rehearsal.cloud.faults.injector import Subject
from rehearsal.cloud.listening import whole_body
from rehearsal.cloud.multipart import read_json, read_multipart
from rehearsal.cloud.storage.access import ObjectAccess
from rehearsal.cloud.storage.contents import PIECE_BYTES, Content
from rehearsal.cloud.storage.downloads import answer_of
from rehearsal.cloud.storage.objects import Objects, with_media_link
from rehearsal.cloud.storage.uploads import Range, Session, Uploads

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_UPLOAD: Final = re.compile(r"(?:/storage)?/upload/storage/v1/b/([^/]+)/o")
# `/storage/v1/…?alt=media` is another way to the same.
_DOWNLOAD: Final = re.compile(r"(?:/storage)?/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)")
_HASH: Final = re.compile(r"(md5|crc32c)=([A-Za-z0-9+/=]+)")
_HASH_FIELDS: Final = {"md5": "md5Hash", "crc32c": "crc32c"}
_RESUME_INCOMPLETE: Final = 308


class Media:
    """Answers uploads and downloads for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._access = cloud.part(ObjectAccess)
        self._objects = cloud.part(Objects)
        self._uploads = cloud.part(Uploads)

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer one request and log it.

        Raises:
            ApiError: whatever it was refused for.
        """
        path = request.raw_path.partition("?")[0]
        with self._cloud.log.call(f"storage media {request.method}", principal, path) as entry:
            self._cloud.apis.require("storage.googleapis.com", "Cloud Storage JSON API")
            upload, download = _UPLOAD.fullmatch(path), _DOWNLOAD.fullmatch(path)
            if upload and "upload_id" in request.query:
                response = await self._resume(request, entry)
            elif upload and request.method == "POST":
                response = await self._upload(request, principal, unquote(upload[1]), entry)
            elif download and request.method in {"GET", "HEAD"}:
                bucket, name = map(unquote, download.groups())
                async with self._call("storage.objects.get", bucket, name, entry):
                    with entry.decided("storage.objects.get"):
                        self._access.require(principal, "storage.objects.get", bucket, name)
                    found = self._objects.find(bucket, name, dict(request.query), is_read=True)
                    response = await answer_of(request, found, self._objects.contents)
            else:
                raise not_found(f"No such method: {request.method} {path}")
            entry.answered(response.status)
        return response

    async def _upload(
        self, request: web.BaseRequest, principal: str, bucket: str, entry: OpenCall
    ) -> web.StreamResponse:
        kind = request.query.get("uploadType", "media")
        given: JsonObject = {"contentType": request.headers.get("Content-Type")}
        content = b""
        if kind == "multipart":
            body = await whole_body(request)
            given, content = read_multipart(request.headers.get("Content-Type", ""), body)
        elif kind == "resumable":
            given = read_json(await whole_body(request))
            given.setdefault("contentType", request.headers.get("X-Upload-Content-Type"))
        elif kind != "media":
            raise failed_precondition(f"not implemented in the local cloud: uploadType={kind}")
        query = dict(request.query)
        if "contentEncoding" in query:
            given["contentEncoding"] = query["contentEncoding"]
        name = query.get("name") or given.get("name") or ""
        given |= _checksums(request)
        async with self._call("storage.objects.insert", bucket, name, entry):
            with entry.decided("storage.objects.create"):
                self._access.require_writable(principal, bucket, name)
            if kind == "resumable":
                size = request.headers.get("X-Upload-Content-Length", "")
                session = self._uploads.begin(
                    bucket,
                    name,
                    principal=principal,
                    given=given,
                    query=query,
                    size=int(size) if size.isdecimal() else None,
                )
                return _begun(request, session)
            self._objects.check_writable(bucket, name, given, query)
            if kind == "multipart":
                stored = self._objects.contents.write([content])
            else:
                stored = await self._streamed(request)
            return _told(request, self._objects.put(bucket, name, stored, given, query))

    async def _streamed(self, request: web.BaseRequest) -> Content:
        """Write a content while it arrives."""
        contents = self._objects.contents
        file = contents.new_file()
        try:
            with contents.path(file).open("wb") as written:
                async for piece in request.content.iter_chunked(PIECE_BYTES):
                    written.write(piece)
        except BaseException:
            contents.remove(file)
            raise
        return contents.sealed(file)

    async def _resume(self, request: web.BaseRequest, entry: OpenCall) -> web.StreamResponse:
        """Go on with a session; its address is the permission, its maker calls."""
        session = self._uploads.get(request.query["upload_id"])
        entry.principal = session.principal
        async with self._call("storage.objects.insert", session.bucket, session.name, entry):
            if request.method == "DELETE":
                self._uploads.cancel(session)
                return web.Response(status=499)
            if request.method not in {"PUT", "POST"}:
                raise not_found(f"No such method: {request.method} of an upload session")
            if session.resource is not None:
                await request.release()
                return _told(request, session.resource)
            with entry.decided("storage.objects.create"):
                self._access.require_writable(session.principal, session.bucket, session.name)
            part = Range.of(request.headers.get("Content-Range"))
            pieces = request.content.iter_chunked(PIECE_BYTES)
            resource = await self._uploads.receive(session, part, pieces)
            if resource is not None:
                return _told(request, resource)
            return _incomplete(request, self._uploads.arrived(session))

    @asynccontextmanager
    async def _call(
        self, method: str, bucket: str, name: str, entry: OpenCall
    ) -> AsyncIterator[None]:
        """Log the block as this method's call, with the fault that a rule has for it."""
        entry.method, entry.resource = method, f"projects/_/buckets/{bucket}/objects/{name}"
        subject = Subject(method, entry.resource, entry.principal)
        async with self._cloud.faults.around(subject, entry.injected):
            yield


def _told(request: web.BaseRequest, resource: JsonObject) -> web.Response:
    return web.json_response(with_media_link(resource, f"http://{request.host}"))


def _begun(request: web.BaseRequest, session: Session) -> web.Response:
    path = request.raw_path.partition("?")[0]
    query = f"uploadType=resumable&name={quote(session.name, safe='')}"
    address = f"http://{request.host}{path}?{query}&upload_id={session.upload_id}"
    headers = {"Location": address, "X-GUploader-UploadID": session.upload_id}
    return web.Response(headers=headers)


def _incomplete(request: web.BaseRequest, kept: int) -> web.Response:
    """Tell how much of an upload is here; Go's client cannot bear 308 and asks not to get it."""
    headers = {"Range": f"bytes=0-{kept - 1}"} if kept else {}
    if request.headers.get("X-GUploader-No-308") == "yes":
        return web.Response(headers=headers | {"X-HTTP-Status-Code-Override": "308"})
    return web.Response(status=_RESUME_INCOMPLETE, headers=headers)


def _checksums(request: web.BaseRequest) -> JsonObject:
    """The checksums that a request's headers give its content."""
    found = {
        _HASH_FIELDS[kind]: value
        for header in request.headers.getall("X-Goog-Hash", [])
        for kind, value in _HASH.findall(header)
    }
    if "Content-MD5" in request.headers:
        found["md5Hash"] = request.headers["Content-MD5"]
    return found
