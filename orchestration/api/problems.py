"""Errors on the wire: RFC 9457 problems with the `error` that document 004's agents read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from orchestration.agents import errors as agent_errors
from orchestration.api import refusals as api_refusals
from orchestration.coordination import refusals
from orchestration.coordination.errors import Category, RequestRefused
from orchestration.coordination.storage.errors import StorageBusy, StorageUnreachable
from orchestration.errors import Blocked, ConductorError, UsageError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_MOST_FINDINGS = 20

# The nearest class in an error's ancestry decides.
STATUSES: dict[type[ConductorError], HTTPStatus] = {
    api_refusals.RequestInvalid: HTTPStatus.BAD_REQUEST,
    api_refusals.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    refusals.Forbidden: HTTPStatus.FORBIDDEN,
    refusals.ApprovalUnknown: HTTPStatus.NOT_FOUND,
    refusals.PlanUnknown: HTTPStatus.NOT_FOUND,
    refusals.CoordinationUnknown: HTTPStatus.NOT_FOUND,
    refusals.ApprovalLapsed: HTTPStatus.GONE,
    refusals.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    refusals.ExecutorNotAvailable: HTTPStatus.SERVICE_UNAVAILABLE,
    agent_errors.AgentUnknown: HTTPStatus.NOT_FOUND,
    agent_errors.TaskUnknown: HTTPStatus.NOT_FOUND,
    agent_errors.NoCapableAgent: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    UsageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    Blocked: HTTPStatus.CONFLICT,
    ConductorError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


OF_CATEGORY = {
    Category.MALFORMED: HTTPStatus.BAD_REQUEST,
    Category.SEMANTIC: HTTPStatus.UNPROCESSABLE_ENTITY,
    Category.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Category.FORBIDDEN: HTTPStatus.FORBIDDEN,
}


class Finding(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(frozen=True)

    where: str
    message: str
    item: str | None = None


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    error: str
    hint: str | None = None
    findings: tuple[Finding, ...] | None = None


def install(app: FastAPI) -> None:
    """Have every error of the application answered as a problem."""

    @app.exception_handler(ConductorError)
    def on_refusal(_request: Request, error: ConductorError) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        return _invalid(error)

    @app.exception_handler(HTTPException)
    def on_http(_request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "-")
        return _response(
            Problem(
                title=status.phrase,
                status=status,
                detail=str(error.detail),
                code=code,
                error=str(error.detail),
            ),
            dict(error.headers or {}),
        )

    @app.exception_handler(Exception)
    def on_defect(request: Request, error: Exception) -> Response:
        # Only the log learns what it was: an answer must not describe our insides.
        log.error("request_failed", path=request.url.path, exc_info=error)
        return respond(ConductorError("an internal error; the server's log has it"))


def respond(error: ConductorError) -> Response:
    """Answer with an error of ours."""
    findings: tuple[Finding, ...] = ()
    if isinstance(error, RequestRefused):
        status = OF_CATEGORY[error.category]
        findings = tuple(
            Finding(where=found.field or "body", message=found.message, item=found.item or None)
            for found in error.problems[:_MOST_FINDINGS]
        )
    else:
        status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_refused", code=error.code, message=error.message)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retryable:
        headers["Retry-After"] = "5"
    problem = Problem(
        title=status.phrase,
        status=status,
        detail=error.message,
        code=error.code,
        error=error.message,
        hint=error.hint or None,
        findings=findings or None,
    )
    return _response(problem, headers)


def _response(problem: Problem, headers: dict[str, str]) -> Response:
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _invalid(error: RequestValidationError) -> Response:
    found = error.errors()
    findings = tuple(_finding(entry, error.body) for entry in found[:_MOST_FINDINGS])
    first = findings[0]
    named = f" (item {first.item!r})" if first.item else ""
    more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
    detail = f"{first.where}{named}: {first.message}{more}"
    return _response(
        Problem(
            title=HTTPStatus.BAD_REQUEST.phrase,
            status=HTTPStatus.BAD_REQUEST,
            detail=detail,
            code=api_refusals.RequestInvalid.code,
            error=detail,
            findings=findings,
        ),
        {},
    )


def _finding(entry: dict[str, Any], body: object) -> Finding:
    place = [part for part in entry["loc"] if part not in {"body", "query", "path", "header"}]
    message = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "json_invalid":
        return Finding(where="body", message=f"not valid JSON: {entry['ctx']['error']}")
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return Finding(
        where=_sendable(where.lstrip(".") or "body"), message=message, item=_item_id(place, body)
    )


def _sendable(text: str) -> str:
    """Give a text of a request as it can be sent back; halves of characters cannot."""
    return text.encode("utf-8", "replace").decode()


def _item_id(place: list[Any], body: object) -> str | None:
    """Find the `id` of the list item that a place lies in."""
    match place, body:
        case [str(name), int(index), *_], dict() if isinstance(body.get(name), list):
            items = body[name]
            item = items[index] if index < len(items) else None
            found = item.get("id") if isinstance(item, dict) else None
            return _sendable(found) if isinstance(found, str) else None
    return None
