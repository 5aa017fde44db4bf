"""The front of one service: its URL, the invoker check, and the way to the revision that serves."""

import asyncio
import html
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from rehearsal.cloud.listening import Listener
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.fleet import Fleet, NoInstanceError
from rehearsal.cloud.run.instance import Instance
from rehearsal.cloud.run.invocation import refused_with

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
        routing = self._routing()
        if not routing.is_reachable:
            return _page(404, "Page not found", "The requested URL was not found on this server.")
        if not routing.is_open:
            authorization = request.headers.get("Authorization")
            refusal = refused_with(self._cloud, self._service, routing.audiences, authorization)
            if refusal is not None:
                return _refused(refusal, request.path)
        fleet = routing.fleet
        if fleet is None:
            return web.Response(status=503, text="Service Unavailable\n")
        try:
            async with fleet.slot() as instance:
                return await self._forward(request, instance, fleet.timeout_s)
        except NoInstanceError as error:
            return web.Response(status=error.code, text=f"{error.message}\n")

    async def _forward(
        self, request: web.BaseRequest, instance: Instance, timeout_s: float
    ) -> web.StreamResponse:
        assert self._session is not None
        answer: web.StreamResponse | None = None
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    request.method,
                    f"http://127.0.0.1:{instance.port}{request.raw_path}",
                    headers=_forwarded_headers(request),
                    data=request.content if request.body_exists else None,
                    allow_redirects=False,
                    skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                ) as upstream,
            ):
                answer = web.StreamResponse(status=upstream.status, reason=upstream.reason)
                answer.headers.extend(_without_hop_by_hop(upstream.headers))
                await answer.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
                return answer
        except (TimeoutError, aiohttp.ClientError) as error:
            if answer is not None:
                # The head is sent; all that is left is to cut the connection.
                raise ConnectionResetError("the service broke off its answer") from error
            if isinstance(error, TimeoutError):
                return web.Response(status=504, text="upstream request timeout\n")
            return web.Response(status=503, text="Service Unavailable\n")


def _forwarded_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    headers = _without_hop_by_hop(request.headers)
    # The body is on its way already: nobody has to ask for it.
    headers.pop("Expect", None)
    headers["X-Forwarded-For"] = request.remote or "127.0.0.1"
    headers["X-Forwarded-Proto"] = "http"
    return headers


def _without_hop_by_hop(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP
    )


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
