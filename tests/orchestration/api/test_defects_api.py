"""Defects of the prototype that only its served API showed (specification 1.8), by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from coordination_api import coordinate, recommendation, served

from orchestration.api.backend import Backend, ServerSettings
from orchestration.api.refusals import AddressUnusable, TokenMissing
from orchestration.api.running import serve
from orchestration.coordination.identity import Caller
from orchestration.coordination.model import Recommendation
from orchestration.coordination.rules_file import read_rules
from orchestration.coordination.service import Coordinator, Decision
from orchestration.coordination.storage.approvals import Verdict
from orchestration.coordination.storage.database import Database, Transaction
from orchestration.coordination.storage.errors import StorageUnreachable


@pytest.mark.parametrize(
    ("risk", "auto", "without"),
    [("low", 0, 1), ("medium", 0, 1), ("high", 1, 1), ("critical", 1, 1)],
)
def test_o9_auto_approve_has_an_effect(
    client: httpx.Client, risk: str, auto: int, without: int
) -> None:
    """O9: it had none; and what is approved at once has its plan at once."""
    for flag, asked in ((True, auto), (False, without)):
        body = coordinate(client, recommendation("r", risk_level=risk), auto_approve=flag)
        assert body["approvals_required"] == asked
        assert body["auto_approved"] == 1 - asked
        assert len(body.get("execution_plans", ())) == 1 - asked


def test_o10_approving_makes_the_plan_and_says_which(client: httpx.Client) -> None:
    """O10: it only wrote a line into the log."""
    (asked,) = coordinate(client, recommendation("r", risk_level="high"))["approvals"]
    path = f"/coordination/approvals/{asked['id']}/approve"
    done = client.post(path, json={"user_id": "alice"}).json()
    plan = client.get(f"/coordination/plans/{done['plan_id']}").json()
    assert (plan["recommendation_id"], plan["status"]) == ("r", "pending")


def test_o10_approving_what_nobody_offers_says_what_is_in_the_way(client: httpx.Client) -> None:
    """O10, C9: no plan, and why."""
    item = recommendation("r", risk_level="high", action="migrate_database")
    (asked,) = coordinate(client, item)["approvals"]
    path = f"/coordination/approvals/{asked['id']}/approve"
    done = client.post(path, json={"user_id": "alice"}).json()
    assert done == {"message": "Recommendation approved", "blocked_by": ["no-handler"]}


def test_o13_requests_at_once_are_all_kept(client: httpx.Client) -> None:
    """O13: concurrent writes ended the process."""
    with ThreadPoolExecutor(8) as pool:
        bodies = list(
            pool.map(
                lambda n: coordinate(client, recommendation(f"r{n}"), auto_approve=True), range(24)
            )
        )
    plans = client.get("/coordination/plans", params={"customer_id": "cust-1"}).json()
    made = {body["execution_plans"][0]["id"] for body in bodies}
    assert {plan["id"] for plan in plans["plans"]} == made
    assert len(made) == 24


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/coordination/plans/none/execute", None, "plan-not-found"),
        ("/coordination/approvals/none/approve", {"user_id": "a"}, "approval-not-found"),
        (
            "/coordination/approvals/none/reject",
            {"user_id": "a", "reason": "r"},
            "approval-not-found",
        ),
    ],
)
def test_o15_what_is_not_there_is_not_found(
    client: httpx.Client, path: str, body: Any, code: str
) -> None:
    """O15: an unknown plan was accepted, and every error of an approval was the server's."""
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert answer.json()["error"]


@pytest.mark.parametrize("auto_approve", [True, False])
def test_o16_new_content_voids_what_was_asked_before(
    client: httpx.Client, auto_approve: bool
) -> None:
    """O16: also where the new content is approved at once, or is not kept at all."""
    (asked,) = coordinate(client, recommendation("r", risk_level="high"))["approvals"]
    changed = recommendation("r", parameters={"count": 9}, affected_resources=["x"])
    stronger = recommendation("s", priority=9, affected_resources=["x"])
    items = [changed] if auto_approve else [changed, stronger]
    body = coordinate(client, *items, auto_approve=auto_approve)
    path = f"/coordination/approvals/{asked['id']}"
    refused = client.post(f"{path}/approve", json={"user_id": "alice"})
    assert (refused.status_code, refused.json()["code"]) == (409, "content-changed")
    assert client.get(path).json()["superseded_by"] == body["id"]
    log = client.get("/coordination/audit").json()["entries"]
    assert log[-1]["detail"]["replaced_approvals"] == [asked["id"]]


def test_o19_health_tells_of_a_database_that_is_gone(
    client: httpx.Client, database: Database
) -> None:
    """O19: health was a constant."""
    assert client.get("/health").json()["components"]["coordinator"] == "healthy"

    @contextmanager
    def gone() -> Iterator[Transaction]:
        raise StorageUnreachable("the database does not answer")
        yield

    database.transaction = gone  # type: ignore[method-assign]
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["components"]["coordinator"] == "unhealthy"
    assert answer.json()["components"]["registry"] == "healthy"


def test_o19_a_server_that_cannot_start_says_why(database: Database, client: httpx.Client) -> None:
    """O19, item 7: not open without a token, and not where somebody else listens."""

    def start(host: str, port: int, *, is_exposed: bool) -> None:
        backend = Backend(database, ServerSettings(is_exposed=is_exposed))
        serve(backend, host=host, port=port, on_ready=lambda _port: None)

    with pytest.raises(TokenMissing, match=r"0\.0\.0\.0"):
        start("0.0.0.0", 0, is_exposed=True)
    taken = client.base_url.port
    assert taken is not None
    with pytest.raises(AddressUnusable, match=str(taken)):
        start("127.0.0.1", taken, is_exposed=False)


def test_an_empty_request_is_weighed_too(client: httpx.Client) -> None:
    """An agent with nothing to recommend is answered, and recorded."""
    body = coordinate(client)
    assert (body["total_recommendations"], body["recommendations"]) == (0, [])
    assert client.get(f"/coordination/coordinations/{body['id']}").json() == body


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[" * 300 + "]" * 300, "deeper"),
        ('"\\ud800"', "surrogate"),
        ("NaN", "NaN"),
        ("1e999", "NaN"),
    ],
)
def test_values_that_json_does_not_carry_are_refused(
    client: httpx.Client, written: str, said: str
) -> None:
    """Item 1: in whatever place, and the item is named."""
    text = '{"customer_id": "cust-1", "recommendations": [%s]}'
    item = httpx.Request("POST", "http://x", json=recommendation("r", parameters={"v": 1})).content
    body = text % item.decode().replace('"v":1', f'"v":{written}')
    headers = {"content-type": "application/json"}
    answer = client.post("/coordination/coordinate", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["error"]
    assert "'r'" in answer.json()["error"]


def test_document_004s_scenarios_call_the_engine_by_its_names(database: Database) -> None:
    """C7, scenarios 1 and 2: detect, resolve, request an approval, process it."""
    coordinator, caller = Coordinator(), Caller()
    cost = Recommendation.model_validate(
        recommendation(
            "cost",
            action="migrate_to_spot",
            estimated_savings=2000.0,
            affected_resources=["i-1", "i-2", "i-3", "i-4", "i-5"],
        )
    )
    resource = Recommendation.model_validate(
        recommendation(
            "resource", estimated_savings=1500.0, affected_resources=["i-3", "i-4", "i-5"]
        )
    )
    with database.transaction() as tx:
        (conflict,) = coordinator.detect_conflicts(tx, [cost, resource])
        assert "[i-3 i-4 i-5]" in conflict.description
        (kept, resolved) = coordinator.resolve_conflicts(tx, [cost, resource])
        assert [item.id for item in kept] == ["cost"]
        assert resolved[0].resolution is not None
        assert resolved[0].resolution.startswith("Kept recommendation cost (priority: 5, savings: ")
        approval = coordinator.request_approval(tx, caller, cost)
        agreed = Decision(Verdict.APPROVED, "user@example.com")
        done = coordinator.process_approval(tx, caller, approval.id, agreed)
        assert done.plan_id is not None
        assert coordinator.find_plan(tx, caller, done.plan_id).plan.recommendation_id == "cost"


def test_scenario_3_of_document_004_up_to_its_approved_plan(
    database: Database, tmp_path: Path
) -> None:
    """4.30: snapshot, scale, migrate, validate, by a template of the operator's; kept snapshot."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "templates:\n"
        "  renew_cluster:\n"
        "    - {action: take_snapshot, retain_on_rollback: true}\n"
        "    - {action: scale_resources, critical: false}\n"
        "    - {action: migrate_workload}\n"
        "    - {action: validate_quality, reversible: false}\n"
    )
    with served(database, ServerSettings(rules=read_rules(rules))) as client:
        item = recommendation("r", action="renew_cluster", risk_level="critical")
        (asked,) = coordinate(client, item)["approvals"]
        path = f"/coordination/approvals/{asked['id']}/approve"
        client.post(path, json={"user_id": "alice"})
        plan_id = client.post(path, json={"user_id": "bob"}).json()["plan_id"]
        plan = client.get(f"/coordination/plans/{plan_id}").json()
    assert [(step["action"], step["critical"]) for step in plan["steps"]] == [
        ("take_snapshot", True),
        ("scale_resources", False),
        ("migrate_workload", True),
        ("validate_quality", True),
    ]
    assert [step["retain_on_rollback"] for step in plan["steps"]] == [True, False, False, False]
    assert plan["status"] == "pending"
