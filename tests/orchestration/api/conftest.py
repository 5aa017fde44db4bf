"""A served API over a database of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from orchestration.api.app import make_app
from orchestration.api.backend import Backend, ServerSettings
from orchestration.coordination.storage.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An open database in a file."""
    opened = Database.open(f"sqlite:///{tmp_path / 'coordination.db'}")
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database) -> Iterator[httpx.Client]:
    """The served API, as a program on this machine sees it."""
    app = make_app(Backend(database, ServerSettings()))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=30
        ) as opened:
            yield opened
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
