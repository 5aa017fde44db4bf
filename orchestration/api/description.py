"""What the OpenAPI description says beyond what FastAPI reads off the routes.

Problems in their own media type, which of them a route can answer with, who has to prove who they
are, and an example of every body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from orchestration.api.problems import MEDIA_TYPE, Problem

REASONS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read, or lacks something.",
    HTTPStatus.UNAUTHORIZED: "A token is needed, or this one is unknown.",
    HTTPStatus.FORBIDDEN: "The caller may not do this.",
    HTTPStatus.NOT_FOUND: "There is none, or it is another customer's.",
    HTTPStatus.REQUEST_TIMEOUT: "The body came too slowly.",
    HTTPStatus.CONFLICT: "Its state does not allow it.",
    HTTPStatus.GONE: "It was not decided in time.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large, or asks for too much at a time.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request is readable, but cannot be carried out.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A defect; the server's log says more.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not at this moment; `Retry-After` says when to try again.",
}
# Those that act once under a key; the others are harmless to repeat.
OPEN_TO_ALL: Final = frozenset({"health"})
# What they act on may have lapsed.
LAPSING: Final = frozenset({"approve", "reject"})
# The status that FastAPI says it gives to requests that it cannot read; they get 400 here.
_UNREADABLE: Final = str(HTTPStatus.UNPROCESSABLE_ENTITY.value)
EXAMPLES: Final[Mapping[str, JsonValue]] = {
    "coordinate": {
        "customer_id": "customer-1",
        "auto_approve": True,
        "recommendations": [
            {
                "id": "rec-1",
                "agent_id": "cost-agent-1",
                "customer_id": "customer-1",
                "type": "cost",
                "title": "Use spot instances",
                "action": "migrate_to_spot",
                "risk_level": "medium",
                "estimated_savings": 1200.0,
                "affected_resources": ["instance-1"],
                "parameters": {"percentage": 70},
                "priority": 8,
                "confidence": 0.9,
            },
            {
                "id": "rec-2",
                "agent_id": "performance-agent-1",
                "customer_id": "customer-1",
                "type": "performance",
                "action": "scale_up",
                "risk_level": "low",
                "affected_resources": ["instance-1"],
                "priority": 5,
                "confidence": 0.8,
            },
        ],
    },
    "approve": {"user_id": "alice"},
    "reject": {"user_id": "alice", "reason": "not during the sale"},
    "register": {
        "name": "cost-agent",
        "type": "cost",
        "host": "127.0.0.1",
        "port": 8101,
        "capabilities": ["migrate_to_spot", "undo:migrate_to_spot"],
        "version": "1.0.0",
    },
    "heartbeat": {"status": "healthy"},
    "submit_task": {
        "task_type": "migrate_to_spot",
        "agent_type": "cost",
        "parameters": {"instance": "instance-1"},
        "timeout_seconds": 60,
    },
    "report_result": {"status": "completed", "result": {"migrated": 3}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI description of an application; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = document["components"]["schemas"]
        # FastAPI's own answer to a request that cannot be read; ours is a problem.
        for foreign in ("HTTPValidationError", "ValidationError"):
            schemas.pop(foreign, None)
        schemas.update(_schemas(Problem))
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                _complete(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "serialization")], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    if name not in OPEN_TO_ALL:
        # Without any, where the server serves its own machine and no token was created.
        operation["security"] = [*operation["security"], {}]
    if name in EXAMPLES:
        operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[name]
    responses = operation["responses"]
    responses.pop(_UNREADABLE, None)
    for status in _problems(path, method, name):
        responses.setdefault(
            str(status.value),
            {
                "description": REASONS[status],
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
    operation["responses"] = dict(sorted(responses.items()))


def _problems(path: str, method: str, name: str) -> Iterator[HTTPStatus]:
    """Name the problems that a route can answer with."""
    yield from (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    yield from (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
    if name in OPEN_TO_ALL:
        return
    yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if "{" in path or name == "submit_task":
        yield HTTPStatus.NOT_FOUND
    if method != "get":
        yield from (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
    if name in LAPSING:
        yield HTTPStatus.GONE
