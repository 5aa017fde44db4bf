"""Tasks: which agent gets one, how it is retried, and how it ends.

Sending is `dispatch`'s job; this module decides, inside the caller's transaction.
"""

from __future__ import annotations

from datetime import timedelta

from orchestration.agents.errors import (
    AgentIncapable,
    AgentUnknown,
    NoCapableAgent,
    TaskFinished,
    TaskUnknown,
)
from orchestration.agents.model import (
    RETRY_DELAY_S,
    AgentStatus,
    Task,
    TaskResult,
    TaskStatus,
    TaskSubmission,
)
from orchestration.coordination.identity import Caller, Permission
from orchestration.coordination.refusals import Forbidden
from orchestration.coordination.storage import agents, tasks
from orchestration.coordination.storage.agents import Enrolled
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tasks import StoredTask


class TaskRouter:
    """Gives tasks to capable agents, the least loaded one first."""

    def __init__(self, *, retry_delay_s: float = RETRY_DELAY_S) -> None:
        self._retry_delay = timedelta(seconds=retry_delay_s)

    def submit(
        self,
        tx: Transaction,
        caller: Caller,
        submission: TaskSubmission,
        *,
        task_id: str | None = None,
    ) -> Task:
        """Add a task for an agent that can do it; its id is made up unless it is given.

        Raises:
            NoCapableAgent: none of the healthy agents offers it.
            AgentUnknown: the agent that it names is not there.
            AgentIncapable: the agent that it names does not offer it.
        """
        caller.require(Permission.DISPATCH)
        agent = _choose(tx, submission, caller.customer_id)
        return tasks.add(
            tx,
            submission,
            agent,
            submitted_by=caller.name,
            customer_id=caller.customer_id,
            task_id=task_id,
        )

    def find(self, tx: Transaction, caller: Caller, task_id: str) -> Task:
        """Read one task.

        Raises:
            TaskUnknown: there is none, or it is another customer's.
        """
        return self._visible(tx, caller, task_id).task

    def list_page(
        self, tx: Transaction, caller: Caller, *, status: TaskStatus | None, after: int, limit: int
    ) -> list[tuple[int, Task]]:
        """Read the caller's tasks with their place in the list."""
        caller.require(Permission.READ)
        return tasks.list_page(
            tx, customer_id=caller.customer_id, status=status, after=after, limit=limit
        )

    def cancel(self, tx: Transaction, caller: Caller, task_id: str) -> None:
        """End a task before its agent has; what the agent brings later is refused.

        Raises:
            TaskFinished: it has ended already.
        """
        caller.require(Permission.DISPATCH)
        task = self._visible(tx, caller, task_id).task
        if not tasks.give_up(tx, task, TaskStatus.CANCELLED, None):
            raise TaskFinished(f"task {task_id} is {task.status.value} already")

    def report(self, tx: Transaction, caller: Caller, task_id: str, result: TaskResult) -> None:
        """Take the result that an agent brings later.

        Raises:
            TaskFinished: the task was cancelled, timed out for good, or has a result.
        """
        caller.require(Permission.SERVE)
        stored = self._visible(tx, caller, task_id)
        if not caller.is_operator and caller.subject != stored.agent_owner:
            raise Forbidden(f"task {task_id} was given to another agent")
        if not tasks.finish(tx, stored.task, result):
            raise TaskFinished(f"task {task_id} is {stored.task.status.value} already")

    def begin_due(self, tx: Transaction, *, limit: int) -> list[tuple[Task, Enrolled]]:
        """Take the tasks that are to be sent now, each with the agent to send it to."""
        started: list[tuple[Task, Enrolled]] = []
        for stored in tasks.due(tx, {TaskStatus.PENDING, TaskStatus.RETRYING}, limit=limit):
            agent = self._agent_now(tx, stored)
            if agent is None:
                self.miss(tx, stored.task, "no capable agent is there any more")
                continue
            tasks.begin_attempt(tx, stored.task, agent)
            started.append((stored.task, agent))
        return started

    def end_overdue(self, tx: Transaction, *, limit: int) -> None:
        """Retry or end the tasks whose agents have not answered in time."""
        for stored in tasks.due(tx, {TaskStatus.SENT, TaskStatus.RUNNING}, limit=limit):
            self.miss(tx, stored.task, "the agent did not answer in time", timed_out=True)

    def miss(self, tx: Transaction, task: Task, error: str, *, timed_out: bool = False) -> None:
        """Note that an attempt came to nothing: try again, or give up."""
        if task.retry_count < task.max_retries:
            tasks.retry_later(tx, task, error, delay=self._retry_delay)
        else:
            final = TaskStatus.TIMEOUT if timed_out else TaskStatus.FAILED
            tasks.give_up(tx, task, final, error)

    def _agent_now(self, tx: Transaction, stored: StoredTask) -> Enrolled | None:
        if stored.task.status is TaskStatus.PENDING:
            agent = agents.find(tx, stored.task.agent_id)
            if agent is not None:
                return agent
        wish = TaskSubmission(
            task_type=stored.task.task_type,
            agent_type=stored.task.agent_type,
            agent_id=stored.wanted_agent_id,
        )
        try:
            return _choose(tx, wish, stored.customer_id)
        except (NoCapableAgent, AgentUnknown, AgentIncapable):
            return None

    def _visible(self, tx: Transaction, caller: Caller, task_id: str) -> StoredTask:
        caller.require(Permission.READ)
        stored = tasks.find(tx, task_id)
        if stored is None or not caller.sees(stored.customer_id):
            raise TaskUnknown(f"task not found: {task_id}")
        return stored


def _choose(tx: Transaction, wish: TaskSubmission, customer_id: str | None) -> Enrolled:
    serving = agents.list_living(tx, customer_id=customer_id)
    if wish.agent_id is not None:
        named = next((agent for agent in serving if agent.agent.id == wish.agent_id), None)
        if named is None:
            raise AgentUnknown(f"agent not found: {wish.agent_id}")
        if wish.task_type not in named.agent.capabilities:
            raise AgentIncapable(f"agent {wish.agent_id} does not offer {wish.task_type!r}")
        return named
    capable = [
        agent
        for agent in serving
        if wish.task_type in agent.agent.capabilities
        and agent.agent.status is not AgentStatus.UNHEALTHY
        and wish.agent_type in {None, agent.agent.type}
    ]
    if not capable:
        kind = f" of type {wish.agent_type.value}" if wish.agent_type else ""
        raise NoCapableAgent(f"no healthy agent{kind} offers {wish.task_type!r}")
    return min(
        capable,
        key=lambda agent: (
            agent.open_tasks,
            agent.agent.status is not AgentStatus.HEALTHY,
            # Among equals, the one that has waited longest for a task.
            agent.latest_task,
            agent.agent.registered_at,
        ),
    )
