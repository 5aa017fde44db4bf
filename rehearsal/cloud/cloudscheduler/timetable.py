"""When jobs are due: fires each at its time, and again after a failure.

Times that passed while the local cloud was down are not made up for. What a job sends is
`attempts`' matter.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.cloudscheduler.attempts import Attempts
from rehearsal.cloud.cloudscheduler.jobs import Jobs, next_time
from rehearsal.cloud.cloudscheduler.retries import RetryPolicy
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

# The clock may be put forward: a machine that slept, a test.
_LONGEST_NAP_S: Final = 0.5


class Timetable:
    """The times of one local cloud's jobs."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._clock = cloud.clock
        self._jobs = cloud.part(Jobs)
        self._attempts = Attempts(cloud)
        self._due: dict[str, float] = {}
        self._has_changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        # Executions on schedule, one a job; and all there are, those by hand too.
        self._scheduled: dict[str, asyncio.Task[None]] = {}
        self._executions: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Plan every job anew and begin to fire."""
        for job in self._jobs.all():
            self.plan(job)
        self._watch = asyncio.create_task(self._fire_when_due())

    async def stop(self) -> None:
        """Fire no more; attempts under way are given up."""
        tasks: set[asyncio.Task[Any]] = {*self._executions}
        if self._watch is not None:
            tasks.add(self._watch)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def plan(self, job: JsonObject) -> JsonObject:
        """Find out when a job is due next, and return the job telling it."""
        name: str = job["name"]
        due_at = next_time(job, self._clock()) if job["state"] == "ENABLED" else None
        if due_at is None:
            self._due.pop(name, None)
        else:
            self._due[name] = due_at
        self._has_changed.set()
        told = None if due_at is None else rfc3339(due_at)
        return self._jobs.record(name, scheduleTime=told)

    def forget(self, name: str) -> None:
        """Fire a deleted job no more."""
        self._due.pop(name, None)
        execution = self._scheduled.get(name)
        if execution is not None:
            execution.cancel()

    def run_now(self, name: str) -> JsonObject:
        """Begin an execution by hand, even beside one that runs; return the job."""
        job = self._jobs.get(name)
        self._begin(name, None)
        return job

    async def _fire_when_due(self) -> None:
        while True:
            self._has_changed.clear()
            for name, due_at in list(self._due.items()):
                if due_at <= self._clock():
                    self._fire(name, due_at)
            nap_s = _LONGEST_NAP_S if self._due else None
            if self._due:
                nap_s = max(0.0, min(_LONGEST_NAP_S, min(self._due.values()) - self._clock()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_changed.wait(), nap_s)

    def _fire(self, name: str, due_at: float) -> None:
        self.plan(self._jobs.get(name))
        # One that still runs is not overtaken: the next time counts.
        if name not in self._scheduled:
            execution = self._begin(name, due_at)
            self._scheduled[name] = execution
            execution.add_done_callback(lambda _: self._scheduled.pop(name))

    def _begin(self, name: str, due_at: float | None) -> asyncio.Task[None]:
        execution = asyncio.create_task(self._execute(name, due_at))
        self._executions.add(execution)
        execution.add_done_callback(self._executions.discard)
        return execution

    async def _execute(self, name: str, due_at: float | None) -> None:
        """Send attempts until one succeeds, the policy ends, or the next time has come."""
        began_at = self._clock()
        failures = 0
        while (job := self._jobs.find(name)) is not None:
            attempted_at = rfc3339(self._clock())
            status = await self._attempts.send(job, due_at)
            if self._jobs.find(name) is None:
                return
            self._jobs.record(name, lastAttemptTime=attempted_at, status=status)
            failures += 1
            pause_s = RetryPolicy.of(job).pause_s(failures, self._clock() - began_at)
            if not status or pause_s is None:
                return
            next_at = self._due.get(name)
            if next_at is not None and self._clock() + pause_s >= next_at:
                return
            await asyncio.sleep(pause_s)
