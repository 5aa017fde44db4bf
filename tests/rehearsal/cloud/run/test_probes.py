"""Probes decide which instances serve, and which are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from rehearsal.cloud.run.probes import Probe, StartupProbe

# `/health` fails while there is a file of that name; everything else always answers.
MOODY_SERVICE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ill = self.path == "/health" and os.path.exists(os.environ["ILL"])
        body = str(os.getpid()).encode()
        self.send_response(503 if ill or self.headers.get("X-Probe") == "no" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
HEALTH = {"httpGet": {"path": "/health"}, "periodSeconds": 1, "failureThreshold": 1}


class Moody:
    """A service that falls ill when told to."""

    def __init__(self, run: Any, ill: Path) -> None:
        self._run = run
        self.ill = ill
        self._image = run.push({"main.py": MOODY_SERVICE})

    def create(self, **probes: Any) -> dict[str, Any]:
        """Deploy it with probes."""
        env = [{"name": "ILL", "value": str(self.ill)}]
        body = self._run.template(self._image, env=env, **probes)
        return dict(self._run.create("worker", body))


@pytest.fixture
def moody(run: Any, tmp_path: Path) -> Moody:
    """A service that is well."""
    return Moody(run, tmp_path / "ill")


def test_an_instance_that_fails_its_liveness_probe_is_replaced(
    run: Any, moody: Moody, wait_until: Callable[..., None]
) -> None:
    """It is shut down with Google's words in the log, and another one takes over."""
    uri = moody.create(livenessProbe=HEALTH)["response"]["uri"]
    before = run.call(uri).text
    moody.ill.touch()

    def log() -> str:
        return str(run.client.get("/_local/logs/worker").text)

    wait_until(lambda: "LIVENESS HTTP probe failed 1 times consecutively" in log())
    moody.ill.unlink()
    assert "The instance has been shut down." in log()
    wait_until(lambda: run.call(uri).status_code == 200 and run.call(uri).text != before)


def test_an_instance_that_fails_its_readiness_probe_gets_no_requests(
    run: Any, moody: Moody, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on running, and gets requests again once it is well."""
    monkeypatch.setattr("rehearsal.cloud.run.fleet.PATIENCE_S", 0.05)
    monkeypatch.setattr("rehearsal.cloud.run.fleet._STARTS_WAITED_FOR", 0)
    probe = {"httpGet": {"path": "/health"}, "periodSeconds": 1, "failureThreshold": 1}
    body = moody.create(readinessProbe=probe, startupProbe={"tcpSocket": {}})["response"]
    before = run.call(body["uri"]).text
    moody.ill.touch()
    wait_until(lambda: run.call(body["uri"]).status_code == 429)
    moody.ill.unlink()
    wait_until(lambda: run.call(body["uri"]).status_code == 200)
    assert run.call(body["uri"]).text == before


def test_a_probe_sends_its_headers(run: Any, moody: Moody) -> None:
    """What the probe says decides, as with any request."""
    get = {"path": "/", "httpHeaders": [{"name": "X-Probe", "value": "no"}]}
    probe = {"httpGet": get, "periodSeconds": 1, "failureThreshold": 1}
    error = moody.create(startupProbe=probe)["error"]
    assert "failed the configured startup probe checks" in error["message"]
    assert 'container "" on port 8080 path "/"' in run.client.get("/_local/logs/worker").text


@pytest.fixture
def health_port() -> Iterator[int]:
    """The port of a gRPC server whose service `orders` is healthy, and whose `bills` is not."""

    def check(request: bytes, _: grpc.ServicerContext) -> bytes:
        return b"\x08\x01" if request == b"\x0a\x06orders" else b"\x08\x02"

    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(grace=None).wait()


def test_a_grpc_probe_asks_for_its_services_health(health_port: int) -> None:
    """Only SERVING is well, and a port where nobody speaks gRPC is not."""

    def problem(port: int, service: str) -> str:
        return asyncio.run(Probe.of({"grpc": {"service": service}}).problem(port))

    assert problem(health_port, "orders") == ""
    assert "not SERVING" in problem(health_port, "bills")
    assert problem(1, "orders")


def test_a_startup_probe_has_patience() -> None:
    """Delay, period and threshold add up; four minutes, Cloud Run's most, become one."""

    def patience_s(**probe: Any) -> float:
        body = {"containers": [{"startupProbe": {"tcpSocket": {}} | probe}]}
        return StartupProbe.of(body).patience_s

    assert patience_s() == 30
    assert patience_s(periodSeconds=5, failureThreshold=4, initialDelaySeconds=7) == 27
    assert patience_s(periodSeconds=240, failureThreshold=1) == 60
