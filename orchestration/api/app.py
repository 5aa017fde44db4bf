"""The application: its routes, what surrounds them, and its OpenAPI description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio.to_thread
from fastapi import FastAPI

from orchestration.api import agents, coordination, health, problems, tasks
from orchestration.api.backend import Backend
from orchestration.api.background import Upkeep
from orchestration.api.bodies import BodyLimits
from orchestration.api.headers import SecurityHeaders
from orchestration.api.problems import MEDIA_TYPE, Problem

# More threads than this only wait for each other: SQLite has one writer, Python one lock.
WORKER_THREADS = 16

DESCRIPTION = """\
Takes recommendations of several optimisation agents, finds and resolves their conflicts, asks
people to approve what is risky, and keeps the plans that follow.

Errors are problems (RFC 9457) with a stable `code`; `error` repeats `detail`.
"""


def make_app(backend: Backend) -> FastAPI:
    """Make the application around a backend."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKER_THREADS
        upkeep: Upkeep = app.state.upkeep
        running = asyncio.create_task(upkeep.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    app = FastAPI(
        title="conductor",
        version="1",
        summary="The coordination engine's API.",
        description=DESCRIPTION,
        lifespan=lifespan,
        # No page that loads scripts from elsewhere; the description itself is served.
        docs_url=None,
        redoc_url=None,
        responses=_problem_responses(),
    )
    app.state.backend = backend
    app.state.upkeep = Upkeep(backend)
    app.add_middleware(BodyLimits)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    for module in (coordination, agents, tasks, health):
        app.include_router(module.router)
    return app


def _problem_responses() -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"model": Problem, "description": description, "content": content}
        for status, description in {
            400: "The request cannot be read, or lacks something.",
            401: "A token is needed, or this one is unknown.",
            403: "The caller may not do this.",
            404: "There is none, or it is another customer's.",
            408: "The body took too long to come.",
            409: "Its state does not allow it.",
            410: "Its time is over.",
            413: "The body is too large.",
            422: "The request is readable, but cannot be carried out.",
            503: "Not at this moment.",
        }.items()
    }
