"""The coordination engine's API served for a test, and what its callers send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn

from orchestration.api.app import make_app
from orchestration.api.backend import Backend, ServerSettings
from orchestration.api.connections import BoundedHeads
from orchestration.coordination.storage.database import Database, database_clock


class Time:
    """The database's clock, which a test can move on."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def read(self, connection: sa.Connection) -> datetime:
        """Give the database's time, as far ahead as the test has moved it."""
        return database_clock(connection) + self._ahead

    def pass_by(self, **amount: float) -> None:
        """Let time go by, in the words of `timedelta`."""
        self._ahead += timedelta(**amount)


@contextmanager
def served(database: Database, settings: ServerSettings) -> Iterator[httpx.Client]:
    """Serve the API on a port of its own while the block runs."""
    app = make_app(Backend(database, settings))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=BoundedHeads, log_config=None, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def recommendation(id_: str, **changes: Any) -> dict[str, Any]:
    """Make a recommendation as an agent sends it."""
    now = datetime.now(UTC)
    return {
        "id": id_,
        "agent_id": "cost-agent-1",
        "agent_type": "cost",
        "customer_id": "cust-1",
        "type": "cost",
        "title": "t",
        "description": "d",
        "action": "scale_down",
        "risk_level": "low",
        "estimated_savings": 10.0,
        "estimated_impact": "-3%",
        "affected_resources": [f"i-{id_}"],
        "parameters": {"count": 2},
        "dependencies": [],
        "priority": 5,
        "confidence": 0.9,
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(days=1)).isoformat(),
        "status": "pending",
        **changes,
    }


def coordinate(client: httpx.Client, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Send recommendations; they must be taken."""
    answer = client.post(
        "/coordination/coordinate",
        json={"customer_id": "cust-1", "recommendations": list(items), **fields},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@dataclass(frozen=True)
class Received:
    """One request that a listener got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Listener:
    """A program that takes POSTs: an agent, or the receiver of a webhook."""

    port: int
    received: list[Received] = field(default_factory=list)


Answer = tuple[int, bytes]


@contextmanager
def listening(
    answer: Callable[[Received], Answer], *, headers: Sequence[tuple[str, str]] = ()
) -> Iterator[Listener]:
    """Listen on loopback while the block runs, and answer every POST as the test wants."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            taken = Received(self.path, dict(self.headers.items()), self.rfile.read(length))
            listener.received.append(taken)
            status, body = answer(taken)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep the test's output to itself."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()
