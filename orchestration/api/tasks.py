"""Routes of the tasks that agents are sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from orchestration.agents.model import (
    AgentType,
    Task,
    TaskResult,
    TaskStatus,
    TaskSubmission,
)
from orchestration.api.calls import CurrentCall, RepeatableCall, json_reply
from orchestration.api.messages import Message
from orchestration.api.paging import After, Identifier, Limit, next_place
from orchestration.coordination.facts import Facts
from orchestration.coordination.identity import Caller
from orchestration.coordination.storage.database import Transaction

router = APIRouter(tags=["tasks"])

_NANOSECONDS = 1_000_000_000


class TaskAccepted(BaseModel):
    """What the sender of a task is told."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    status: TaskStatus
    agent_id: str
    created_at: AwareDatetime
    status_url: str


class TaskState(BaseModel):
    """Where a task stands, and its result once there is one."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    status: TaskStatus
    agent_id: str
    result: Facts | None = None
    error: str | None = None
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    retry_count: int


class TaskEntry(TaskState):
    """A task in a list; `timeout` is in nanoseconds, as agents know it."""

    task_type: str
    agent_type: AgentType | None = None
    priority: int
    parameters: Facts
    timeout: int
    max_retries: int
    metadata: Facts | None = None


class TaskList(BaseModel):
    """Tasks, the oldest first."""

    model_config = ConfigDict(frozen=True)

    tasks: list[TaskEntry]
    count: int
    next: int | None = None


@router.post("/tasks", status_code=201, response_model=TaskAccepted)
def submit_task(call: RepeatableCall, submission: TaskSubmission) -> Response:
    """Have a capable agent do something; the least loaded one gets it."""

    def act(tx: Transaction, caller: Caller) -> TaskAccepted:
        task = call.backend.router.submit(tx, caller, submission)
        return TaskAccepted(
            task_id=task.task_id,
            status=task.status,
            agent_id=task.agent_id,
            created_at=task.created_at,
            status_url=f"/tasks/{task.task_id}",
        )

    reply = call.once(submission, act, HTTPStatus.CREATED)
    call.upkeep.wake_tasks()
    return reply


@router.get("/tasks", response_model=TaskList)
def list_tasks(
    call: CurrentCall,
    status: Annotated[TaskStatus | None, Query()] = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """List tasks, those in one status where one is given."""
    with call.reading() as (tx, caller):
        page = call.backend.router.list_page(tx, caller, status=status, after=after, limit=limit)
    entries = [_entry(task) for _, task in page]
    return json_reply(
        TaskList(
            tasks=entries,
            count=len(entries),
            next=next_place([place for place, _ in page], limit),
        )
    )


@router.get("/tasks/{task_id}", response_model=TaskState)
def read_task(call: CurrentCall, task_id: Identifier) -> Response:
    """Read where a task stands; results are kept for an hour."""
    with call.reading() as (tx, caller):
        task = call.backend.router.find(tx, caller, task_id)
    return json_reply(
        TaskState.model_validate(task.model_dump(include=set(TaskState.model_fields)))
    )


@router.delete("/tasks/{task_id}", response_model=Message)
def cancel_task(call: CurrentCall, task_id: Identifier) -> Response:
    """Cancel a task; what its agent answers later is refused."""
    with call.writing() as (tx, caller):
        call.backend.router.cancel(tx, caller, task_id)
    return json_reply(Message(message="Task cancelled successfully"))


@router.post("/tasks/{task_id}/result", response_model=Message)
def report_result(call: CurrentCall, task_id: Identifier, result: TaskResult) -> Response:
    """Bring the result of a task that its agent had accepted with 202."""
    with call.writing() as (tx, caller):
        call.backend.router.report(tx, caller, task_id, result)
    return json_reply(Message(message="Result received"))


def _entry(task: Task) -> TaskEntry:
    fields = task.model_dump(exclude={"timeout_seconds"})
    return TaskEntry(timeout=task.timeout_seconds * _NANOSECONDS, **fields)
