"""The coordination engine over HTTP: document 004's scenarios, its errors, and who may do what."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from coordination_api import coordinate, recommendation


def test_scenario_1_of_document_004_keeps_the_stronger(client: httpx.Client) -> None:
    """4.17: a conflict on shared instances; the cost recommendation is kept, with its reasons."""
    body = coordinate(
        client,
        recommendation(
            "cost",
            action="migrate_to_spot",
            estimated_savings=2000.0,
            affected_resources=[f"i-{n}" for n in range(1, 6)],
        ),
        recommendation(
            "resource",
            agent_id="resource-agent-1",
            agent_type="resource",
            type="resource",
            estimated_savings=1500.0,
            affected_resources=[f"i-{n}" for n in range(3, 6)],
        ),
        auto_approve=True,
    )
    assert (body["conflicts_detected"], body["recommendations_kept"]) == (1, 1)
    (conflict,) = body["conflicts"]
    assert conflict["type"] == "resource"
    for shared in ("i-3", "i-4", "i-5"):
        assert shared in conflict["description"]
    (kept,) = body["recommendations"]
    assert kept["id"] == "cost"
    assert kept["would_flip"]
    (plan,) = body["execution_plans"]
    assert [step["action"] for step in plan["steps"]] == [
        "take_snapshot",
        "migrate_workload",
        "validate_quality",
    ]
    assert client.get(f"/coordination/plans/{plan['id']}").json()["status"] == "pending"


def test_scenario_2_of_document_004_makes_the_plan_on_approval(client: httpx.Client) -> None:
    """4.23: people are asked, told, and their agreement makes the plan, which nothing runs yet."""
    body = coordinate(client, recommendation("r", risk_level="high"))
    (asked,) = body["approvals"]
    listed = client.get("/coordination/approvals", params={"customer_id": "cust-1"}).json()
    assert listed["count"] == 1
    path = f"/coordination/approvals/{asked['id']}"
    done = client.post(f"{path}/approve", json={"user_id": "alice"})
    assert done.status_code == 200
    assert done.json()["message"] == "Recommendation approved"
    plan_id = done.json()["plan_id"]
    assert client.get(path).json()["plan_id"] == plan_id
    refused = client.post(f"/coordination/plans/{plan_id}/execute")
    assert refused.status_code == 503
    assert refused.json()["code"] == "executor-not-available"
    again = client.post(f"{path}/reject", json={"user_id": "bob", "reason": "late"})
    assert again.status_code == 409
    assert again.json()["error"] == again.json()["detail"]


def test_nobody_approves_what_their_own_agent_asked_for(client: httpx.Client) -> None:
    """C4: neither the agent nor one person twice for what is critical."""
    body = coordinate(client, recommendation("r", risk_level="critical"))
    path = f"/coordination/approvals/{body['approvals'][0]['id']}/approve"
    assert client.post(path, json={"user_id": "cost-agent-1"}).status_code == 403
    first = client.post(path, json={"user_id": "alice"})
    assert first.json()["message"] == "Approval recorded: 1 of 2"
    assert client.post(path, json={"user_id": "alice"}).status_code == 403
    assert client.post(path, json={"user_id": "bob"}).json()["plan_id"]


def test_changed_content_voids_an_approval(client: httpx.Client) -> None:
    """4.19: what is approved is what was shown; the newest question counts."""
    older = coordinate(client, recommendation("r", risk_level="high"))["approvals"][0]
    newer = coordinate(client, recommendation("r", risk_level="high", parameters={"count": 9}))
    path = f"/coordination/approvals/{older['id']}/approve"
    refused = client.post(path, json={"user_id": "alice"})
    assert refused.status_code == 409
    assert refused.json()["code"] == "content-changed"
    newest = f"/coordination/approvals/{newer['approvals'][0]['id']}/approve"
    shown = {"user_id": "alice", "content_hash": "0" * 64}
    assert client.post(newest, json=shown).json()["code"] == "content-changed"
    assert client.post(newest, json={"user_id": "alice"}).status_code == 200


def test_an_agent_that_repeats_itself_voids_no_approval(client: httpx.Client) -> None:
    """What somebody is deciding on stays, while its content is the same."""
    same = recommendation("r", risk_level="high")
    first, second = (coordinate(client, same)["approvals"][0] for _ in range(2))
    assert first["id"] == second["id"]
    path = f"/coordination/approvals/{first['id']}/approve"
    assert client.post(path, json={"user_id": "alice"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"recommendations": []}, 400, "customer_id"),
        ({"customer_id": "c", "recommendations": [None]}, 400, "recommendations"),
        ({"customer_id": "cust-1", "recommendations": [{"id": "r"}]}, 400, "recommendations"),
        ({"customer_id": "cust-2", "recommendations": [recommendation("r")]}, 400, "cust-1"),
        (
            {"customer_id": "cust-1", "recommendations": [recommendation("r")] * 2},
            422,
            "recommendations[1]",
        ),
    ],
)
def test_a_request_that_is_none_is_refused(
    client: httpx.Client, body: dict[str, Any], status: int, said: str
) -> None:
    """4.34: a problem with `error`, naming what is wrong."""
    answer = client.post("/coordination/coordinate", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert said in answer.text
    assert answer.json()["error"]


def test_an_action_that_nobody_offers_is_weighed_but_never_planned(client: httpx.Client) -> None:
    """C9: marked as blocked; to run it at once is refused naming it."""
    item = recommendation("r", action="migrate_database")
    body = coordinate(client, item, auto_approve=True)
    assert body["recommendations"][0]["blocked_by"] == ["no-handler"]
    assert "execution_plans" not in body
    refused = client.post(
        "/coordination/coordinate",
        json={"customer_id": "cust-1", "recommendations": [item], "execute_now": True},
    )
    assert refused.status_code == 422
    assert "migrate_database" in refused.text


def test_what_nothing_can_run_yet_stays_pending_and_says_so(client: httpx.Client) -> None:
    """Item 5: `execute_now` makes the plan; without an executor the reply has the reason."""
    body = coordinate(client, recommendation("r"), auto_approve=True, execute_now=True)
    assert body["not_executed"] == "executor-not-available"
    (plan,) = body["execution_plans"]
    assert plan["status"] == "pending"
    refused = client.post(f"/coordination/plans/{plan['id']}/execute")
    assert (refused.status_code, refused.json()["code"]) == (503, "executor-not-available")


def test_an_idempotency_key_answers_again_without_acting_again(client: httpx.Client) -> None:
    """A repeated request is the same request."""
    request = {"customer_id": "cust-1", "recommendations": [recommendation("r")]}
    answers = [
        client.post("/coordination/coordinate", json=request, headers={"Idempotency-Key": "k-1"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    in_body = {**request, "idempotency_key": "k-2"}
    ids = {client.post("/coordination/coordinate", json=in_body).json()["id"] for _ in range(2)}
    assert len(ids) == 1
