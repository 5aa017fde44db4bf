"""Listening sockets on loopback, each with its own handler."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

HOST: Final = "127.0.0.1"
# Messages of Pub/Sub are up to 10 MB; blobs are streamed and have no limit.
_MAX_BODY: Final = 64 * 1024 * 1024


class PortTaken(Exception):  # noqa: N818 - a fact, not an error of ours
    """Another process listens on a port that the local cloud needs."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on {HOST} is taken by another process; end it, or remove cloud.json to"
            " choose new ports (stacks must then be deployed again)"
        )
        self.port = port


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
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(port) from error
            raise
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler[web.BaseRequest],
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY
    )
