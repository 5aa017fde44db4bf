"""Processes live as long as their cloud, and services longer."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud import control

Expect = Callable[..., Any]


def test_services_run_again_after_a_restart_on_the_same_urls(
    start_cloud: Callable[..., Any], run_on: Any, echo_source: str, is_alive: Any
) -> None:
    """Stopping the cloud ends every process; starting it brings the same revisions back."""
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry", "pubsub")
        run = run_on(cloud)
        image = run.push({"main.py": echo_source})
        uri = run.create("worker", run.template(image))["response"]["uri"]
        before = run.environment(uri)
    assert not is_alive(before["PID"])
    with start_cloud() as cloud:
        run = run_on(cloud)
        after = run.environment(uri)
        assert after["K_REVISION"] == before["K_REVISION"]
        assert after["PID"] != before["PID"]
    assert not is_alive(after["PID"])


def test_a_cloud_that_stops_while_a_revision_ends_leaves_no_port_open(
    start_cloud: Callable[..., Any], run_on: Any, echo_source: str
) -> None:
    """An old revision that takes its time to end still gives back its metadata server's port."""
    slow_to_end = "import signal, time\nsignal.signal(15, lambda *_: (time.sleep(0.3), exit()))\n"
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry", "pubsub")
        run = run_on(cloud)
        image = run.push({"main.py": slow_to_end + echo_source})
        uri = run.create("worker", run.template(image))["response"]["uri"]
        host, _, port = run.environment(uri)["GCE_METADATA_HOST"].partition(":")
        run.patch("worker", run.template(image, env=[{"name": "X", "value": "2"}]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_a_killed_cloud_leaves_no_process(
    tmp_path: Path,
    run_on: Any,
    running_cloud_of: Callable[[control.CloudInfo], Any],
    echo_source: str,
    watch: tuple[Callable[..., None], Callable[[str], bool]],
) -> None:
    """Even after `kill -9` of the cloud its services' processes and their children end."""
    wait_until, is_alive = watch
    data_dir = tmp_path / "cloud"
    info = control.start(data_dir, project_id="local-proj", propagation="none")
    try:
        run = run_on(running_cloud_of(info))
        child = "import subprocess, sys\nprint('child', subprocess.Popen(['sleep', '60']).pid)\n"
        image = run.push({"main.py": child + echo_source})
        body = run.template(image)
        body["template"]["scaling"] = {"minInstanceCount": 2}
        uri = run.create("worker", body)["response"]["uri"]

        def pids() -> list[str]:
            (service,) = run.client.get("/_local/services").json()["services"]
            return [str(instance["pid"]) for instance in service["instances"]]

        wait_until(lambda: len(pids()) == 2)
        log = run.client.get("/_local/logs/worker").text
        children = [part.split()[0] for part in log.split("child ")[1:]]
        families = [*pids(), *children]
        assert len(families) == 4
        assert all(is_alive(pid) for pid in families)
        os.kill(info.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in families))
        again = control.start(data_dir, project_id="local-proj", propagation="none")
        assert again.port == info.port
        assert run.environment(uri)["PID"] not in families
    finally:
        control.stop(data_dir)


def test_several_services_start_beside_each_other(run: Any) -> None:
    """Services do not wait for one another."""
    slow = run.push({"main.py": "import time\ntime.sleep(1)\n" + SERVER})
    began_at = time.monotonic()
    with ThreadPoolExecutor() as threads:
        bodies = [run.template(slow)] * 4
        done = list(threads.map(run.create, ("one", "two", "three", "four"), bodies))
    assert all("response" in operation for operation in done)
    assert time.monotonic() - began_at < 3.5


def test_readiness_is_noticed_at_once(run: Any, echo: str) -> None:
    """Creating takes hardly longer than the process needs to listen."""
    run.create("warm", run.template(echo))
    began_at = time.monotonic()
    run.create("worker", run.template(echo))
    assert time.monotonic() - began_at < 2


def test_what_runs_and_its_logs_are_told(run: Any, echo: str, expect: Expect) -> None:
    """`/_local/services` names URL and process, `/_local/logs` the end of the output."""
    service = run.create("worker", run.template(echo))["response"]
    (told,) = expect(run.client.get("/_local/services"))["services"]
    assert told["uri"] == service["uri"]
    assert str(told["pid"]) == run.environment(service["uri"])["PID"]
    revision = service["latestReadyRevision"].rsplit("/", 1)[-1]
    assert f"hello from {revision}" in run.client.get("/_local/logs/worker").text
    expect(run.client.get("/_local/logs/none"), 404)
    # Where it is, everybody may know, as on Google.
    told = run.client.get("/_local/addresses", headers={"Authorization": ""})
    assert expect(told) == {"addresses": {service["name"]: service["uri"]}}


def test_an_http_probe_is_asked(run: Any, echo: str) -> None:
    """A service with an HTTP probe is ready once that path answers."""
    probe = {"httpGet": {"path": "/health/ready"}, "periodSeconds": 5, "failureThreshold": 2}
    assert "response" in run.create("worker", run.template(echo, startupProbe=probe))


SERVER = """
import http.server, os
http.server.ThreadingHTTPServer(
    ("127.0.0.1", int(os.environ["PORT"])), http.server.BaseHTTPRequestHandler
).serve_forever()
"""


def test_a_services_port_that_is_taken_is_named_and_nothing_stays_open(
    start_cloud: Callable[..., Any], run_on: Any, echo_source: str, tmp_path: Path
) -> None:
    """A cloud that cannot open one of its services' URLs closes those it has opened."""
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry")
        run = run_on(cloud)
        image = run.push({"main.py": echo_source})
        uris = [run.create(name, run.template(image))["response"]["uri"] for name in ("a", "b")]
    ports = [int(uri.rpartition(":")[2]) for uri in uris]
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        foreign.bind(("127.0.0.1", ports[1]))
        foreign.listen()
        with pytest.raises(control.PortTaken, match=str(ports[1])):
            control.start(tmp_path / "cloud", project_id="local-proj")
    assert "Unclosed" not in (tmp_path / "cloud" / "server.log").read_text()
    with start_cloud() as cloud:
        assert [run_on(cloud).call(uri).status_code for uri in uris] == [200, 200]
