"""The application: its routes, what surrounds them, and its OpenAPI description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import Lifespan

from orchestration.api import agents, coordination, health, problems, tasks
from orchestration.api.backend import Backend
from orchestration.api.background import Upkeep
from orchestration.api.bodies import BodyLimits
from orchestration.api.description import describe
from orchestration.api.headers import SecurityHeaders

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

    app = routes(lifespan)
    app.state.backend = backend
    app.state.upkeep = Upkeep(backend)
    app.add_middleware(BodyLimits)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    return app


def routes(lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Make the application's routes, with nothing behind them: enough to describe them."""
    app = FastAPI(
        title="conductor",
        version="1",
        summary="The coordination engine's API.",
        description=DESCRIPTION,
        lifespan=lifespan,
        # No page that loads scripts from elsewhere; the description itself is served.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way
    for module in (coordination, agents, tasks, health):
        app.include_router(module.router)
    return app
