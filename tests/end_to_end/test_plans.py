"""Plans on the deployed sample system: run, killed, taken up, kept by `up`, and taken back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 90.0


@contextmanager
def serving(rehearsal: Rehearsal) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """Have `conductor serve` act on the environment while the block runs, unless it is killed."""
    command = ["serve", "--env", "local", "--port", "0", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli.main", *command],
        env=rehearsal.environ(),
        cwd=rehearsal.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            with httpx.Client(base_url=url, timeout=30) as client:
                yield client, server
        finally:
            server.terminate()


def started(client: httpx.Client, action: str, *, id_: str = "one", **parameters: object) -> str:
    """Recommend an action on the publisher, and give the plan that runs at once."""
    item = {
        "id": f"{action}-{id_}",
        "agent_id": "cost-agent-1",
        "customer_id": "cust-1",
        "type": "cost",
        "action": action,
        "risk_level": "low",
        "affected_resources": ["services/tracer-publisher"],
        "parameters": parameters,
    }
    body = {"customer_id": "cust-1", "recommendations": [item], "auto_approve": True}
    answer = client.post("/coordination/coordinate", json={**body, "execute_now": True})
    assert answer.status_code == 200, answer.text
    (plan,) = answer.json()["execution_plans"]
    return str(plan["id"])


def when(client: httpx.Client, plan_id: str, is_so: Callable[[dict[str, Any]], bool]) -> Any:
    """Read a plan until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        plan = client.get(f"/coordination/plans/{plan_id}").json()
        if is_so(plan):
            return plan
        time.sleep(0.05)
    raise TimeoutError(plan)


def has_ended(plan: dict[str, Any]) -> bool:
    """Say whether nothing is to be done with a plan."""
    return plan["status"] not in {"pending", "running"} and "queued_at" not in plan


def service(rehearsal: Rehearsal, region: str) -> dict[str, Any] | None:
    """Read the publisher as Cloud Run has it in a region."""
    record = rehearsal.cloud_record()
    answer = httpx.get(
        f"http://127.0.0.1:{record['port']}/run/v2/projects/local-proj/locations/{region}"
        "/services/tracer-publisher",
        headers={"Authorization": f"Bearer {record['deployer_token']}"},
    )
    found: dict[str, Any] | None = answer.json() if answer.is_success else None
    return found


def test_a_killed_plan_is_taken_up_kept_by_up_and_taken_back(rehearsal: Rehearsal) -> None:
    """Step 6: kill -9 in the middle of a step; its record outlives `up`, but no rollback."""
    assert rehearsal.up("--propagation", "none").returncode == 0
    with serving(rehearsal) as (client, server):
        plan_id = started(client, "migrate_to_spot", region="europe-west4", probes=5)
        when(client, plan_id, lambda plan: plan["steps"][1]["status"] == "running")
        server.kill()

    with serving(rehearsal) as (client, _):
        plan = when(client, plan_id, has_ended)
        assert plan["status"] == "completed", plan
        moved = service(rehearsal, "europe-west4")
        assert service(rehearsal, "europe-west1") is None
        assert moved is not None
        assert moved["template"]["containers"][0]["resources"]["cpuIdle"] is True

        again = rehearsal.up("--propagation", "none")
        assert again.returncode == 0, again.stdout + again.stderr
        assert service(rehearsal, "europe-west4") is not None
        proof = rehearsal.prove()
        assert proof.returncode == 0, proof.stdout + proof.stderr
        listed = rehearsal.run("overrides", "list", "--json")
        recorded = {line["key"]: line for line in map(json.loads, listed.stdout.splitlines())}
        assert recorded["region"]["plan_id"] == plan_id
        assert recorded["region"]["has_effect"]

        assert client.post(f"/coordination/plans/{plan_id}/rollback").status_code == 202
        assert when(client, plan_id, has_ended)["status"] == "rolled_back"
    assert service(rehearsal, "europe-west1") is not None
    assert service(rehearsal, "europe-west4") is None
    assert rehearsal.run("overrides", "list", "--json").stdout == ""


# An action of each template of document 004, the default one last, with what it needs.
TEMPLATES: dict[str, dict[str, object]] = {
    "migrate_to_spot": {"region": "europe-west4", "probes": 3},
    "scale_down": {"count": 2, "probes": 3},
    "scale_up": {"count": 3},
}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("action", TEMPLATES)
def test_a_plan_killed_at_each_step_comes_to_its_end(rehearsal: Rehearsal, action: str) -> None:
    """Step 6, item 6: kill -9 as each step of each template begins; then done, and taken back."""
    assert rehearsal.without_preflight().up("--propagation", "none").returncode == 0
    at, steps = 0, 1
    while at < steps:
        with serving(rehearsal) as (client, server):
            plan_id = started(client, action, id_=str(at), **TEMPLATES[action])
            when(client, plan_id, lambda plan, at=at: plan["steps"][at]["status"] != "pending")
            server.kill()
        with serving(rehearsal) as (client, _):
            plan = when(client, plan_id, has_ended)
            assert plan["status"] == "completed", plan
            assert client.post(f"/coordination/plans/{plan_id}/rollback").status_code == 202
            assert when(client, plan_id, has_ended)["status"] == "rolled_back"
        assert service(rehearsal, "europe-west1") is not None
        assert rehearsal.run("overrides", "list", "--json").stdout == ""
        at, steps = at + 1, len(plan["steps"])
