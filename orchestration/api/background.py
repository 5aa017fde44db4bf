"""What the server does on its own: tasks, notifications and expiries, as they fall due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from orchestration.api.backend import Backend
from orchestration.coordination.storage import agents, replies

log = structlog.get_logger(__name__)


class Upkeep:
    """Looks for due work, at intervals and whenever it is woken."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._interval_s = backend.settings.upkeep_interval_s
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_round = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Say whether due work was looked for lately."""
        return time.monotonic() - self._last_round < 10 * self._interval_s + 5

    def wake(self) -> None:
        """Have due work looked for now; may be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._woken.clear()
                await self._try(self._backend.dispatcher.send_due)
                await self._try(self._tidy_up)
                await self._try(self._backend.webhook.deliver_due)
                self._last_round = time.monotonic()
                try:
                    async with asyncio.timeout(self._interval_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            await self._backend.dispatcher.close()

    async def _tidy_up(self) -> None:
        await asyncio.to_thread(self._tidy_up_now)

    def _tidy_up_now(self) -> None:
        with self._backend.database.transaction() as tx:
            replies.forget_old(tx)
            agents.forget_old(tx)
            # Last, since others wait for the audit log from here on.
            self._backend.coordinator.expire_lapsed(tx)

    async def _try(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception:
            # What fails once is due again in the next round.
            log.exception("upkeep_failed", work=getattr(work, "__name__", ""))
