"""Agents and their tasks over HTTP, with agents that really answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from coordination_api import Received, Time, listening, served

from orchestration.api.backend import ServerSettings
from orchestration.coordination.storage import replies
from orchestration.coordination.storage.database import Database
from orchestration.coordination.storage.replies import RequestKey

Wait = Callable[[Callable[[], object]], None]
NOBODY = 9  # The discard port: nothing listens there.


def register(client: httpx.Client, name: str = "agent", **changes: Any) -> str:
    """Register an agent and give its id."""
    answer = client.post(
        "/agents/register",
        json={
            "name": name,
            "type": "resource",
            "host": "127.0.0.1",
            "port": NOBODY,
            "capabilities": ["defragment", "undo:defragment"],
            **changes,
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["heartbeat_interval_seconds"] == 30
    return str(answer.json()["agent_id"])


def submit(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """Submit a task; it must be taken."""
    answer = client.post("/tasks", json={"task_type": "defragment", **changes})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def state(client: httpx.Client, task: dict[str, Any]) -> dict[str, Any]:
    """Read where a task stands."""
    answer = client.get(task["status_url"])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def completed(_taken: Received) -> tuple[int, bytes]:
    """Answer as an agent that does its work at once."""
    return 200, json.dumps({"status": "completed", "result": {"freed_gb": 3}}).encode()


def accepted(_taken: Received) -> tuple[int, bytes]:
    """Answer as an agent that brings the result later."""
    return 202, b""


def test_silent_agents_turn_unhealthy_and_then_are_gone(client: httpx.Client, clock: Time) -> None:
    """Item 6: 45 s of silence and 60 s, on the database's clock; a heartbeat starts anew."""
    agent = register(client)
    clock.pass_by(seconds=44)
    assert client.get(f"/agents/{agent}").json()["status"] == "healthy"
    clock.pass_by(seconds=2)
    assert client.get(f"/agents/{agent}").json()["status"] == "unhealthy"
    refused = client.post("/tasks", json={"task_type": "defragment"})
    assert (refused.status_code, refused.json()["code"]) == (503, "no-capable-agent")
    beat = client.post(f"/agents/{agent}/heartbeat", json={"status": "healthy"})
    assert beat.json()["next_interval_seconds"] == 30
    clock.pass_by(seconds=59)
    assert client.get("/agents").json()["count"] == 1
    clock.pass_by(seconds=2)
    assert client.get("/agents").json()["count"] == 0
    assert client.post(f"/agents/{agent}/heartbeat").status_code == 404


def test_a_task_is_sent_as_agreed_and_its_result_is_kept_for_an_hour(
    client: httpx.Client, clock: Time, wait_until: Wait
) -> None:
    """Item 6: POST /tasks with four fields; 200 with the result, which can be read for 1 h."""
    with listening(completed) as agent:
        register(client, port=agent.port)
        task = submit(client, parameters={"volume": "v-1"}, timeout_seconds=7)
        wait_until(lambda: state(client, task)["status"] == "completed")
    (order,) = agent.received
    assert order.path == "/tasks"
    assert json.loads(order.body) == {
        "task_id": task["task_id"],
        "task_type": "defragment",
        "parameters": {"volume": "v-1"},
        "timeout_seconds": 7,
    }
    assert state(client, task)["result"] == {"freed_gb": 3}
    clock.pass_by(minutes=59)
    assert state(client, task)["status"] == "completed"
    clock.pass_by(minutes=2)
    assert client.get(task["status_url"]).status_code == 404


def test_a_result_may_come_later(client: httpx.Client, wait_until: Wait) -> None:
    """Item 6: 202, and later POST /tasks/:id/result; a second result is refused."""
    with listening(accepted) as agent:
        register(client, port=agent.port)
        task = submit(client)
        wait_until(lambda: state(client, task)["status"] == "running")
    path = f"/tasks/{task['task_id']}/result"
    assert client.post(path, json={"status": "failed", "error": "disk full"}).status_code == 200
    assert state(client, task)["error"] == "disk full"
    late = client.post(path, json={"status": "completed"})
    assert (late.status_code, late.json()["code"]) == (409, "task-finished")
    assert state(client, task)["status"] == "failed"


def test_an_undo_is_a_capability_of_its_own(client: httpx.Client, wait_until: Wait) -> None:
    """Item 6: `undo:<action>` is sent like any task, with the action's result."""
    with listening(completed) as agent:
        register(client, port=agent.port)
        task = submit(client, task_type="undo:defragment", parameters={"result": {"freed_gb": 3}})
        wait_until(lambda: state(client, task)["status"] == "completed")
    assert json.loads(agent.received[0].body)["task_type"] == "undo:defragment"


def test_an_agent_that_does_not_answer_gets_three_more_tries(
    client: httpx.Client, wait_until: Wait
) -> None:
    """Item 6: 3 retries, then the task has failed, with the reason."""
    register(client)
    task = submit(client)
    wait_until(lambda: state(client, task)["status"] == "failed")
    found = state(client, task)
    assert found["retry_count"] == 3
    assert f"127.0.0.1:{NOBODY}" in found["error"]


def test_a_retry_goes_to_another_agent_that_can(client: httpx.Client, wait_until: Wait) -> None:
    """Item 6: the one that failed has an open task, so the other one is less loaded."""
    broken = register(client, "broken")
    task = submit(client)
    assert task["agent_id"] == broken
    with listening(completed) as agent:
        working = register(client, "working", port=agent.port)
        wait_until(lambda: state(client, task)["status"] == "completed")
    assert state(client, task)["agent_id"] == working


def test_a_task_that_is_accepted_and_never_done_times_out(
    client: httpx.Client, clock: Time, wait_until: Wait
) -> None:
    """Item 6: each attempt has its time-out; after the last one the task has timed out."""
    with listening(accepted) as agent:
        register(client, port=agent.port)
        task = submit(client, timeout_seconds=30, max_retries=0)
        wait_until(lambda: state(client, task)["status"] == "running")
        clock.pass_by(seconds=29)
        assert state(client, task)["status"] == "running"
        clock.pass_by(seconds=2)
        wait_until(lambda: state(client, task)["status"] == "timeout")
    answer = client.post(f"/tasks/{task['task_id']}/result", json={"status": "completed"})
    assert answer.status_code == 409


def test_time_outs_are_thirty_seconds_and_at_most_five_minutes(client: httpx.Client) -> None:
    """Item 6: 30 s where none is given; more than 5 min is refused."""
    register(client)
    submit(client)
    (entry,) = client.get("/tasks").json()["tasks"]
    assert entry["timeout"] == 30 * 10**9
    too_long = {"task_type": "defragment", "timeout_seconds": 301}
    assert client.post("/tasks", json=too_long).status_code == 400


def test_a_cancelled_task_stays_cancelled(client: httpx.Client, wait_until: Wait) -> None:
    """Item 6: what its agent brings later is refused, as is a second cancel."""
    with listening(accepted) as agent:
        register(client, port=agent.port)
        task = submit(client)
        wait_until(lambda: state(client, task)["status"] == "running")
        path = f"/tasks/{task['task_id']}"
        assert client.delete(path).json() == {"message": "Task cancelled successfully"}
        assert client.delete(path).status_code == 409
    assert client.post(f"{path}/result", json={"status": "completed"}).status_code == 409
    assert client.get("/tasks", params={"status": "cancelled"}).json()["count"] == 1


def test_o20_tasks_go_to_capable_agents_by_load_and_then_in_turn(client: httpx.Client) -> None:
    """O20: the least loaded gets the next one; among equals the one that waited longest."""
    with listening(accepted) as agent:
        incapable = register(client, "other", capabilities=["something"])
        agents = {register(client, f"agent-{n}", port=agent.port) for n in range(3)}
        tasks = [submit(client) for _ in range(6)]
        given = [task["agent_id"] for task in tasks]
        assert set(given[:3]) == set(given[3:]) == agents
        assert incapable not in given
        for task in tasks:
            assert client.delete(task["status_url"]).status_code == 200
        assert submit(client)["agent_id"] == given[3]


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "10.0.0.7", "example.com", "224.0.0.1"]
)
def test_addresses_that_are_not_listed_are_refused(client: httpx.Client, host: str) -> None:
    """API7: an agent cannot have this machine call whom it likes; link-local never."""
    body = {"name": "a", "type": "cost", "host": host, "port": 80, "capabilities": ["x"]}
    answer = client.post("/agents/register", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "endpoint-refused")


def test_link_local_is_refused_even_where_it_is_listed(database: Database) -> None:
    """API7: a network that is wide enough opens no way to a cloud's metadata server."""
    with served(database, ServerSettings(allowed_agents=("0.0.0.0/0",))) as client:
        body = {"name": "a", "type": "cost", "port": 80, "capabilities": ["x"]}
        for host, status in (("169.254.169.254", 422), ("10.0.0.7", 201)):
            answer = client.post("/agents/register", json={**body, "host": host})
            assert answer.status_code == status


def test_redirects_are_not_followed(client: httpx.Client, wait_until: Wait) -> None:
    """API7: an agent that is allowed cannot pass a task on to an address that is not."""
    with listening(completed) as target:
        location = [("location", f"http://127.0.0.1:{target.port}/tasks")]
        with listening(lambda _: (307, b""), headers=location) as agent:
            register(client, port=agent.port)
            task = submit(client, max_retries=0)
            wait_until(lambda: state(client, task)["status"] == "failed")
        assert "307" in state(client, task)["error"]
        assert target.received == []


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"status": "done"}', b'{"status": "completed", "more": 1}', b"x" * 1_100_000],
)
def test_answers_that_are_not_as_agreed_are_no_results(
    client: httpx.Client, wait_until: Wait, answer: bytes
) -> None:
    """API10: what agents answer is checked like what anybody sends."""
    with listening(lambda _: (200, answer)) as agent:
        register(client, port=agent.port)
        task = submit(client, max_retries=0)
        wait_until(lambda: state(client, task)["status"] == "failed")
    assert "answer" in state(client, task)["error"]


def test_the_named_agent_gets_the_task_or_nobody(client: httpx.Client) -> None:
    """Item 6: an agent that is not there, or cannot do it, is refused."""
    able, unable = register(client, "able"), register(client, "unable", capabilities=["x"])
    assert submit(client, agent_id=able)["agent_id"] == able
    wish = {"task_type": "defragment", "agent_id": unable}
    assert client.post("/tasks", json=wish).json()["code"] == "agent-incapable"
    assert client.post("/tasks", json={**wish, "agent_id": "gone"}).status_code == 404


def test_an_agent_that_comes_back_takes_its_old_place(client: httpx.Client) -> None:
    """Item 6: registering again at the same address leaves one agent; unregistering none."""
    register(client)
    agent = register(client)
    assert [found["id"] for found in client.get("/agents/type/resource").json()["agents"]] == [
        agent
    ]
    assert client.get("/agents/type/cost").json()["count"] == 0
    assert client.post(f"/agents/{agent}/unregister").status_code == 200
    assert client.get(f"/agents/{agent}").status_code == 404


def test_upkeep_forgets_old_replies(
    client: httpx.Client, database: Database, clock: Time, wait_until: Wait
) -> None:
    """Idempotency keys are kept for a day, and then dropped without being asked."""
    key = RequestKey(caller="c", key="k", digest="d")
    with database.transaction() as tx:
        replies.reserve(tx, key)
        replies.keep(tx, key, status=200, body="{}")
    clock.pass_by(hours=25)

    def is_free() -> bool:
        with database.transaction() as tx:
            is_new = replies.reserve(tx, key) is None
            if is_new:
                replies.keep(tx, key, status=200, body="{}")
            return is_new

    wait_until(is_free)
