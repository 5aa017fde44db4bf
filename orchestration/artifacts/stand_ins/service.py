"""A placeholder: it stands in for a service whose sources are not there, and says so everywhere.

It answers every GET with 200, so that any health route is healthy; tries each of its links when
asked (`GET /links`); takes messages from its subscriptions, and passes them, or what is POSTed to
it, on to all that it produces. `links.json` beside it says which links there are.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

MARK = "placeholder"
TIMEOUT_S = 30.0
MAX_BODY_BYTES = 1024 * 1024
# A token is asked for anew long before its hour is over.
TOKEN_LIFE_S = 600.0
LONGEST_PAUSE_S = 10.0
ROOTS = {
    "pubsub": ("https://pubsub.googleapis.com/v1", "pubsub/v1"),
    "storage": ("https://storage.googleapis.com", "storage"),
    "bigquery": ("https://bigquery.googleapis.com/bigquery/v2", "bigquery/bigquery/v2"),
}


def log(severity: str, message: str, **fields: object) -> None:
    """Write one JSON line, as Cloud Logging reads it."""
    line = {"severity": severity, "message": message, MARK: True, **fields}
    print(json.dumps(line), flush=True)  # noqa: T201 - a Cloud Run service logs to its output


class Google:
    """Google's APIs over REST, as the service's own account."""

    def __init__(self, project: str) -> None:
        self.project = project
        self._local = os.environ.get("LOCALCLOUD_ENDPOINT", "")
        self._token = ""
        self._token_until = 0.0
        self._lock = threading.Lock()

    def call(self, method: str, api: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Call a method and return its JSON."""
        google, local = ROOTS[api]
        root = f"{self._local}/{local}" if self._local else google
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{root}/{path}"
        return self._send(urllib.request.Request(url, body, headers, method=method))  # noqa: S310 - an address of ours

    def _access_token(self) -> str:
        with self._lock:
            if time.monotonic() > self._token_until:
                host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
                url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
                headers = {"Metadata-Flavor": "Google"}
                answer = self._send(urllib.request.Request(url, headers=headers))
                self._token = str(answer["access_token"])
                self._token_until = time.monotonic() + TOKEN_LIFE_S
            return self._token

    def _send(self, request: urllib.request.Request) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
                content: dict[str, Any] = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(f"{error.code} {error.read()[:300].decode()}") from error
        return content


class Links:
    """What the service is linked to, and how each thing is used."""

    def __init__(self, service: str, links: list[dict[str, str]], google: Google) -> None:
        self._service = service
        self._links = links
        self._google = google
        self._project = google.project

    def subscriptions(self) -> list[str]:
        """Name the subscriptions that it takes messages from."""
        return [link["name"] for link in self._links if link["kind"] == "subscriptions"]

    def tried(self) -> list[dict[str, object]]:
        """Look at everything that it is linked to; say of each what came of it."""
        return [{**link, **self._outcome(self._look, link)} for link in self._links]

    def produce(self, data: bytes, path: list[str]) -> list[dict[str, object]]:
        """Give data to everything that it produces; nothing goes in circles."""
        if self._service in path:
            return []
        produced = [link for link in self._links if link["direction"] == "produces"]
        return [
            {**link, **self._outcome(lambda link: self._give(link, data, path), link)}
            for link in produced
        ]

    def pull(self, subscription: str) -> int:
        """Take messages once, pass them on, acknowledge them; say how many there were."""
        name = f"projects/{self._project}/subscriptions/{subscription}"
        pulled = self._google.call("POST", "pubsub", f"{name}:pull", b'{"maxMessages": 10}')
        received = pulled.get("receivedMessages", [])
        for item in received:
            message = item["message"]
            path = message.get("attributes", {}).get(MARK, "").split(",")
            done = self.produce(base64.b64decode(message.get("data", "")), path)
            log("INFO", "took a message", subscription=subscription, passed_on=done)
        if received:
            ids = json.dumps({"ackIds": [item["ackId"] for item in received]}).encode()
            self._google.call("POST", "pubsub", f"{name}:acknowledge", ids)
        return len(received)

    def _outcome(
        self, use: Callable[[dict[str, str]], str], link: dict[str, str]
    ) -> dict[str, object]:
        try:
            return {"outcome": use(link), "works": True}
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            return {"outcome": str(error), "works": False}

    def _look(self, link: dict[str, str]) -> str:
        name = link["name"]
        match link["kind"]:
            case "topics" | "subscriptions" as kind:
                self._google.call("GET", "pubsub", f"projects/{self._project}/{kind}/{name}")
            case "gcs_buckets":
                self._google.call("GET", "storage", f"storage/v1/b/{quote(name)}/o?maxResults=1")
            case "bigquery_tables":
                self._google.call("GET", "bigquery", self._table(name))
            case kind:
                return f"a placeholder does not look at {kind}"
        return "it is there"

    def _give(self, link: dict[str, str], data: bytes, path: list[str]) -> str:
        name = link["name"]
        match link["kind"]:
            case "topics":
                way = ",".join([*filter(None, path), self._service])
                message = {"data": base64.b64encode(data).decode(), "attributes": {MARK: way}}
                body = json.dumps({"messages": [message]}).encode()
                topic = f"projects/{self._project}/topics/{name}:publish"
                self._google.call("POST", "pubsub", topic, body)
                return "published"
            case "gcs_buckets":
                place = f"{MARK}/{self._service}/{uuid.uuid4()}"
                upload = f"upload/storage/v1/b/{quote(name)}/o"
                query = f"uploadType=media&name={quote(place, safe='')}"
                self._google.call("POST", "storage", f"{upload}?{query}", data)
                return f"stored {place}"
            case _:
                return self._look(link)

    def _table(self, name: str) -> str:
        dataset, _, table = name.partition(".")
        return f"projects/{self._project}/datasets/{dataset}/tables/{table}"


class Placeholder(ThreadingHTTPServer):
    """The HTTP server of a placeholder."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], service: str, links: Links) -> None:
        super().__init__(address, Handler)
        self.service = service
        self.links = links


class Handler(BaseHTTPRequestHandler):
    """Answers everything, marked as a placeholder's answer."""

    protocol_version = "HTTP/1.1"
    server: Placeholder

    def do_GET(self) -> None:
        """Answer any health route; `/links` tries each link."""
        if self.path.partition("?")[0] == "/links":
            self._answer(HTTPStatus.OK, {"links": self.server.links.tried()})
        else:
            self._answer(HTTPStatus.OK, {"status": "healthy, but only a placeholder"})

    def do_POST(self) -> None:
        """Pass the body on to everything that the service produces."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"at most {MAX_BODY_BYTES} bytes"})
            return
        data = self.rfile.read(int(length)) or json.dumps({MARK: self.server.service}).encode()
        self._answer(HTTPStatus.OK, {"produced": self.server.links.produce(data, [])})

    def _answer(self, status: HTTPStatus, body: dict[str, object]) -> None:
        payload = json.dumps({MARK: True, "service": self.server.service, **body}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("X-Conductor-Placeholder", self.server.service)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_args: object) -> None:
        """Leave access logs to Cloud Run, which writes its own."""


def consume(links: Links, subscription: str, stopping: threading.Event) -> None:
    """Take messages until the service ends; what fails is tried again, ever more slowly."""
    pause_s = 0.2
    while not stopping.is_set():
        try:
            links.pull(subscription)
            pause_s = 0.2
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            log("WARNING", "no messages yet", subscription=subscription, why=str(error)[:300])
            stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def main() -> int:
    """Serve until SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    known = json.loads(Path(__file__).with_name("links.json").read_text(encoding="utf-8"))
    service = os.environ.get("SERVICE_NAME") or known["service"]
    links = Links(service, known["links"], Google(os.environ["PROJECT_ID"]))
    # A container listens on every interface (its image says so with HOST); one machine does not.
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    with Placeholder(address, service, links) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        for subscription in links.subscriptions():
            threading.Thread(
                target=consume, args=(links, subscription, stopping), daemon=True
            ).start()
        log("WARNING", f"{service} is a placeholder: its sources were not there", links=known)
        stopping.wait()
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
