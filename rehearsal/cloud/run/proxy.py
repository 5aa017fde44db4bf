"""The front of one service: its URL, the invoker check, and the way to the revision that serves."""

import asyncio
import html
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp import StreamReader, web
from multidict import CIMultiDict, CIMultiDictProxy

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.listening import Listener
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.fleet import Fleet, NoInstanceError
from rehearsal.cloud.run.instance import Instance
from rehearsal.cloud.run.invocation import is_public, refused_with, without_signature

# Cloud Run's limit of requests, and of answers that tell their length.
_MOST_BYTES = 32 * 1024 * 1024
_LARGE_ANSWER = "Response size was too large. Please consider reducing response size."
_LATE = (
    "The request has been terminated because it has reached the maximum request timeout. To change "
    "this limit, see https://cloud.google.com/run/docs/configuring/request-timeout"
)
_BROKEN = (
    "The request failed because either the HTTP response was malformed or connection to the "
    "instance had an error."
)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Routing:
    """What the proxy needs to know of its service, as it stands now."""

    fleet: Fleet | None
    audiences: tuple[str, ...]
    is_open: bool
    is_reachable: bool


class ServiceProxy:
    """Serves one service's URL."""

    def __init__(self, cloud: LocalCloud, service: str, routing: Callable[[], Routing]) -> None:
        self._cloud = cloud
        self._service = service
        self._routing = routing
        self._listener = Listener(self._handle)
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Open the service's port (0: choose one).

        Raises:
            PortTaken: another process has it.
        """
        self.port = await self._listener.open(port)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def stop(self) -> None:
        """Close the port."""
        await self._listener.close()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        with self._cloud.log.call("run.routes.invoke", ANONYMOUS, self._service) as call:
            answer = await self._answer(request, call)
            call.answered(answer.status, f"{request.method} {request.path}")
            return answer

    async def _answer(self, request: web.BaseRequest, call: OpenCall) -> web.StreamResponse:
        routing = self._routing()
        refusal = self._refusal(request, routing, call)
        if refusal is not None:
            return refusal
        fleet = routing.fleet
        if fleet is None:
            return _unavailable()
        headers = _forwarded_headers(request)
        if not self._is_public(routing):
            without_signature(headers)
        try:
            async with fleet.slot() as instance:
                return await self._forward(request, headers, fleet, instance)
        except NoInstanceError as error:
            return web.Response(status=error.code, text=f"{error.message}\n")

    def _is_public(self, routing: Routing) -> bool:
        return routing.is_open or is_public(self._cloud, self._service)

    def _refusal(
        self, request: web.BaseRequest, routing: Routing, call: OpenCall
    ) -> web.Response | None:
        """Return what a request is answered that reaches no instance, or None."""
        if not routing.is_reachable:
            return _page(404, "Page not found", "The requested URL was not found on this server.")
        call.decision = "allowed"
        if not self._is_public(routing):
            status = refused_with(self._cloud, call, routing.audiences, request.headers)
            if status is not None:
                return _refused(status, request.path)
        if (request.content_length or 0) > _MOST_BYTES:
            return _too_large()
        if request.headers.get("Upgrade"):
            text = "Upgrading a connection (WebSockets, h2c) is not modelled in the local cloud.\n"
            return web.Response(status=501, text=text)
        return None

    async def _forward(
        self,
        request: web.BaseRequest,
        headers: CIMultiDict[str],
        fleet: Fleet,
        instance: Instance,
    ) -> web.StreamResponse:
        assert self._session is not None
        answer: web.StreamResponse | None = None
        body = _Body(request)
        try:
            async with (
                asyncio.timeout(fleet.timeout_s),
                self._session.request(
                    request.method,
                    f"http://127.0.0.1:{instance.port}{request.raw_path}",
                    headers=headers,
                    data=body.content,
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                ) as upstream,
            ):
                if (upstream.content_length or 0) > _MOST_BYTES:
                    fleet.say(_LARGE_ANSWER, instance.id)
                    return web.Response(status=500, text=f"{_LARGE_ANSWER}\n")
                answer = web.StreamResponse(status=upstream.status, reason=upstream.reason)
                answer.headers.extend(_without_hop_by_hop(upstream.headers))
                await answer.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
                return answer
        except (TimeoutError, aiohttp.ClientError) as error:
            if body.is_too_large:
                return _too_large()
            is_late = isinstance(error, TimeoutError)
            fleet.say(_LATE if is_late else _BROKEN, instance.id)
            if answer is not None:
                # The head is sent; all that is left is to cut the connection.
                raise ConnectionResetError("the service broke off its answer") from error
            if is_late:
                return web.Response(status=504, text="upstream request timeout\n")
            return _unavailable()


class _Body:
    """A request's body on its way; one whose length nobody has said is measured as it passes."""

    def __init__(self, request: web.BaseRequest) -> None:
        self.is_too_large = False
        self.content: AsyncIterable[bytes] | StreamReader | None = None
        if request.body_exists:
            is_measured = request.content_length is not None
            self.content = request.content if is_measured else self._measured(request.content)

    async def _measured(self, content: StreamReader) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > _MOST_BYTES:
                self.is_too_large = True
                raise aiohttp.ClientError("the request is too large")
            yield chunk


def _forwarded_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = _without_hop_by_hop(request.headers)
    # The body is on its way already: nobody has to ask for it.
    headers.pop("Expect", None)
    callers = [headers.get("X-Forwarded-For", ""), request.remote or "127.0.0.1"]
    headers["X-Forwarded-For"] = ",".join(caller for caller in callers if caller)
    headers["X-Forwarded-Proto"] = "http"
    if "traceparent" not in headers:
        trace, span = secrets.token_hex(16), secrets.token_hex(8)
        headers["traceparent"] = f"00-{trace}-{span}-01"
        headers["X-Cloud-Trace-Context"] = f"{trace}/{int(span, 16)};o=1"
    return headers


def _without_hop_by_hop(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP
    )


def _unavailable() -> web.Response:
    return web.Response(status=503, text="Service Unavailable\n")


def _too_large() -> web.Response:
    reason = "Your client issued a request that was too large."
    return _page(413, "Request Entity Too Large", reason)


def _refused(status: int, path: str) -> web.Response:
    url = f"<code>{html.escape(path)}</code>"
    if status == HTTPStatus.FORBIDDEN:
        reason = f"Your client does not have permission to get URL {url} from this server."
        return _page(status, "Forbidden", reason)
    refused = _page(
        status, "Unauthorized", f"Your client does not have permission to the requested URL {url}."
    )
    refused.headers["WWW-Authenticate"] = (
        'Bearer error="invalid_token" error_description="The access token could not be verified"'
    )
    return refused


def _page(status: int, title: str, reason: str) -> web.Response:
    """Answer as Google's front ends do."""
    return web.Response(
        status=status,
        content_type="text/html",
        text="<html><head>\n"
        '<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{status} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>Error: {title}</h1>\n<h2>{reason}</h2>\n<h2></h2>\n</body></html>\n",
    )
