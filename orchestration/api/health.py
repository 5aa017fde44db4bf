"""The health route: every component is really asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from orchestration.api.backend import Backend
from orchestration.api.background import Upkeep
from orchestration.api.calls import json_reply
from orchestration.coordination.identity import Caller
from orchestration.coordination.storage import tokens
from orchestration.errors import ConductorError

router = APIRouter(tags=["health"])
log = structlog.get_logger(__name__)


class Condition(StrEnum):
    """How something is."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Components(BaseModel):
    """How each component is."""

    model_config = ConfigDict(frozen=True)

    registry: Condition
    task_router: Condition
    coordinator: Condition


class Health(BaseModel):
    """How the server is."""

    model_config = ConfigDict(frozen=True)

    status: Condition
    service: str
    timestamp: AwareDatetime
    components: Components


@router.get("/health", response_model=Health, responses={503: {"model": Health}})
def health(request: Request) -> Response:
    """Say how the server is; 503 when one of its components is not well. Needs no token."""
    backend: Backend = request.app.state.backend
    upkeep: Upkeep = request.app.state.upkeep
    components = Components(
        registry=_probe(lambda: _can_list_agents(backend)),
        task_router=_probe(lambda: upkeep.is_alive),
        coordinator=_probe(lambda: _can_write(backend)),
    )
    is_well = all(condition is Condition.HEALTHY for _, condition in components)
    return json_reply(
        Health(
            status=Condition.HEALTHY if is_well else Condition.UNHEALTHY,
            service="orchestrator",
            timestamp=datetime.now(UTC),
            components=components,
        ),
        HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE,
    )


def _can_list_agents(backend: Backend) -> bool:
    with backend.database.reading() as tx:
        backend.registry.list_living(tx, Caller())
    return True


def _can_write(backend: Backend) -> bool:
    # A transaction that may write needs its turn and a disk; nothing is written.
    with backend.database.transaction() as tx:
        tokens.any_exists(tx)
    return True


def _probe(is_well: Callable[[], bool]) -> Condition:
    try:
        return Condition.HEALTHY if is_well() else Condition.UNHEALTHY
    except ConductorError as error:
        log.warning("component_unhealthy", code=error.code, message=error.message)
        return Condition.UNHEALTHY
