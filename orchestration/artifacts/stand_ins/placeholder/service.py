"""The placeholder's server: it says in every answer what it is.

It answers every GET with 200, so that any health route is healthy; looks at each of its links when
asked (`GET /links`), puts each of its grants to use (`POST /grants`); takes messages from its
subscriptions, and passes them, or what is POSTed to it, on to all that it produces.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .google import Google
from .grants import Grants
from .links import FAILURES, Links
from .log import MARK, log

LINKS_FILE = "links.json"
MAX_BODY_BYTES = 1024 * 1024
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0


class Placeholder(ThreadingHTTPServer):
    """The HTTP server of a placeholder."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], links: Links, grants: Grants) -> None:
        super().__init__(address, Handler)
        self.links = links
        self.grants = grants


class Handler(BaseHTTPRequestHandler):
    """Answers everything, marked as a placeholder's answer."""

    protocol_version = "HTTP/1.1"
    server: Placeholder

    def do_GET(self) -> None:
        """Answer any health route; `/links` looks at each link."""
        if self.path.partition("?")[0] == "/links":
            self._answer(HTTPStatus.OK, {"links": self.server.links.looked_at()})
        else:
            self._answer(HTTPStatus.OK, {"status": "healthy, but only a placeholder"})

    def do_POST(self) -> None:
        """Pass the body on to everything that is produced; `/grants` uses each grant."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"at most {MAX_BODY_BYTES} bytes"})
            return
        given = self.rfile.read(int(length))
        if self.path.partition("?")[0] == "/grants":
            self._answer(HTTPStatus.OK, {"grants": self.server.grants.used()})
            return
        data = given or json.dumps({MARK: self.server.links.service}).encode()
        self._answer(HTTPStatus.OK, {"produced": self.server.links.produce(data, [])})

    def _answer(self, status: HTTPStatus, body: dict[str, object]) -> None:
        payload = json.dumps({MARK: True, "service": self.server.links.service, **body}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("X-Conductor-Placeholder", self.server.links.service)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_args: object) -> None:
        """Leave access logs to Cloud Run, which writes its own."""


def consume(links: Links, subscription: str, stopping: threading.Event) -> None:
    """Take messages until the service ends; what fails is tried again, ever more slowly."""
    pause_s = FIRST_PAUSE_S
    while not stopping.is_set():
        try:
            links.pull(subscription)
            pause_s = FIRST_PAUSE_S
        except FAILURES as error:
            log("WARNING", "no messages yet", subscription=subscription, why=str(error)[:300])
            stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def main() -> int:
    """Serve until SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    known = json.loads((Path(__file__).parents[1] / LINKS_FILE).read_text(encoding="utf-8"))
    service = os.environ.get("SERVICE_NAME") or known["service"]
    google = Google(os.environ["PROJECT_ID"])
    links = Links(service, known["links"], google)
    # A container listens on every interface (its image says so with HOST); one machine does not.
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    with Placeholder(address, links, Grants(known["grants"], google, links)) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        for subscription in links.subscriptions():
            threading.Thread(
                target=consume, args=(links, subscription, stopping), daemon=True
            ).start()
        log("WARNING", f"{service} is a placeholder: its sources were not there", links=known)
        stopping.wait()
        server.shutdown()
    return 0
