"""HTTP in front of the APIs: identity, JSON, local routes, and the fence.

One front serves the main port; Cloud Run opens one more for each service, on which a call without
a token has that service's identity.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web

from rehearsal.cloud.artifactregistry.registry import Registry
from rehearsal.cloud.bigquery.job_uploads import JobUploads
from rehearsal.cloud.errors import ApiError, unauthenticated
from rehearsal.cloud.faults.injector import ConnectionDroppedError
from rehearsal.cloud.fence import refusal_of
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.json_bodies import parsed_body
from rehearsal.cloud.listening import whole_body
from rehearsal.cloud.local_routes import LocalRoutes
from rehearsal.cloud.pipeline import Request
from rehearsal.cloud.storage.batch import Batches
from rehearsal.cloud.storage.media import Media

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

# Answers a request that is no plain JSON call, for a principal.
RawHandler: TypeAlias = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]

_BARE_STORAGE: Final = ("/storage/v1/", "/upload/storage/", "/download/storage/", "/batch/storage/")

# How Google's clients send what some networks let through as POST only.
_METHOD_OVERRIDE: Final = "X-HTTP-Method-Override"
_FORM: Final = "application/x-www-form-urlencoded"
_LOG = logging.getLogger(__name__)


class Front:
    """Answers HTTP requests for one local cloud."""

    def __init__(self, cloud: LocalCloud, *, default_principal: str = ANONYMOUS) -> None:
        """Serve a cloud; a request without a token comes from `default_principal`."""
        self._cloud = cloud
        self._default_principal = default_principal
        local, media = LocalRoutes(cloud).answer, Media(cloud).answer
        self._raw: Mapping[str, RawHandler] = {
            "/v2/": Registry(cloud).answer,
            "/_local/": local,
            "/oauth2/": local,
            "/.well-known/": local,
            "/storage/upload/": media,
            "/storage/download/": media,
            "/storage/batch/": Batches(cloud).answer,
            "/bigquery/upload/": JobUploads(cloud).answer,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        raw_path = _with_service(request.raw_path.partition("?")[0])
        fence = refusal_of(request)
        if fence is not None:
            fenced = ApiError(403, "PERMISSION_DENIED", fence)
            self._cloud.log.refused(f"{request.method} {raw_path}", raw_path, fenced)
            return web.Response(status=403, text=f"{fence}\n")
        try:
            return await self._answer(request, raw_path)
        except ApiError as error:
            return _refused(raw_path, error)
        except ConnectionDroppedError:
            return _dropped(request)
        except Exception as error:  # noqa: BLE001 - the last resort: answered and logged
            _LOG.exception("Answering %s %s failed", request.method, request.raw_path)
            message = f"Internal error of the local cloud: {error!r}"
            return _refused(raw_path, ApiError(500, "INTERNAL", message))

    async def _answer(self, request: web.BaseRequest, raw_path: str) -> web.StreamResponse:
        raw = self._raw_handler(raw_path, request.query)
        query = {name: ",".join(request.query.getall(name)) for name in request.query}
        body = None
        try:
            principal = self._principal(request)
            if raw is None:
                content = await whole_body(request)
                if _is_long_query(request):
                    query |= dict(parse_qsl(content.decode(errors="replace")))
                    content = b""
                body = parsed_body(content)
        except ApiError as error:
            self._cloud.log.refused(f"{request.method} {raw_path}", raw_path, error)
            raise
        if raw is not None:
            return await raw(request, principal)
        call = Request(
            http_method=request.headers.get(_METHOD_OVERRIDE, request.method).upper(),
            raw_path=raw_path,
            query=query,
            body=body,
            principal=principal,
            base_url=f"http://{request.host}",
            headers=request.headers,
        )
        answer = await self._cloud.pipeline.answer(call)
        # An empty 200 breaks the provider: no body, no 200.
        return web.Response(status=204) if answer is None else web.json_response(answer)

    def _raw_handler(self, raw_path: str, query: Mapping[str, str]) -> RawHandler | None:
        if raw_path.startswith("/storage/storage/") and query.get("alt") == "media":
            raw_path = "/storage/download/"
        return next(
            (self._raw[prefix] for prefix in self._raw if raw_path.startswith(prefix)), None
        )

    def _principal(self, request: web.BaseRequest) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            # Basic is how container clients log in; the registry reads it itself.
            principal = self._default_principal
            is_known = self._cloud.tokens.is_active(principal)
        else:
            named = self._cloud.tokens.principal_of(token.strip())
            principal, is_known = named or ANONYMOUS, named is not None
        if not is_known:
            raise unauthenticated(
                "Request had invalid authentication credentials. Expected OAuth 2 access token,"
                " login cookie or other valid authentication credential."
            )
        return principal


def _with_service(raw_path: str) -> str:
    """The path with our prefix of its service; Go's storage client drops it from its endpoint."""
    return f"/storage{raw_path}" if raw_path.startswith(_BARE_STORAGE) else raw_path


def _is_long_query(request: web.BaseRequest) -> bool:
    """Tell whether the body is the query of a GET that was too long for an address."""
    return _METHOD_OVERRIDE in request.headers and request.content_type == _FORM


def _refused(raw_path: str, error: ApiError) -> web.StreamResponse:
    return web.json_response(error.to_json(raw_path.split("/")[1]), status=error.code)


def _dropped(request: web.BaseRequest) -> web.StreamResponse:
    """Break the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    # What is returned reaches nobody.
    return web.Response()
