"""How many requests a second the served API decides on and keeps.

    python benchmarks/api.py [--clients 8] [--recommendations 10] [--seconds 10]

starts `conductor serve` on a fresh SQLite database and sends requests of mixed recommendations over
kept connections of 127.0.0.1. An answered request is on disk. Ends with 1 when fewer than the
promised 300 requests of 10 recommendations a second were answered. The clients take part of the
machine too: beside the rate stands the server's processor time per request.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.coordination_requests import Shape, document

PROMISED_PER_S: Final = 300.0
PROMISED_RECOMMENDATIONS: Final = 10
BODIES_EACH: Final = 50
STOPPED_WITHIN_S: Final = 20


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the API on a free port, and stop it at the end."""
    command = [str(Path(sys.executable).with_name("conductor")), "serve", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--state-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "CONDUCTOR_DATABASE_URL"},
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate(timeout=STOPPED_WITHIN_S)


class Client(threading.Thread):
    """Sends one request after the other until the time is over."""

    def __init__(self, url: str, bodies: list[bytes], until: float) -> None:
        super().__init__()
        self.took_s: list[float] = []
        self.refused: list[str] = []
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._bodies = bodies
        self._until = until

    def run(self) -> None:
        """Send."""
        while time.monotonic() < self._until:
            body = self._bodies[len(self.took_s) % len(self._bodies)]
            started = time.monotonic()
            self._connection.request(
                "POST", "/coordination/coordinate", body, {"content-type": "application/json"}
            )
            answer = self._connection.getresponse()
            text = answer.read()
            self.took_s.append(time.monotonic() - started)
            if answer.status != HTTPStatus.OK:
                self.refused.append(text.decode())
        self._connection.close()


def bodies_of(client: int, recommendations: int) -> list[bytes]:
    """Give a client's bodies: other customers' than any other client's."""
    return [
        json.dumps(_renamed(client, turn, recommendations)).encode() for turn in range(BODIES_EACH)
    ]


def _renamed(client: int, turn: int, recommendations: int) -> dict[str, object]:
    name = f"customer-{client}-{turn}"
    drawn = document(Shape.MIXED, recommendations, seed=1000 * client + turn)
    items = drawn["recommendations"]
    assert isinstance(items, list)
    return {
        **drawn,
        "customer_id": name,
        "recommendations": [{**item, "customer_id": name} for item in items],  # type: ignore[dict-item]  # `document` writes objects
    }


def main() -> int:
    """Serve, send and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--recommendations", type=int, default=PROMISED_RECOMMENDATIONS)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    bodies = [bodies_of(client, options.recommendations) for client in range(options.clients)]
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url:
        began = time.monotonic()
        clients = [Client(url, each, began + options.seconds) for each in bodies]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        lasted_s = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took_ms = [1000 * took_s for client in clients for took_s in client.took_s]
    refused = [text for client in clients for text in client.refused]
    per_s = (len(took_ms) - len(refused)) / lasted_s
    p99_ms = statistics.quantiles(took_ms, n=100)[98]
    sys.stdout.write(
        f"{options.clients} clients, {options.recommendations} recommendations a request\n"
        f"{per_s:10.1f} requests a second kept, {len(refused)} refused\n"
        f"{statistics.median(took_ms):10.1f} ms median, {p99_ms:.1f} ms p99\n"
        f"{1000 * (used.ru_utime + used.ru_stime) / len(took_ms):10.2f} ms of the server's "
        "processor time per request, its start included\n"
    )
    if refused:
        sys.stdout.write(f"the first refusal: {refused[0]}\n")
    is_promised = options.recommendations == PROMISED_RECOMMENDATIONS
    return int(bool(refused) or (is_promised and per_s < PROMISED_PER_S))


if __name__ == "__main__":
    sys.exit(main())
