"""The sample publisher: `POST /publish` puts a traced message on the service's topic.

Which topic that is comes from `resources.yaml`, which the conductor generates and places beside
this file. By hand: `RESOURCES_FILE=… PROJECT_ID=… PORT=8080 python main.py`, with
`PUBSUB_EMULATOR_HOST` for a local Pub/Sub.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient

TOPIC_KEY = "tracer-topic-id"
MAX_BODY_BYTES = 64 * 1024
MAX_TRACE_ID_LENGTH = 256
PUBLISH_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 3.0


CONFIG_FILE = "tracer-config.yaml"


class ConfigurationError(Exception):
    """The service cannot work as configured; the message says what is missing."""


class BadRequestError(Exception):
    """The caller's fault; the message is the answer."""


def log(severity: str, message: str, **fields: object) -> None:
    """Write one JSON line, as Cloud Logging reads it."""
    print(json.dumps({"severity": severity, "message": message, **fields}), flush=True)  # noqa: T201 - a Cloud Run service logs to its standard output


def resources_file() -> Path:
    """Return where the generated `resources.yaml` is."""
    return Path(os.environ.get("RESOURCES_FILE") or Path(__file__).with_name("resources.yaml"))


def produced_topic(path: Path, key: str) -> str:
    """Look up the name of the topic that this service produces under a lookup key."""
    try:
        resources = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    found = [
        topic["name"]
        for topic in resources.get("topics") or []
        if ((topic.get("producer_service") or {}).get("lookup") or {}).get("key") == key
    ]
    if len(found) != 1:
        raise ConfigurationError(
            f"{path} must have one topic with the lookup key {key!r}, not {len(found)}"
        )
    return str(found[0])


def configured_attributes(path: Path) -> dict[str, str]:
    """Read which attributes every message carries; none when there is no such file."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    attributes = config.get("attributes") or {}
    return {str(name): str(value) for name, value in attributes.items()}


def project_id() -> str:
    """Return the project that owns the topic."""
    project = os.environ.get("PROJECT_ID") or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not project:
        raise ConfigurationError("set PROJECT_ID (or GOOGLE_CLOUD_PROJECT)")
    return project


@dataclass(frozen=True)
class Identity:
    """Who signs a hop of the trace."""

    service: str
    revision: str

    @classmethod
    def from_environment(cls) -> Identity:
        """Take the names that Cloud Run and the conductor give."""
        service = os.environ.get("SERVICE_NAME") or os.environ.get("K_SERVICE")
        return cls(service or "tracer-publisher", os.environ.get("K_REVISION", "by-hand"))

    def hop(self) -> dict[str, str]:
        """Describe this service's place on a message's path, now."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        return {"service": self.service, "revision": self.revision, "at": at}


class TracePublisher:
    """Publishes traces to one topic; connects in the background, so that the port opens at once."""

    def __init__(
        self, topic_path: str, identity: Identity, attributes: dict[str, str] | None = None
    ) -> None:
        self.topic_path = topic_path
        self._identity = identity
        self._attributes = attributes or {}
        self._client: PublisherClient | None = None
        self._lock = threading.Lock()

    def client(self) -> PublisherClient:
        """Return the Pub/Sub client, made at its first use."""
        with self._lock:
            if self._client is None:
                from google.cloud import pubsub_v1  # noqa: PLC0415 - takes most of a second

                self._client = pubsub_v1.PublisherClient()
            return self._client

    def publish(self, trace_id: str) -> str:
        """Publish a message that starts a trace, and return its id once Pub/Sub has it."""
        message = {"trace_id": trace_id, "path": [self._identity.hop()]}
        attributes = {**self._attributes, "trace_id": trace_id}
        future = self.client().publish(self.topic_path, json.dumps(message).encode(), **attributes)
        return str(future.result(timeout=PUBLISH_TIMEOUT_S))

    def check(self) -> None:
        """Raise unless the topic can be reached."""
        self.client().get_topic(topic=self.topic_path, retry=None, timeout=READY_TIMEOUT_S)

    def stop(self) -> None:
        """Send what is still in a batch."""
        if self._client is not None:
            self._client.stop()


def parse_trace_id(body: bytes) -> str:
    """Read the trace id of a publish request."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    trace_id = request.get("trace_id") if isinstance(request, dict) else None
    if not isinstance(trace_id, str) or not 0 < len(trace_id) <= MAX_TRACE_ID_LENGTH:
        raise BadRequestError(
            f'expected {{"trace_id": "…"}}, a string of 1 to {MAX_TRACE_ID_LENGTH} characters'
        )
    return trace_id


class Handler(BaseHTTPRequestHandler):
    """The service's HTTP surface."""

    protocol_version = "HTTP/1.1"
    server: PublisherServer

    def do_GET(self) -> None:
        """Answer the health routes."""
        match urlsplit(self.path).path:
            case "/health/live":
                self._answer(HTTPStatus.OK, {"status": "live"})
            case "/health/ready":
                self._answer_ready()
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"error": f"no route GET {self.path}"})

    def do_POST(self) -> None:
        """Answer `POST /publish`."""
        try:
            body = self._body()
            if urlsplit(self.path).path != "/publish":
                self._answer(HTTPStatus.NOT_FOUND, {"error": f"no route POST {self.path}"})
                return
            trace_id = parse_trace_id(body)
        except BadRequestError as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        try:
            message_id = self.server.publisher.publish(trace_id)
        except Exception as error:  # noqa: BLE001 - whatever failed, the caller gets an answer
            log("ERROR", "publishing failed", trace_id=trace_id, error=repr(error))
            self._answer(HTTPStatus.BAD_GATEWAY, {"error": f"publishing failed: {error}"})
            return
        log("INFO", "published", trace_id=trace_id, message_id=message_id)
        self._answer(HTTPStatus.OK, {"message_id": message_id, "trace_id": trace_id})

    def _answer_ready(self) -> None:
        try:
            self.server.publisher.check()
        except Exception as error:  # noqa: BLE001 - not ready, for whatever reason
            self._answer(
                HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "reason": str(error)}
            )
            return
        topic = self.server.publisher.topic_path
        self._answer(HTTPStatus.OK, {"status": "ready", "topic": topic})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # The body was not read; nothing after it makes sense.
            raise BadRequestError(f"send a body of at most {MAX_BODY_BYTES} bytes with its length")
        return self.rfile.read(int(length))

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_args: object) -> None:
        """Leave access logs to Cloud Run, which writes its own."""


class PublisherServer(ThreadingHTTPServer):
    """The HTTP server, with the publisher that its handlers use."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], publisher: TracePublisher) -> None:
        super().__init__(address, Handler)
        self.publisher = publisher


def main() -> int:
    """Serve until SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        topic = produced_topic(resources_file(), TOPIC_KEY)
        topic_path = topic if "/" in topic else f"projects/{project_id()}/topics/{topic}"
        attributes = configured_attributes(Path(__file__).with_name(CONFIG_FILE))
    except ConfigurationError as error:
        log("CRITICAL", str(error))
        return 1
    publisher = TracePublisher(topic_path, Identity.from_environment(), attributes)
    # A container listens on every interface (its image says so with HOST); one machine does not.
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    with PublisherServer(address, publisher) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        threading.Thread(target=publisher.client, daemon=True).start()
        log("INFO", "serving", port=server.server_port, topic=topic_path)
        stopping.wait()
        server.shutdown()
    publisher.stop()
    log("INFO", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
