"""Run the application on a socket until the process is told to end."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from orchestration.api.app import make_app
from orchestration.api.backend import Backend
from orchestration.api.connections import BoundedHeads
from orchestration.api.memory import collect_rarely
from orchestration.api.refusals import AddressUnusable, TokenMissing
from orchestration.coordination.storage import tokens

DRAIN_S = 5
# Connections beyond this are refused at once instead of piling up.
MOST_CONNECTIONS = 1000


class _Server(uvicorn.Server):
    """Says when it listens: only then may others be told to call."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # uvicorn's `socket` type is not exported
        await super().startup(sockets)  # type: ignore[arg-type]  # as above
        if self.started:
            self._on_ready()


def serve(
    backend: Backend,
    *,
    host: str,
    port: int,
    on_ready: Callable[[int], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in work get five seconds to end.

    Args:
        backend: the parts behind the routes.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        on_ready: called with the port once the server listens.

    Raises:
        TokenMissing: others could reach the server, and nobody has a token yet.
        AddressUnusable: the address is somebody else's, or none of this machine.
    """
    with backend.database.reading() as tx:
        if backend.settings.is_exposed and not tokens.any_exists(tx):
            raise TokenMissing(f"nobody has a token yet, and {host} is open to other machines")
    listening = _listen(host, port)
    config = uvicorn.Config(
        make_app(backend),
        http=BoundedHeads,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        limit_concurrency=MOST_CONNECTIONS,
    )
    collect_rarely()
    server = _Server(config, lambda: on_ready(listening.getsockname()[1]))
    # uvicorn passes the signal on that ended it; ending is what was asked for.
    with listening, suppress(KeyboardInterrupt):
        server.run([listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        raise AddressUnusable(f"{host}:{port} cannot be served: {_why(error)}") from error


def _why(error: OSError | OverflowError) -> str:
    return getattr(error, "strerror", None) or str(error)
