"""The OCI distribution API at `/v2/…`: what `docker push` and `docker pull` speak.

An image's name is `<project>/<repository>/<image>`; the repository must exist, and pushing and
pulling need permissions on it. Repositories themselves are
`rehearsal.cloud.artifactregistry.routes`' matter.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web

from rehearsal.cloud.artifactregistry.images import digest_of, is_digest
from rehearsal.cloud.artifactregistry.state import find_repository
from rehearsal.cloud.artifactregistry.uploads import Uploads
from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import Subject
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.listening import whole_body

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

SERVICE: Final = "artifactregistry.googleapis.com"
_PATH: Final = re.compile(
    r"/v2/(?P<name>[a-z0-9][a-z0-9._/-]*?)"
    r"/(?P<kind>blobs/uploads|blobs|manifests|tags)/(?P<rest>[^/]*)"
)
_NAME_PARTS: Final = 3
_ACTIONS: Final[Mapping[str, str]] = {"GET": "download", "HEAD": "download", "DELETE": "delete"}
_CONTENT_RANGE: Final = re.compile(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?")
_VERSION: Final = {"Docker-Distribution-API-Version": "registry/2.0"}
_OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
# The distribution specification's code of an injected error.
_CODES: Final[Mapping[int, str]] = {
    401: "UNAUTHORIZED",
    403: "DENIED",
    404: "NAME_UNKNOWN",
    400: "SIZE_INVALID",
    429: "TOOMANYREQUESTS",
}
_NO_TYPE: Final = "application/octet-stream"


class RegistryError(Exception):
    """An error answer of the registry, in its own shape."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Registry:
    """Answers `/v2/…` for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._images = cloud.images
        self._uploads = cloud.part(_uploads)

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer one request, whatever the outcome, and log it."""
        with self._cloud.log.call(f"registry {request.method}", principal, request.path) as entry:
            try:
                entry.principal = self._principal(request, principal)
                response = await self._with_faults(request, entry)
                entry.answered(response.status)
            except RegistryError as error:
                if error.status == web.HTTPUnauthorized.status_code:
                    entry.decision = "denied"
                entry.answered(error.status, str(error))
                response = _error_response(error)
        response.headers.update(_VERSION)
        return response

    async def _with_faults(self, request: web.BaseRequest, entry: OpenCall) -> web.StreamResponse:
        """Answer, unless a rule has a fault for the call; its method is by HTTP's."""
        method = f"artifactregistry.registry.{request.method.lower()}"
        subject = Subject(method, request.path, entry.principal)
        try:
            async with self._cloud.faults.around(subject, entry.injected):
                return await self._answer(request, entry)
        except ApiError as error:
            code = _CODES.get(error.code, "UNKNOWN")
            raise RegistryError(error.code, code, error.message) from error

    def _principal(self, request: web.BaseRequest, principal: str) -> str:
        """Container clients log in as user `oauth2accesstoken` with a token for password."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, token = base64.b64decode(credentials).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                user = token = ""
            named = self._cloud.tokens.principal_of(token)
            if user != "oauth2accesstoken" or named is None:
                raise RegistryError(401, "UNAUTHORIZED", "Unauthenticated request: bad credentials")
            return named
        if principal == ANONYMOUS:
            raise RegistryError(401, "UNAUTHORIZED", "Unauthenticated request.")
        return principal

    async def _answer(self, request: web.BaseRequest, entry: OpenCall) -> web.StreamResponse:
        if request.path == "/v2/":
            return web.json_response({})
        match = _PATH.fullmatch(request.path)
        if match is None or match["name"].count("/") < _NAME_PARTS - 1:
            raise RegistryError(404, "NAME_INVALID", f"No such route: {request.path}")
        name, rest = match["name"], match["rest"]
        is_upload = match["kind"] == "blobs/uploads"
        action = "upload" if is_upload else _ACTIONS.get(request.method, "upload")
        self._check_permission(name, entry, action)
        if is_upload:
            return await self._upload(request, name, rest)
        if match["kind"] == "manifests":
            return await self._manifest(request, name, rest)
        if request.method not in ("GET", "HEAD"):
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")
        if match["kind"] == "blobs":
            return self._blob(request, rest)
        return web.json_response({"name": name, "tags": self._images.tags(name)})

    def _check_permission(self, name: str, entry: OpenCall, action: str) -> None:
        project, repository_id, _ = name.split("/", 2)
        permission = f"artifactregistry.repositories.{action}Artifacts"
        entry.permission = permission
        if not self._cloud.apis.is_enabled(SERVICE):
            raise RegistryError(403, "DENIED", f"{SERVICE} is not enabled in project {project}.")
        repository = None
        if project in (self._cloud.project_id, self._cloud.project_number):
            repository = find_repository(self._cloud.store, repository_id)
        if repository is None:
            raise RegistryError(404, "NAME_UNKNOWN", f'Repository "{repository_id}" not found')
        is_allowed = self._cloud.iam.allows(entry.principal, permission, repository)
        entry.decision = "allowed" if is_allowed else "denied"
        if not is_allowed:
            raise RegistryError(
                403,
                "DENIED",
                f'Permission "{permission}" denied on resource "{repository}" (or it may not'
                " exist)",
            )

    def _blob(self, request: web.BaseRequest, digest: str) -> web.StreamResponse:
        if not self._images.has_blob(digest):
            raise RegistryError(404, "BLOB_UNKNOWN", f"Blob {digest} is unknown to the registry.")
        path = self._images.blob_path(digest)
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        if request.method == "HEAD":
            return web.Response(headers=headers | {"Content-Length": str(path.stat().st_size)})
        return web.FileResponse(path, headers=headers)

    async def _upload(
        self, request: web.BaseRequest, name: str, upload_id: str
    ) -> web.StreamResponse:
        digest = request.query.get("digest", "")
        if request.method == "POST" and not upload_id:
            return await self._begin(request, name, digest)
        size = self._uploads.size(upload_id)
        if size is None:
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "The upload is unknown.")
        match request.method:
            case "PATCH":
                _check_range(request, size)
                size = await self._uploads.append(upload_id, request.content.iter_any())
                return self._progress(name, upload_id, size)
            case "PUT":
                _check_range(request, size)
                return await self._finish(request, name, upload_id, digest)
            case "DELETE":
                self._uploads.cancel(upload_id)
                return web.Response(status=204)
            case "GET":
                return self._progress(name, upload_id, size, status=204)
        raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")

    async def _begin(self, request: web.BaseRequest, name: str, digest: str) -> web.StreamResponse:
        mounted = request.query.get("mount", "")
        if self._images.has_blob(mounted):
            return _created(name, "blobs", mounted)
        upload_id = self._uploads.begin()
        if digest:
            return await self._finish(request, name, upload_id, digest)
        return self._progress(name, upload_id, 0)

    async def _finish(
        self, request: web.BaseRequest, name: str, upload_id: str, digest: str
    ) -> web.StreamResponse:
        if not is_digest(digest):
            raise RegistryError(400, "DIGEST_INVALID", f"{digest!r} is no sha256 digest.")
        await self._uploads.append(upload_id, request.content.iter_any())
        if not self._uploads.finish(upload_id, digest, self._images.blob_path(digest)):
            raise RegistryError(400, "DIGEST_INVALID", f"The content is not that of {digest}.")
        return _created(name, "blobs", digest)

    def _progress(
        self, name: str, upload_id: str, size: int, *, status: int = 202
    ) -> web.StreamResponse:
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{upload_id}",
            "Docker-Upload-UUID": upload_id,
            "Range": f"0-{max(size - 1, 0)}",
        }
        return web.Response(status=status, headers=headers)

    async def _manifest(
        self, request: web.BaseRequest, name: str, reference: str
    ) -> web.StreamResponse:
        if request.method == "PUT":
            return await self._put_manifest(request, name, reference)
        manifest = self._images.manifest(name, reference)
        if manifest is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", f'Failed to fetch "{reference}"')
        if request.method == "DELETE":
            self._images.delete_manifest(name, manifest.digest)
            return web.Response(status=202)
        headers = {"Docker-Content-Digest": manifest.digest, "Content-Type": manifest.media_type}
        if request.method == "HEAD":
            return web.Response(headers=headers | {"Content-Length": str(len(manifest.content))})
        return web.Response(body=manifest.content, headers=headers)

    async def _put_manifest(
        self, request: web.BaseRequest, name: str, reference: str
    ) -> web.StreamResponse:
        content = await whole_body(request)
        try:
            body = json.loads(content)
            blobs = [body["config"], *body["layers"]] if "layers" in body else []
            missing = [b for b in blobs if not self._images.has_blob(b["digest"])]
            children = body.get("manifests", ())
            missing += [m for m in children if not self._images.manifest(name, m["digest"])]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(400, "MANIFEST_INVALID", f"Invalid manifest: {error!r}") from error
        if missing:
            unknown = missing[0]["digest"]
            raise RegistryError(400, "MANIFEST_BLOB_UNKNOWN", f"{unknown} was not pushed.")
        if is_digest(reference) and reference != digest_of(content):
            raise RegistryError(400, "DIGEST_INVALID", f"The content is not that of {reference}.")
        media_type = request.headers.get("Content-Type", _NO_TYPE)
        if media_type == _NO_TYPE:
            media_type = body.get("mediaType", _OCI_MANIFEST)
        digest = self._images.put_manifest(name, reference, media_type, content)
        return _created(name, "manifests", digest)


def _error_response(error: RegistryError) -> web.StreamResponse:
    body = {"errors": [{"code": error.code, "message": str(error), "detail": None}]}
    response = web.json_response(body, status=error.status)
    if error.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = 'Basic realm="Artifact Registry"'
    return response


def _uploads(cloud: LocalCloud) -> Uploads:
    return Uploads(cloud.data_dir / "uploads")


def _created(name: str, kind: str, digest: str) -> web.StreamResponse:
    headers = {"Location": f"/v2/{name}/{kind}/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers=headers)


def _check_range(request: web.BaseRequest, size: int) -> None:
    match = _CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", f"{size}-{size}"))
    if match is None or int(match[1]) != size:
        raise RegistryError(416, "BLOB_UPLOAD_INVALID", f"The upload continues at byte {size}.")
