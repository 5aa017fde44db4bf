"""The OpenAPI description is what the server does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestration.api.app import routes
from orchestration.api.description import EXAMPLES

# Those of document 004 and its prerequisites, and the reads beside them.
ROUTES = {
    "post /coordination/coordinate",
    "get /coordination/approvals",
    "post /coordination/approvals/{approval_id}/approve",
    "post /coordination/approvals/{approval_id}/reject",
    "get /coordination/plans/{plan_id}",
    "post /coordination/plans/{plan_id}/execute",
    "post /agents/register",
    "post /agents/{agent_id}/heartbeat",
    "post /agents/{agent_id}/unregister",
    "get /agents",
    "get /agents/type/{agent_type}",
    "get /agents/{agent_id}",
    "post /tasks",
    "get /tasks",
    "get /tasks/{task_id}",
    "delete /tasks/{task_id}",
    "post /tasks/{task_id}/result",
    "get /health",
}


def operations() -> dict[str, dict[str, Any]]:
    """Give the described operations by method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in routes().openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_of_document_004_is_described() -> None:
    """Its agents find each of their calls in the description."""
    assert operations().keys() >= ROUTES


def test_every_refusal_is_a_problem_and_nothing_else() -> None:
    """No status is described with a body that the server does not send."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, operation in operations().items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and (name, status) != ("get /health", "503"):
                assert answer["content"] == problem, (name, status)


def test_every_body_has_an_example() -> None:
    """Whoever reads about a request sees one."""
    bodies = {o["operationId"]: o for o in operations().values() if "requestBody" in o}
    assert bodies.keys() == EXAMPLES.keys()
    for operation in bodies.values():
        assert "example" in operation["requestBody"]["content"]["application/json"]


def test_the_served_description_is_the_written_one(client: httpx.Client) -> None:
    """What is served is what `make docs` writes."""
    assert client.get("/openapi.json").json() == routes().openapi()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_examples_can_be_sent_as_they_are(client: httpx.Client, name: str) -> None:
    """No example is refused for what is in it."""
    registered = client.post("/agents/register", json=EXAMPLES["register"])
    assert registered.status_code == 201, registered.text
    coordinated = client.post("/coordination/coordinate", json=EXAMPLES["coordinate"])
    assert coordinated.status_code == 200, coordinated.text
    paths = {o["operationId"]: path.partition(" ")[2] for path, o in operations().items()}
    path = paths[name].format(
        agent_id=registered.json()["agent_id"], approval_id="none", task_id="none"
    )
    answer = client.post(path, json=EXAMPLES[name])
    # There is no approval and no task to name.
    expected = {404} if "none" in path else {200, 201}
    assert answer.status_code in expected, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/coordination/plans/none", 404),
        ("POST", "/coordination/coordinate", 400),
        ("DELETE", "/tasks/none", 404),
        ("GET", "/agents/type/none", 400),
    ],
)
def test_refusals_are_described(client: httpx.Client, method: str, path: str, status: int) -> None:
    """A refusal that can be met is among those that its route announces."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    described = operations()
    same = [
        operation
        for name, operation in described.items()
        if name.startswith(method.lower())
        and name.count("/") == path.count("/")
        and name.partition(" ")[2].rpartition("/")[0] == path.rpartition("/")[0]
    ]
    assert any(str(status) in operation["responses"] for operation in same)
