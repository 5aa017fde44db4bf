"""The sample subscriber: pulls traced messages, adds its hop, publishes on the verify topic.

Which subscription and topic those are comes from `resources.yaml`, which the conductor generates
and places beside this file. By hand: `RESOURCES_FILE=… PROJECT_ID=… PORT=8080 python main.py`,
with `PUBSUB_EMULATOR_HOST` for a local Pub/Sub.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
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
    from google.cloud.pubsub_v1.subscriber.message import Message

SUBSCRIPTION_KEY = "tracer-subscription-id"
VERIFY_TOPIC_KEY = "verify-topic-id"
PUBLISH_TIMEOUT_S = 20.0
CHECK_TIMEOUT_S = 3.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# A pull that held this long was healthy; the next pause starts small again.
HEALTHY_AFTER_S = 60.0


class ConfigurationError(Exception):
    """The service cannot work as configured; the message says what is missing."""


class MalformedMessageError(Exception):
    """A message is no trace; delivering it again would not help."""


def log(severity: str, message: str, **fields: object) -> None:
    """Write one JSON line, as Cloud Logging reads it."""
    print(json.dumps({"severity": severity, "message": message, **fields}), flush=True)  # noqa: T201 - a Cloud Run service logs to its standard output


@dataclass(frozen=True)
class Links:
    """What this service is linked to, by name."""

    subscription: str
    verify_topic: str


def resources_file() -> Path:
    """Return where the generated `resources.yaml` is."""
    return Path(os.environ.get("RESOURCES_FILE") or Path(__file__).with_name("resources.yaml"))


def load_links(path: Path) -> Links:
    """Look up this service's subscription and topic by their lookup keys."""
    try:
        resources = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error

    def find(kind: str, link: str, key: str) -> str:
        found = [
            resource["name"]
            for resource in resources.get(kind) or []
            if ((resource.get(link) or {}).get("lookup") or {}).get("key") == key
        ]
        if len(found) != 1:
            raise ConfigurationError(
                f"{path} must have one entry in {kind} with the lookup key {key!r}, "
                f"not {len(found)}"
            )
        return str(found[0])

    return Links(
        subscription=find("subscriptions", "consumer_service", SUBSCRIPTION_KEY),
        verify_topic=find("topics", "producer_service", VERIFY_TOPIC_KEY),
    )


def project_id() -> str:
    """Return the project that owns the subscription and the topic."""
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
        return cls(service or "tracer-subscriber", os.environ.get("K_REVISION", "by-hand"))

    def hop(self) -> dict[str, str]:
        """Describe this service's place on a message's path, now."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        return {"service": self.service, "revision": self.revision, "at": at}


def add_hop(data: bytes, hop: dict[str, str]) -> dict[str, Any]:
    """Return the trace with one more hop on its path."""
    try:
        trace = json.loads(data)
    except ValueError as error:
        raise MalformedMessageError(f"not JSON: {error}") from error
    match trace:
        case {"trace_id": str(trace_id), "path": list(path)}:
            return {"trace_id": trace_id, "path": [*path, hop]}
        case _:
            raise MalformedMessageError('not a trace: {"trace_id": "…", "path": […]}')


class TraceRelay:
    """Keeps one streaming pull open, and starts another when it dies."""

    def __init__(self, links: Links, project: str, identity: Identity) -> None:
        self.subscription_path = f"projects/{project}/subscriptions/{links.subscription}"
        self.verify_topic_path = f"projects/{project}/topics/{links.verify_topic}"
        self._identity = identity
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._publisher: PublisherClient | None = None
        self._not_pulling_because: str | None = "starting"

    @property
    def not_ready_because(self) -> str | None:
        """Why nothing is being pulled; None while it is."""
        return self._not_pulling_because

    def start(self) -> None:
        """Start pulling in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the pull; a message in work is finished, or delivered again to the next one."""
        self._stopping.set()
        self._thread.join(timeout=1.5)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._pull()
                reason = "the pull ended"
            except Exception as error:  # noqa: BLE001 - whatever ended it, pull again
                reason = str(error) or repr(error)
            self._not_pulling_because = reason
            if time.monotonic() - started >= HEALTHY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            if not self._stopping.is_set():
                log("WARNING", "not pulling", reason=reason, again_in_s=pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _pull(self) -> None:
        """Hold one streaming pull until it dies or the service stops."""
        from google.cloud import pubsub_v1  # noqa: PLC0415 - slow; the port must open first

        if self._publisher is None:
            self._publisher = pubsub_v1.PublisherClient()
        publisher = self._publisher
        with pubsub_v1.SubscriberClient() as subscriber:
            # A streaming pull retries quietly for long; these say at once what is wrong.
            subscriber.get_subscription(
                subscription=self.subscription_path, retry=None, timeout=CHECK_TIMEOUT_S
            )
            publisher.get_topic(topic=self.verify_topic_path, retry=None, timeout=CHECK_TIMEOUT_S)
            pull = subscriber.subscribe(
                self.subscription_path, callback=lambda message: self._relay(publisher, message)
            )
            ended = threading.Event()
            pull.add_done_callback(lambda _: ended.set())
            self._not_pulling_because = None
            log("INFO", "pulling", subscription=self.subscription_path)
            while not ended.is_set() and not self._stopping.wait(0.1):
                pass
            self._not_pulling_because = "stopping" if self._stopping.is_set() else "the pull died"
            pull.cancel()
            pull.result(timeout=1.0)

    def _relay(self, publisher: PublisherClient, message: Message) -> None:
        """Publish a message with our hop added; acknowledge it only after that."""
        try:
            trace = add_hop(message.data, self._identity.hop())
        except MalformedMessageError as error:
            log("ERROR", "dropped a message", message_id=message.message_id, reason=str(error))
            message.ack()
            return
        trace_id = trace["trace_id"]
        try:
            future = publisher.publish(
                self.verify_topic_path, json.dumps(trace).encode(), trace_id=trace_id
            )
            future.result(timeout=PUBLISH_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever failed, Pub/Sub delivers it again
            log("ERROR", "relaying failed", trace_id=trace_id, error=repr(error))
            message.nack()
            return
        message.ack()
        log("INFO", "relayed", trace_id=trace_id, hops=len(trace["path"]))


class Handler(BaseHTTPRequestHandler):
    """The service's HTTP surface: its health."""

    protocol_version = "HTTP/1.1"
    server: SubscriberServer

    def do_GET(self) -> None:
        """Answer the health routes."""
        match urlsplit(self.path).path:
            case "/health/live":
                self._answer(HTTPStatus.OK, {"status": "live"})
            case "/health/ready":
                self._answer_ready()
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"error": f"no route GET {self.path}"})

    def _answer_ready(self) -> None:
        relay = self.server.relay
        if (reason := relay.not_ready_because) is not None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "reason": reason})
            return
        self._answer(HTTPStatus.OK, {"status": "ready", "subscription": relay.subscription_path})

    def _answer(self, status: HTTPStatus, body: dict[str, str]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_args: object) -> None:
        """Leave access logs to Cloud Run, which writes its own."""


class SubscriberServer(ThreadingHTTPServer):
    """The HTTP server, with the relay whose health it tells."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], relay: TraceRelay) -> None:
        super().__init__(address, Handler)
        self.relay = relay


def main() -> int:
    """Relay and serve until SIGTERM."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        relay = TraceRelay(load_links(resources_file()), project_id(), Identity.from_environment())
    except ConfigurationError as error:
        log("CRITICAL", str(error))
        return 1
    # A container listens on every interface (its image says so with HOST); one machine does not.
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    with SubscriberServer(address, relay) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        relay.start()
        log("INFO", "serving", port=server.server_port, subscription=relay.subscription_path)
        stopping.wait()
        server.shutdown()
    relay.stop()
    log("INFO", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
