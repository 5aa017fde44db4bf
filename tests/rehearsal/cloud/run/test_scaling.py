"""Instances come and go with the requests, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from rehearsal.cloud.run import capacity, fleet, rollout
from rehearsal.cloud.run.capacity import Capacity
from rehearsal.cloud.run.scaling import Scaling, scaling_of

GATED_SERVICE = """
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        while self.path == "/hold" and not os.path.exists(os.environ["GATE"]):
            time.sleep(0.01)
        if self.path == "/crash":
            os._exit(3)
        body = json.dumps({"PID": str(os.getpid())}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
Answers = list[Future[httpx.Response]]


class Gated:
    """A service whose requests to `/hold` are answered when the gate opens."""

    def __init__(self, run: Any, gate: Path, image: str) -> None:
        self.run = run
        self._gate = gate
        self._image = image

    def body(self, *, concurrency: int = 1, **scaling: Any) -> dict[str, Any]:
        """Describe the service."""
        env = [{"name": "GATE", "value": str(self._gate)}]
        body: dict[str, Any] = self.run.template(self._image, env=env)
        body["template"] |= {"maxInstanceRequestConcurrency": concurrency, "scaling": scaling}
        return body

    def pids(self) -> list[int]:
        """Return the processes of the service."""
        (service,) = self.run.client.get("/_local/services").json()["services"]
        return [instance["pid"] for instance in service["instances"]]

    def open(self) -> None:
        """Let all requests be answered."""
        self._gate.touch()

    @contextmanager
    def held(self, uri: str, count: int) -> Iterator[Answers]:
        """Have requests wait in the service while the block runs, then answer them."""
        # The first token makes the key, which threads must not do at a time.
        self.run.token(uri)
        with ThreadPoolExecutor(max_workers=count) as threads:
            try:
                yield [threads.submit(self.run.call, uri, "/hold") for _ in range(count)]
            finally:
                self.open()


@pytest.fixture
def gated(run: Any, tmp_path: Path) -> Gated:
    """The gated service's image, pushed."""
    return Gated(run, tmp_path / "gate", run.push({"main.py": GATED_SERVICE}))


def template(concurrency: int = 80, **scaling: Any) -> dict[str, Any]:
    """A template as far as scaling reads it."""
    return {
        "maxInstanceRequestConcurrency": concurrency,
        "scaling": {"maxInstanceCount": 100} | scaling,
    }


@pytest.mark.parametrize(
    ("service", "revision", "percent", "expected"),
    [
        ({}, {}, 100, Scaling(1, 100, 80)),
        ({}, {"minInstanceCount": 3}, 100, Scaling(3, 100, 80, promised=3)),
        ({}, {"minInstanceCount": 3, "maxInstanceCount": 2}, 100, Scaling(2, 2, 80, promised=2)),
        ({"minInstanceCount": 4}, {"minInstanceCount": 1}, 50, Scaling(2, 100, 80, promised=2)),
        ({"maxInstanceCount": 5}, {}, 50, Scaling(1, 3, 80)),
        ({"maxInstanceCount": 5}, {}, 0, Scaling(1, 1, 80)),
        (
            {"scalingMode": "MANUAL", "manualInstanceCount": 3},
            {"maxInstanceCount": 1},
            100,
            Scaling(3, 3, 80, promised=3),
        ),
        ({"scalingMode": "MANUAL"}, {}, 100, Scaling(0, 0, 80)),
        ({}, {"concurrencyUtilization": 0.5}, 100, Scaling(1, 100, 80, 0.5)),
    ],
)
def test_service_and_revision_bound_the_instances(
    service: Mapping[str, Any], revision: Mapping[str, Any], percent: int, expected: Scaling
) -> None:
    """The greater minimum and the smaller maximum hold; the service's own are divided."""
    body = {"scaling": dict(service)}
    assert scaling_of(body, template(**revision), percent, is_kept_warm=True) == expected


def test_as_many_instances_as_the_requests_need() -> None:
    """Another one is wanted once the share of each that may be in use is in use."""
    scaling = Scaling(1, 4, 10, 0.5)
    assert [scaling.wanted(count) for count in (0, 1, 5, 6, 100)] == [1, 1, 1, 2, 4]
    assert Scaling(0, 0, 80).wanted(7) == 0


def test_a_machine_keeps_room_for_the_first_instances() -> None:
    """Scaling out takes only part of what there is, and gives it back."""
    machine = Capacity(3, 1)
    assert machine.take(is_extra=False)
    extra = machine.take(is_extra=True)
    assert extra
    assert not machine.take(is_extra=True)
    assert machine.take(is_extra=False)
    assert not machine.take(is_extra=False)
    extra.give_back()
    extra.give_back()
    assert machine.take(is_extra=True)
    assert not machine.take(is_extra=False)


def test_a_machines_bound_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting counts for all instances; without it the machine's size does."""
    assert Capacity.of_machine().most >= 16
    monkeypatch.setenv(capacity.SETTING, "5")
    assert (Capacity.of_machine().most, Capacity.of_machine().most_extra) == (5, 5)


def test_requests_beyond_the_concurrency_start_instances_up_to_the_maximum(
    gated: Gated, wait_until: Callable[..., None]
) -> None:
    """Four requests at a time of one each: three instances answer, and one request waits."""
    uri = gated.run.create("worker", gated.body(maxInstanceCount=3))["response"]["uri"]
    assert len(gated.pids()) == 1
    with gated.held(uri, 4) as answers:
        wait_until(lambda: len(gated.pids()) == 3)
        assert not any(answer.done() for answer in answers)
    assert [answer.result().status_code for answer in answers] == [200] * 4
    assert len({answer.result().json()["PID"] for answer in answers}) == 3


def test_idle_instances_end_down_to_the_minimum(
    gated: Gated, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody needed for a while ends; the last one stays, though the minimum is 0."""
    uri = gated.run.create("worker", gated.body())["response"]["uri"]
    with gated.held(uri, 3):
        wait_until(lambda: len(gated.pids()) == 3)
        monkeypatch.setattr(fleet, "IDLE_S", 0.1)
    wait_until(lambda: len(gated.pids()) == 1)
    assert gated.run.call(uri).status_code == 200


def test_a_service_that_may_scales_to_zero_and_starts_with_the_next_request(
    gated: Gated, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting an idle service has no process; a request waits for a cold start."""
    monkeypatch.setenv(rollout.SCALE_TO_ZERO_SETTING, "1")
    monkeypatch.setattr(fleet, "IDLE_S", 0.1)
    uri = gated.run.create("worker", gated.body())["response"]["uri"]
    wait_until(lambda: gated.pids() == [])
    assert gated.run.call(uri).status_code == 200


def test_minimum_instances_are_there_without_requests(
    gated: Gated, wait_until: Callable[..., None]
) -> None:
    """A minimum is started at once, told by the revision, and restored when one crashes."""
    service = gated.run.create("worker", gated.body(minInstanceCount=2))["response"]
    wait_until(lambda: len(gated.pids()) == 2)
    revision = gated.run.client.get(f"/run/v2/{service['latestReadyRevision']}").json()
    assert revision["scalingStatus"] == {"desiredMinInstanceCount": 2}
    before = set(gated.pids())
    assert gated.run.call(service["uri"], "/crash").status_code == 503
    wait_until(lambda: len(gated.pids()) == 2 and set(gated.pids()) != before)


def test_a_service_scaled_by_hand_has_just_so_many(
    gated: Gated, wait_until: Callable[..., None]
) -> None:
    """Manual scaling fixes the number without a new revision; 0 switches the service off."""
    first = gated.run.create("worker", gated.body())["response"]

    def scale(count: int) -> Any:
        manual = {"scalingMode": "MANUAL", "manualInstanceCount": count}
        return gated.run.patch("worker", gated.body() | {"scaling": manual})["response"]

    assert scale(2)["latestReadyRevision"] == first["latestReadyRevision"]
    wait_until(lambda: len(gated.pids()) == 2)
    scale(0)
    assert gated.run.call(first["uri"]).status_code == 503


def test_a_request_that_finds_no_instance_in_time_is_refused(
    gated: Gated, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the maximum requests wait; then they are answered 429 in Google's words."""
    uri = gated.run.create("worker", gated.body(maxInstanceCount=1))["response"]["uri"]
    monkeypatch.setattr(fleet, "PATIENCE_S", 0.2)
    monkeypatch.setattr(fleet, "_STARTS_WAITED_FOR", 0)
    with gated.held(uri, 2) as answers:
        wait_until(lambda: any(answer.done() for answer in answers))
    refused, answered = sorted((one.result() for one in answers), key=lambda one: -one.status_code)
    assert (refused.status_code, answered.status_code) == (429, 200)
    assert "no available instance" in refused.text
    assert "no available instance" in gated.run.client.get("/_local/logs/worker").text


def test_a_full_machine_says_so(
    start_cloud: Callable[..., Any],
    run_on: Callable[[Any], Any],
    tmp_path: Path,
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the bound nothing is started: revision, log and operation say why, and what to do."""
    monkeypatch.setenv(capacity.SETTING, "2")
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry")
        run = run_on(cloud)
        gated = Gated(run, tmp_path / "gate", run.push({"main.py": GATED_SERVICE}))
        service = run.create("worker", gated.body(minInstanceCount=50))["response"]

        def short() -> Any:
            revision = run.client.get(f"/run/v2/{service['latestReadyRevision']}").json()
            return [
                condition["message"]
                for condition in revision["conditions"]
                if condition["type"] == "ResourcesAvailable"
                and condition["state"] == "CONDITION_FAILED"
            ]

        wait_until(lambda: len(gated.pids()) == 2 and short())
        assert capacity.SETTING in short()[0]
        assert capacity.SETTING in run.client.get("/_local/logs/worker").text
        error = run.create("other", gated.body())["error"]
        assert error["code"] == 8
        assert capacity.SETTING in error["message"]
        run.delete("worker")
        assert "response" in run.patch("other", gated.body())
