"""What the server does on its own: tasks, notifications and expiries, as they fall due.

Each of them has its own rounds: a webhook that is slow to answer holds up no task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from orchestration.api.backend import Backend
from orchestration.coordination.storage import replies

log = structlog.get_logger(__name__)

# However often it is woken: every round is a turn at the database that requests wait for.
SHORTEST_PAUSE_S: Final = 0.05
_ALIVE_ROUNDS: Final = 10
_ALIVE_GRACE_S: Final = 5.0


class Duty:
    """Looks for due work of one kind, at intervals and soon after it is woken."""

    def __init__(self, work: Callable[[], Awaitable[bool]], *, interval_s: float) -> None:
        """Take `work`, which does what is due and says whether there may be more."""
        self._work = work
        self._interval_s = interval_s
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last_round = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Say whether due work was looked for lately."""
        age_s = time.monotonic() - self._last_round
        return age_s < _ALIVE_ROUNDS * self._interval_s + _ALIVE_GRACE_S

    def wake(self) -> None:
        """Have due work looked for soon; may be called from any thread."""
        if self._loop is not None and not self._woken.is_set():
            # A plan may end after the loop has.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Work until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            has_more = await self._round()
            self._last_round = time.monotonic()
            if has_more:
                continue
            await asyncio.sleep(min(SHORTEST_PAUSE_S, self._interval_s))
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _round(self) -> bool:
        try:
            return await self._work()
        except Exception:
            # What fails once is due again in the next round.
            log.exception("upkeep_failed", work=getattr(self._work, "__name__", ""))
            return False


class Upkeep:
    """Everything that is done without being asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        interval_s = backend.settings.upkeep_interval_s
        self._tasks = Duty(self._send_tasks, interval_s=interval_s)
        self._notifications = Duty(self._deliver, interval_s=interval_s)
        self._tidying = Duty(self._tidy_up, interval_s=interval_s)
        self._plans = Duty(self._run_plans, interval_s=interval_s)
        self._duties = (self._tasks, self._notifications, self._tidying, self._plans)

    @property
    def is_alive(self) -> bool:
        """Say whether due work of every kind was looked for lately."""
        return all(duty.is_alive for duty in self._duties)

    def wake_tasks(self) -> None:
        """Say that a task may be due."""
        self._tasks.wake()

    def wake_notifications(self) -> None:
        """Say that a notification may be due."""
        self._notifications.wake()

    def wake_plans(self) -> None:
        """Say that a plan's turn may have come."""
        self._plans.wake()

    async def run(self) -> None:
        """Work until cancelled."""
        if self._backend.executor is not None:
            self._backend.executor.announce_to(plans=self._plan_ended, tasks=self.wake_tasks)
        try:
            async with asyncio.TaskGroup() as running:
                for duty in self._duties:
                    running.create_task(duty.run())
        finally:
            await self._backend.dispatcher.close()

    def _plan_ended(self) -> None:
        self.wake_plans()
        self.wake_notifications()

    async def _run_plans(self) -> bool:
        if self._backend.executor is not None:
            await asyncio.to_thread(self._backend.executor.start_due)
        return False

    async def _send_tasks(self) -> bool:
        await self._backend.dispatcher.send_due()
        return False

    async def _deliver(self) -> bool:
        return await self._backend.webhook.deliver_due() > 0

    async def _tidy_up(self) -> bool:
        await asyncio.to_thread(self._tidy_up_now)
        return False

    def _tidy_up_now(self) -> None:
        with self._backend.database.transaction() as tx:
            replies.forget_old(tx)
            self._backend.coordinator.tidy_up(tx)
