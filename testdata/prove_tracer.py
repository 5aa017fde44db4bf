"""Proves that the sample system works: a traced message goes in at one end and out at the other.

Posts a trace to the publisher's URL and waits for it on the verify topic, then prints its path.
Reads where everything is from `conductor status --json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import SubscriberClient

PUBLISHER = "tracer-publisher"
VERIFY_TOPIC = "verify-topic"
HTTP_TIMEOUT_S = 30.0
STATUS_TIMEOUT_S = 60.0
PULL_TIMEOUT_S = 5.0


class NotProvedError(Exception):
    """The system does not work, or nobody could tell; the message says which."""


@dataclass(frozen=True)
class Deployed:
    """Where the deployed system is, and how this program identifies itself to it."""

    project_id: str
    publisher_url: str
    pubsub_emulator_host: str
    identity_token_url: str
    token: str


def read_status(environment: str) -> Deployed:
    """Ask the conductor where the environment's system is."""
    command = [sys.executable, "-m", "orchestration.cli.main", "status", "--json"]
    try:
        asked = subprocess.run(
            [*command, "--env", environment],
            check=False,
            capture_output=True,
            text=True,
            timeout=STATUS_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NotProvedError(
            f"`conductor status` said nothing within {STATUS_TIMEOUT_S:g} s"
        ) from error
    if asked.returncode != 0:
        said = asked.stderr.strip() or asked.stdout.strip()
        raise NotProvedError(f"`conductor status --env {environment}` failed: {said}")
    return parse_status(json.loads(asked.stdout))


def parse_status(status: dict[str, Any]) -> Deployed:
    """Take what this program needs from the conductor's status."""
    urls = {service["name"]: service.get("url") for service in status.get("services", [])}
    if not urls.get(PUBLISHER):
        raise NotProvedError(f"{PUBLISHER} is not deployed; run `make demo`")
    cloud = status.get("cloud", {})
    if not cloud.get("running"):
        raise NotProvedError("the local cloud does not run; run `make demo`")
    return Deployed(
        project_id=status["project_id"],
        publisher_url=urls[PUBLISHER],
        pubsub_emulator_host=cloud["pubsub_emulator_host"],
        identity_token_url=cloud["identity_token_url"],
        token=read_token(Path(cloud["token_file"])),
    )


def read_token(path: Path) -> str:
    """Read the deployer's token from the file that only this user can read."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["deployer_token"])
    except (OSError, ValueError, KeyError) as error:
        raise NotProvedError(f"{path} holds no token: {error}") from error


def call(url: str, token: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    """Call a JSON route, with a body by POST, and return its answer."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310 - the conductor's URLs
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace").strip()
        raise NotProvedError(f"{url} answered {error.code}: {said}") from error
    except (OSError, ValueError) as error:
        raise NotProvedError(f"{url} could not be called: {error}") from error


def publish(deployed: Deployed, trace_id: str) -> str:
    """Post a trace to the publisher, identified by a token for it, and return the message's id."""
    audience = urllib.parse.urlencode({"audience": deployed.publisher_url})
    identity = call(f"{deployed.identity_token_url}?{audience}", deployed.token)
    answer = call(
        f"{deployed.publisher_url.rstrip('/')}/publish",
        str(identity["token"]),
        {"trace_id": trace_id},
    )
    return str(answer["message_id"])


@contextmanager
def listening(subscriber: SubscriberClient, project_id: str, trace_id: str) -> Iterator[str]:
    """Hold a temporary subscription on the verify topic, for this trace only."""
    path = f"projects/{project_id}/subscriptions/prove-tracer-{trace_id}"
    subscriber.create_subscription(
        request={
            "name": path,
            "topic": f"projects/{project_id}/topics/{VERIFY_TOPIC}",
            "filter": f'attributes.trace_id = "{trace_id}"',
            # Pub/Sub removes it after a day, should this program die; to live no longer than
            # that, it may keep messages no longer than that.
            "message_retention_duration": {"seconds": 600},
            "expiration_policy": {"ttl": {"seconds": 24 * 3600}},
        },
        timeout=HTTP_TIMEOUT_S,
    )
    try:
        yield path
    finally:
        subscriber.delete_subscription(subscription=path, timeout=HTTP_TIMEOUT_S)


def wait_for_trace(
    subscriber: SubscriberClient, path: str, trace_id: str, timeout_s: float
) -> list[dict[str, str]]:
    """Return the path of the traced message once it arrives."""
    from google.api_core.exceptions import DeadlineExceeded  # noqa: PLC0415 - slow to import

    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            pulled = subscriber.pull(
                subscription=path,
                max_messages=10,
                retry=None,
                timeout=min(left_s, PULL_TIMEOUT_S),
            )
        except DeadlineExceeded:
            continue
        for received in pulled.received_messages:
            subscriber.acknowledge(subscription=path, ack_ids=[received.ack_id])
            trace = json.loads(received.message.data)
            if trace["trace_id"] == trace_id:
                hops: list[dict[str, str]] = trace["path"]
                return hops
    raise NotProvedError(
        f"no message with trace {trace_id} on {VERIFY_TOPIC} within {timeout_s:g} s"
    )


def describe_path(hops: list[dict[str, str]], took_s: float) -> str:
    """Draw the path hop by hop, with the time since the first."""
    first = datetime.fromisoformat(hops[0]["at"])
    lines = []
    for number, hop in enumerate(hops, 1):
        since_ms = (datetime.fromisoformat(hop["at"]) - first).total_seconds() * 1000
        lines.append(f"  {number}. {hop['service']:<20} {hop['revision']:<32} +{since_ms:6.1f} ms")
    lines.append(f"  {len(hops) + 1}. {VERIFY_TOPIC:<20} seen {took_s * 1000:.0f} ms after posting")
    return "\n".join(lines)


def prove(deployed: Deployed, timeout_s: float) -> str:
    """Send one trace through the system and describe its path.

    Raises:
        NotProvedError: it did not arrive, or not by way of the publisher and the subscriber.
    """
    os.environ["PUBSUB_EMULATOR_HOST"] = deployed.pubsub_emulator_host
    from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415 - slow to import
    from google.cloud import pubsub_v1  # noqa: PLC0415 - reads the variable above

    trace_id = uuid.uuid4().hex
    try:
        with (
            pubsub_v1.SubscriberClient() as subscriber,
            listening(subscriber, deployed.project_id, trace_id) as path,
        ):
            started = time.monotonic()
            message_id = publish(deployed, trace_id)
            hops = wait_for_trace(subscriber, path, trace_id, timeout_s)
            took_s = time.monotonic() - started
    except GoogleAPICallError as error:
        raise NotProvedError(f"Pub/Sub refused: {error}") from error
    if not hops or hops[0].get("service") != PUBLISHER or len(hops) < 2:  # noqa: PLR2004 - two services
        raise NotProvedError(f"trace {trace_id} arrived, but by another path: {hops}")
    return f"trace {trace_id} (message {message_id}) arrived:\n{describe_path(hops, took_s)}"


def main() -> int:
    """Prove it, or say in one line why not."""
    parser = argparse.ArgumentParser(description="Prove that the deployed sample system works.")
    parser.add_argument("--env", default="local", help="the environment (default: local)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait (default: 30)")
    options = parser.parse_args()
    try:
        print(prove(read_status(options.env), options.timeout))  # noqa: T201 - what the user asked for
    except NotProvedError as error:
        print(f"not proved: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
