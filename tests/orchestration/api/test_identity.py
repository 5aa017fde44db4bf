"""Who may do what: tokens, roles, customers, and the embedded default."""

from __future__ import annotations

import httpx
import pytest
from coordination_api import coordinate, recommendation, served

from orchestration.api.backend import ServerSettings
from orchestration.coordination.identity import Role
from orchestration.coordination.storage import tokens
from orchestration.coordination.storage.database import Database
from orchestration.coordination.storage.tokens import TokenHolder

REQUEST = {"customer_id": "cust-1", "recommendations": [recommendation("r", risk_level="high")]}
REGISTRATION = {"name": "a", "type": "cost", "host": "127.0.0.1", "port": 9, "capabilities": ["x"]}


def bearer(
    database: Database, subject: str, role: Role, customer_id: str | None = "cust-1"
) -> dict[str, str]:
    """Create a token and give the header that carries it."""
    holder = TokenHolder(subject=subject, role=role, customer_id=customer_id)
    with database.transaction() as tx:
        return {"Authorization": f"Bearer {tokens.create(tx, holder, actor='t')}"}


def test_roles_may_do_what_their_work_needs(client: httpx.Client, database: Database) -> None:
    """Item 7: agents recommend, approvers decide, operators execute, viewers read."""
    headers = {role: bearer(database, f"{role.value}-1", role) for role in Role}
    answer = client.post("/coordination/coordinate", json=REQUEST, headers=headers[Role.AGENT])
    approval_id = answer.json()["approvals"][0]["id"]
    allowed = {
        ("POST", "/coordination/coordinate"): {Role.AGENT, Role.OPERATOR},
        ("POST", f"/coordination/approvals/{approval_id}/approve"): {Role.APPROVER},
        ("POST", "/coordination/plans/none/execute"): {Role.OPERATOR},
        ("POST", "/agents/register"): {Role.AGENT, Role.OPERATOR},
        ("POST", "/tasks"): {Role.OPERATOR},
        ("GET", "/coordination/audit"): {Role.APPROVER, Role.OPERATOR},
        ("GET", "/agents"): set(Role),
        ("GET", "/coordination/approvals?customer_id=cust-1"): set(Role),
    }
    bodies = {
        "coordinate": REQUEST,
        "approve": {"user_id": "approver-1"},
        "register": REGISTRATION,
        "tasks": {"task_type": "x"},
    }
    for (method, path), roles in allowed.items():
        for role in Role:
            body = bodies.get(path.rpartition("/")[2]) if method == "POST" else None
            said = client.request(method, path, json=body, headers=headers[role])
            assert (said.status_code == 403) == (role not in roles), (path, role, said.text)


def test_unknown_and_missing_tokens_are_refused_once_there_is_one(
    client: httpx.Client, database: Database
) -> None:
    """Item 7: 401 with the scheme that is understood; health needs no token."""
    coordinate(client, recommendation("before"))
    bearer(database, "ada", Role.VIEWER)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}):
        answer = client.get("/agents", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/health").status_code == 200


def test_a_body_cannot_speak_for_somebody_else(client: httpx.Client, database: Database) -> None:
    """Item 7: a `user_id` must be the caller's."""
    agent, ada = bearer(database, "bot", Role.AGENT), bearer(database, "ada", Role.APPROVER)
    asked = client.post("/coordination/coordinate", json=REQUEST, headers=agent).json()
    path = f"/coordination/approvals/{asked['approvals'][0]['id']}"
    for verdict, reason in (("approve", {}), ("reject", {"reason": "r"})):
        answer = client.post(f"{path}/{verdict}", json={"user_id": "bob", **reason}, headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity-mismatch")
    assert client.post(f"{path}/approve", json={"user_id": "ada"}, headers=ada).status_code == 200


def test_one_person_with_two_tokens_approves_nothing_of_their_own(
    client: httpx.Client, database: Database
) -> None:
    """C4: who sent it is known by the name, not by the token."""
    sender, approver = (
        bearer(database, "ada", Role.OPERATOR),
        bearer(database, "ada", Role.APPROVER),
    )
    asked = client.post("/coordination/coordinate", json=REQUEST, headers=sender).json()
    path = f"/coordination/approvals/{asked['approvals'][0]['id']}/approve"
    answer = client.post(path, json={"user_id": "ada"}, headers=approver)
    assert (answer.status_code, answer.json()["code"]) == (403, "self-approval")


def test_an_agents_owner_is_remembered_when_the_agent_is_gone(
    client: httpx.Client, database: Database
) -> None:
    """C4: nobody approves what their own agent asked for, also when somebody else sent it."""
    agent, ada = bearer(database, "ada", Role.AGENT), bearer(database, "ada", Role.APPROVER)
    sender, bob = bearer(database, "bot", Role.AGENT), bearer(database, "bob", Role.APPROVER)
    registered = client.post("/agents/register", json=REGISTRATION, headers=agent).json()
    item = recommendation("r", risk_level="high", agent_id=registered["agent_id"])
    body = {"customer_id": "cust-1", "recommendations": [item]}
    asked = client.post("/coordination/coordinate", json=body, headers=sender).json()
    gone = client.post(f"/agents/{registered['agent_id']}/unregister", headers=agent)
    assert gone.status_code == 200
    path = f"/coordination/approvals/{asked['approvals'][0]['id']}/approve"
    assert client.post(path, json={"user_id": "ada"}, headers=ada).status_code == 403
    assert client.post(path, json={"user_id": "bob"}, headers=bob).status_code == 200


def test_customers_find_nothing_of_others_on_any_route(
    client: httpx.Client, database: Database
) -> None:
    """API1: what is another customer's is not found, in lists neither; acting for it is refused."""
    ours = bearer(database, "op", Role.OPERATOR)
    theirs = bearer(database, "mallory", Role.OPERATOR, "cust-2")
    approver = bearer(database, "eve", Role.APPROVER, "cust-2")
    low = {"customer_id": "cust-1", "recommendations": [recommendation("low")]}
    done = client.post(
        "/coordination/coordinate", json={**low, "auto_approve": True}, headers=ours
    ).json()
    asked = client.post("/coordination/coordinate", json=REQUEST, headers=ours).json()
    agent = client.post("/agents/register", json=REGISTRATION, headers=ours).json()["agent_id"]
    task = client.post("/tasks", json={"task_type": "x"}, headers=ours).json()["task_id"]
    approval, plan = asked["approvals"][0]["id"], done["execution_plans"][0]["id"]
    for path in (
        f"/coordination/coordinations/{done['id']}",
        f"/coordination/approvals/{approval}",
        f"/coordination/plans/{plan}",
        f"/agents/{agent}",
        f"/tasks/{task}",
    ):
        assert client.get(path, headers=ours).status_code == 200, path
        assert client.get(path, headers=theirs).status_code == 404, path
    for method, path in (
        ("POST", f"/coordination/plans/{plan}/execute"),
        ("POST", f"/agents/{agent}/heartbeat"),
        ("POST", f"/agents/{agent}/unregister"),
        ("DELETE", f"/tasks/{task}"),
    ):
        assert client.request(method, path, headers=theirs).status_code == 404, path
    result = {"status": "completed"}
    assert client.post(f"/tasks/{task}/result", json=result, headers=theirs).status_code == 404
    vote = {"user_id": "eve"}
    path = f"/coordination/approvals/{approval}/approve"
    assert client.post(path, json=vote, headers=approver).status_code == 404
    assert client.get("/agents", headers=theirs).json()["count"] == 0
    assert client.get("/tasks", headers=theirs).json()["count"] == 0
    assert client.post("/tasks", json={"task_type": "x"}, headers=theirs).status_code == 503
    for path in ("/coordination/approvals", "/coordination/plans"):
        params = {"customer_id": "cust-1"}
        assert client.get(path, params=params, headers=theirs).status_code == 403
    assert client.post("/coordination/coordinate", json=REQUEST, headers=theirs).status_code == 403
    seen = client.get("/coordination/audit", headers=theirs).json()["entries"]
    assert {entry["customer_id"] for entry in seen} <= {"cust-2"}


def test_without_tokens_only_this_machine_is_believed(
    client: httpx.Client, database: Database
) -> None:
    """Item 7: a page that a browser loaded elsewhere reaches us under a name of its own."""
    assert client.get("/agents", headers={"Host": "rebound.example"}).status_code == 403
    assert client.get("/agents", headers={"Host": "localhost:8080"}).status_code == 200
    with served(database, ServerSettings(is_exposed=True)) as exposed:
        assert exposed.get("/agents").status_code == 401


@pytest.mark.parametrize("field", ["status", "approved_by", "expires_at", "approver"])
def test_a_decision_sets_nothing_but_what_it_is(client: httpx.Client, field: str) -> None:
    """API3: fields that are not the caller's to set are refused."""
    asked = coordinate(client, recommendation("r", risk_level="high"))
    path = f"/coordination/approvals/{asked['approvals'][0]['id']}/approve"
    answer = client.post(path, json={"user_id": "alice", field: "x"})
    assert answer.status_code == 400
    assert field in answer.json()["error"]
