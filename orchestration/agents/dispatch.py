"""Send tasks to agents, and take what they answer at once.

Every attempt is recorded before it is made: a crash leaves a task that is due again when its
time-out has passed. Agents may therefore be sent one task twice, under the same `task_id`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import httpx
import structlog
from pydantic import ValidationError

from orchestration.agents.endpoints import EndpointRules
from orchestration.agents.errors import AgentUnreachable, EndpointRefused
from orchestration.agents.model import Agent, Task, TaskOrder, TaskResult
from orchestration.agents.routing import TaskRouter
from orchestration.coordination.storage import tasks as stored_tasks
from orchestration.coordination.storage.database import Database, Transaction

log = structlog.get_logger(__name__)

MOST_IN_FLIGHT = 64
LARGEST_ANSWER = 1024 * 1024

_OK, _ACCEPTED = 200, 202


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent said at once; without a result it has taken the task and answers later."""

    result: TaskResult | None


class TaskDispatcher:
    """Sends the tasks that are due."""

    def __init__(
        self,
        database: Database,
        router: TaskRouter,
        endpoints: EndpointRules,
        *,
        most_in_flight: int = MOST_IN_FLIGHT,
    ) -> None:
        self._database = database
        self._router = router
        self._endpoints = endpoints
        self._most_in_flight = most_in_flight
        self._in_flight: set[asyncio.Task[None]] = set()

    async def send_due(self) -> None:
        """Begin every attempt that is due, as far as there is room, and end overdue ones."""
        room = self._most_in_flight - len(self._in_flight)
        started = await asyncio.to_thread(self._begin, room)
        for task, agent in started:
            attempt = asyncio.create_task(self._attempt(task, agent))
            self._in_flight.add(attempt)
            attempt.add_done_callback(self._in_flight.discard)

    async def close(self) -> None:
        """Stop waiting for answers; the tasks are due again after their time-outs."""
        for attempt in self._in_flight:
            attempt.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    def _begin(self, room: int) -> list[tuple[Task, Agent]]:
        with self._database.transaction() as tx:
            stored_tasks.remove_old(tx)
            self._router.end_overdue(tx, limit=self._most_in_flight)
            if room <= 0:
                return []
            begun = self._router.begin_due(tx, limit=room)
        return [(task, enrolled.agent) for task, enrolled in begun]

    async def _attempt(self, task: Task, agent: Agent) -> None:
        try:
            async with asyncio.timeout(task.timeout_seconds):
                answer = await self._send(task, agent)
        except TimeoutError:
            error = f"{agent.host}:{agent.port} did not answer within {task.timeout_seconds} s"
            await self._noting(lambda tx: self._router.miss(tx, task, error, timed_out=True))
        except (AgentUnreachable, EndpointRefused, OSError) as failure:
            error = str(failure)
            log.warning("task_attempt_failed", task_id=task.task_id, error=error)
            await self._noting(lambda tx: self._router.miss(tx, task, error))
        else:
            result = answer.result
            if result is None:
                await self._noting(lambda tx: stored_tasks.note_accepted(tx, task))
            else:
                await self._noting(lambda tx: stored_tasks.finish(tx, task, result))

    async def _send(self, task: Task, agent: Agent) -> Answer:
        address = await asyncio.to_thread(self._endpoints.resolve, agent.host, agent.port)
        literal = f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
        order = TaskOrder(
            task_id=task.task_id,
            task_type=task.task_type,
            parameters=task.parameters,
            timeout_seconds=task.timeout_seconds,
        )
        try:
            # No proxy from the environment, no redirect: only the address that was checked.
            async with (
                httpx.AsyncClient(
                    trust_env=False, follow_redirects=False, timeout=task.timeout_seconds
                ) as client,
                client.stream(
                    "POST",
                    f"http://{literal}:{agent.port}/tasks",
                    content=order.model_dump_json(),
                    headers={
                        "host": f"{agent.host}:{agent.port}",
                        "content-type": "application/json",
                    },
                ) as response,
            ):
                return await _read(response)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            raise AgentUnreachable(
                f"{agent.host}:{agent.port} does not answer: {type(error).__name__}"
            ) from error

    async def _noting(self, note: Callable[[Transaction], object]) -> None:
        def run() -> None:
            with self._database.transaction() as tx:
                note(tx)

        # What the agent did is noted even when the server is told to stop at this moment.
        await _finished(asyncio.to_thread(run))


async def _finished(work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _read(response: httpx.Response) -> Answer:
    if response.status_code == _ACCEPTED:
        return Answer(result=None)
    if response.status_code != _OK:
        raise AgentUnreachable(f"the agent answered with status {response.status_code}")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise AgentUnreachable(f"the agent's answer is larger than {LARGEST_ANSWER} bytes")
    try:
        return Answer(result=TaskResult.model_validate_json(bytes(body)))
    except ValidationError as error:
        first = error.errors()[0]
        raise AgentUnreachable(f"the agent's answer is not as agreed: {first['msg']}") from error
