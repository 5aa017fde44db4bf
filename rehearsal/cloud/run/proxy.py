"""The front of one service: its URL, the invoker check, and the way to the revision that serves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from rehearsal.cloud.listening import Listener
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.invocation import refused_with
from rehearsal.cloud.run.runner import RevisionRunner

# How long a request waits for an instance that is starting, as Cloud Run queues it.
_START_WAIT_S = 10.0
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

    runner: RevisionRunner | None
    audiences: tuple[str, ...]
    timeout_s: float
    is_open: bool


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
        if not routing.is_open:
            authorization = request.headers.get("Authorization")
            refusal = refused_with(self._cloud, self._service, routing.audiences, authorization)
            if refusal is not None:
                return _refused(refusal, request.path)
        runner = routing.runner
        if runner is None or not await runner.wait_ready(_START_WAIT_S):
            return web.Response(status=503, text="Service Unavailable\n")
        with runner.answering():
            return await self._forward(request, runner, routing.timeout_s)

    async def _forward(
        self, request: web.BaseRequest, runner: RevisionRunner, timeout_s: float
    ) -> web.StreamResponse:
        address = runner.address
        assert self._session is not None
        if address is None:
            return web.Response(status=503, text="Service Unavailable\n")
        answer: web.StreamResponse | None = None
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.request(
                    request.method,
                    f"http://{address[0]}:{address[1]}{request.raw_path}",
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
    title = "401 Unauthorized" if status == 401 else "403 Forbidden"  # noqa: PLR2004 - HTTP
    reason = (
        "Your client does not have permission to the requested URL"
        if status == 401  # noqa: PLR2004 - HTTP
        else "Your client does not have permission to get URL"
    )
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if status == 401 else {}  # noqa: PLR2004 - HTTP
    return web.Response(
        status=status,
        headers=headers,
        content_type="text/html",
        text=f"<html><head><title>{title}</title></head><body><h1>Error: {title[4:]}</h1>"
        f"<h2>{reason} <code>{path}</code>.</h2></body></html>\n",
    )
