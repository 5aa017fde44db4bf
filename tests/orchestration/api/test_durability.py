"""Decisions survive `kill -9`, keys survive restarts, and ending drains: with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from coordination_api import Received, Time, coordinate, listening, recommendation, served

from orchestration.api.backend import ServerSettings
from orchestration.coordination.storage import audit, coordinations
from orchestration.coordination.storage.database import Database

Wait = Callable[[Callable[[], object]], None]
MAIN = "from orchestration.cli.main import main; main()"


@dataclass
class Server:
    """A running `conductor serve`, and a client of it."""

    process: subprocess.Popen[str]
    client: httpx.Client
    announced: Mapping[str, Any]


@contextmanager
def serving(tmp_path: Path, url: str) -> Iterator[Server]:
    """Run `conductor serve` while the block runs; the block may kill it."""
    (tmp_path / "Pulumi.yaml").write_text("name: demo\nruntime: python\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ["CONDUCTOR_PROJECT_DIR"] = str(tmp_path)
    words = ["serve", "--port", "0", "--database-url", url, "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            with httpx.Client(base_url=announced["url"], timeout=30) as client:
                yield Server(process, client, announced)
        finally:
            process.kill()


@pytest.mark.timeout(180)
def test_kill_loses_nothing_that_was_acknowledged_and_ending_drains(
    tmp_path: Path, coordination_url: str
) -> None:
    """Item 8: what was answered before `kill -9` is there after it; SIGTERM answers what it has."""
    with serving(tmp_path, coordination_url) as server:
        assert server.announced["tokens_required"] is False
        first = keyed(server.client)
        asked = [
            coordinate(server.client, recommendation(f"r{n}", risk_level="high"))["approvals"][0]
            for n in range(40)
        ]
        acknowledged = approve_until_killed(server, asked)
    assert 12 <= len(acknowledged) < 40
    with serving(tmp_path, coordination_url) as server:
        for plan_id in acknowledged:
            plan = server.client.get(f"/coordination/plans/{plan_id}")
            assert plan.json()["status"] == "pending"
        kept = [server.client.get(f"/coordination/approvals/{a['id']}").json() for a in asked]
        again = keyed(server.client)
        assert again.json() == first.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        drained = post_while_ending(server)
        assert drained.status_code == 200
        assert server.process.wait(20) == 0
    # One transaction each: an approval is approved with its plan, or waits without one.
    for approval in kept:
        assert (approval["status"] == "approved") == ("plan_id" in approval)
    database = Database.open(coordination_url)
    with database.reading() as tx:
        decided = sum(one["status"] == "approved" for one in kept)
        assert audit.verify(tx) == 1 + 40 + decided + 1
        assert coordinations.find(tx, drained.json()["id"]) is not None
    database.close()


def keyed(client: httpx.Client) -> httpx.Response:
    """Send the one request of a key."""
    item = recommendation("keyed", created_at=None, expires_at=None)
    request = {"customer_id": "cust-1", "recommendations": [item]}
    headers = {"Idempotency-Key": "k-1"}
    return client.post("/coordination/coordinate", json=request, headers=headers)


def approve_until_killed(server: Server, asked: Sequence[Mapping[str, Any]]) -> list[str]:
    """Approve with four clients, kill the server in the midst, and give the plans it told of."""
    acknowledged: list[str] = []

    def decide(approval: Mapping[str, Any]) -> None:
        path = f"/coordination/approvals/{approval['id']}/approve"
        try:
            answer = server.client.post(path, json={"user_id": "alice"})
        except httpx.HTTPError:
            return
        acknowledged.append(answer.json()["plan_id"])
        if len(acknowledged) == 12:
            server.process.send_signal(signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, asked))
    assert server.process.wait() == -signal.SIGKILL
    return acknowledged


def post_while_ending(server: Server) -> httpx.Response:
    """Tell the server to end while half of a request has arrived; give what it answers."""
    item = recommendation("drained", risk_level="high")
    body = json.dumps({"customer_id": "cust-1", "recommendations": [item]}).encode()
    half, rest = threading.Event(), threading.Event()

    def upload() -> Iterator[bytes]:
        yield body[:50]
        half.set()
        rest.wait(10)
        yield body[50:]

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(
            server.client.post,
            "/coordination/coordinate",
            content=upload(),
            headers={"content-type": "application/json"},
        )
        half.wait(10)
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 10
        while is_open(httpx.URL(server.announced["url"])) and time.monotonic() < deadline:
            time.sleep(0.01)
        rest.set()
        return answer.result()


def is_open(address: httpx.URL) -> bool:
    """Say whether new connections are taken."""
    try:
        socket.create_connection((address.host, address.port or 80), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_task_whose_sender_ended_is_sent_again(
    database: Database, quick: ServerSettings, clock: Time, wait_until: Wait
) -> None:
    """Item 8: an attempt is recorded before it is made; without an answer it is made again."""
    may_answer = threading.Event()

    def answer(_taken: Received) -> tuple[int, bytes]:
        may_answer.wait(20)
        return 200, b'{"status": "completed"}'

    with listening(answer) as agent:
        registration = {
            "name": "a",
            "type": "cost",
            "host": "127.0.0.1",
            "port": agent.port,
            "capabilities": ["x"],
        }
        with served(database, quick) as client:
            client.post("/agents/register", json=registration)
            sent = client.post("/tasks", json={"task_type": "x", "timeout_seconds": 20}).json()
            wait_until(lambda: len(agent.received) == 1)
        may_answer.set()
        with served(database, quick) as client:
            assert client.get(sent["status_url"]).json()["status"] == "sent"
            clock.pass_by(seconds=23)
            wait_until(lambda: client.get(sent["status_url"]).json()["status"] == "completed")
    orders = [json.loads(taken.body) for taken in agent.received]
    assert [order["task_id"] for order in orders] == [sent["task_id"]] * 2


@pytest.mark.parametrize("clients", [8, 50])
def test_clients_that_race_decide_once(client: httpx.Client, clients: int) -> None:
    """Fault case 34: approvals and rejections at once make one verdict, one record, one plan."""
    asked = coordinate(client, recommendation("r", risk_level="high"))["approvals"][0]
    path = f"/coordination/approvals/{asked['id']}"

    def decide(number: int) -> httpx.Response:
        body = {"user_id": f"user-{number}"}
        if number % 2:
            return client.post(f"{path}/approve", json=body)
        return client.post(f"{path}/reject", json={**body, "reason": "no"})

    with ThreadPoolExecutor(min(clients, 16)) as pool:
        answers = list(pool.map(decide, range(clients)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (clients - 1)
    verdict = client.get(path).json()["status"]
    plans = client.get("/coordination/plans", params={"customer_id": "cust-1"}).json()
    assert plans["count"] == (1 if verdict == "approved" else 0)
    log = client.get("/coordination/audit", params={"verify": True}).json()
    assert len(log["entries"]) == 2


def test_one_recommendation_sent_by_eight_is_asked_about_once(client: httpx.Client) -> None:
    """Item 4: however many send it at once, people have one question to answer."""
    item = recommendation("r", risk_level="high")
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: coordinate(client, item), range(8)))
    assert len({body["approvals"][0]["id"] for body in bodies}) == 1
    listed = client.get("/coordination/approvals", params={"customer_id": "cust-1"}).json()
    assert listed["count"] == 1


def test_one_key_sent_by_eight_acts_once(client: httpx.Client) -> None:
    """Item 6: the first one acts, the others wait for it and get its reply."""
    item = recommendation("r", risk_level="high")
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: coordinate(client, item, idempotency_key="k"), range(8)))
    assert len({body["id"] for body in bodies}) == 1
