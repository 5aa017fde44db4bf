"""Listening sockets on loopback, each with its own handler."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.info import HOST, PortTaken
from rehearsal.cloud.uninterrupted import uninterrupted

# Messages of Pub/Sub are up to 10 MB; blobs are streamed and have no limit.
_MAX_BODY: Final = 64 * 1024 * 1024


def require_free(port: int) -> None:
    """Refuse a port that somebody listens on; for servers whose own errors do not say so.

    Raises:
        PortTaken: another process has it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port) from error


class Listener:
    """One listening port."""

    def __init__(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        # aiohttp waits this long for open connections when it stops; nobody's answer takes longer.
        server = web.Server(handle, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)

    async def open(self, port: int) -> int:
        """Listen on a port (0: any) and return it.

        Raises:
            PortTaken: another process has it.
        """
        # asyncio loses the socket when opening is cancelled half-way.
        await uninterrupted(self._open(port))
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await uninterrupted(self._runner.cleanup())

    async def _open(self, port: int) -> None:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(port) from error
            raise


async def whole_body(request: web.BaseRequest) -> bytes:
    """Return a request's body, if it is not too large.

    Raises:
        ApiError: 400.
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Request payload size exceeds the limit: {_MAX_BODY} bytes."
        raise invalid_argument(message) from error


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY
    )
