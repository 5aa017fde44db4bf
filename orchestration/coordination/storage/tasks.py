"""Tasks: one row each, changed only from the state in which the caller saw it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from orchestration.agents.model import (
    OPEN_STATUSES,
    RESULTS_KEPT_S,
    Task,
    TaskResult,
    TaskStatus,
    TaskSubmission,
)
from orchestration.coordination.storage.agents import Enrolled
from orchestration.coordination.storage.database import Transaction
from orchestration.coordination.storage.tables import tasks

# A crash may lie between sending a task and noting the answer; then its attempt ends this much
# after its time-out.
ANSWER_GRACE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task with what only we know of it."""

    task: Task
    customer_id: str | None
    agent_owner: str
    wanted_agent_id: str | None


def add(
    tx: Transaction,
    submission: TaskSubmission,
    agent: Enrolled,
    *,
    submitted_by: str,
    customer_id: str | None,
    task_id: str | None = None,
) -> Task:
    """Add a task for an agent; it is due at once. Its id is made up unless it is given."""
    task = Task(
        task_id=task_id or str(uuid.uuid4()),
        agent_id=agent.agent.id,
        status=TaskStatus.PENDING,
        created_at=tx.now,
        retry_count=0,
        **submission.model_dump(exclude={"agent_id"}),
    )
    tx.connection.execute(
        tasks.insert().values(
            id=task.task_id,
            submitted_by=submitted_by,
            customer_id=customer_id,
            task_type=task.task_type,
            agent_type=task.agent_type,
            wanted_agent_id=submission.agent_id,
            agent_id=task.agent_id,
            agent_owner=agent.owner,
            priority=task.priority,
            parameters=json.dumps(task.parameters),
            metadata=None if task.metadata is None else json.dumps(task.metadata),
            status=task.status.value,
            created_at=tx.now,
            timeout_s=task.timeout_seconds,
            retry_count=0,
            max_retries=task.max_retries,
            due_at=tx.now,
        )
    )
    return task


def find(tx: Transaction, task_id: str) -> StoredTask | None:
    """Read one task; None when it is unknown or its result was kept for long enough."""
    row = tx.connection.execute(
        sa.select(tasks).where(tasks.c.id == task_id, _is_kept(tx))
    ).one_or_none()
    return None if row is None else _stored(row)


def list_page(
    tx: Transaction, *, customer_id: str | None, status: TaskStatus | None, after: int, limit: int
) -> list[tuple[int, Task]]:
    """Read tasks with their place in the list, the oldest first."""
    query = sa.select(tasks).where(tasks.c.seq > after, _is_kept(tx))
    if customer_id is not None:
        query = query.where(tasks.c.customer_id == customer_id)
    if status is not None:
        query = query.where(tasks.c.status == status.value)
    rows = tx.connection.execute(query.order_by(tasks.c.seq).limit(limit))
    return [(row.seq, _stored(row).task) for row in rows]


def due(tx: Transaction, statuses: Collection[TaskStatus], *, limit: int) -> list[StoredTask]:
    """Take tasks to which something must happen now; urgent ones first, nobody else gets them."""
    rows = tx.connection.execute(
        sa.select(tasks)
        .where(tasks.c.status.in_([status.value for status in statuses]), tasks.c.due_at <= tx.now)
        .order_by(tasks.c.priority.desc(), tasks.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_stored(row) for row in rows]


def begin_attempt(tx: Transaction, task: Task, agent: Enrolled) -> None:
    """Note that a task is being sent to an agent."""
    _change(
        tx,
        task,
        status=TaskStatus.SENT,
        agent_id=agent.agent.id,
        agent_owner=agent.owner,
        started_at=tx.now,
        due_at=tx.now + timedelta(seconds=task.timeout_seconds) + ANSWER_GRACE,
    )


def note_accepted(tx: Transaction, task: Task) -> None:
    """Note that an agent has taken a task and will answer later."""
    _change(
        tx,
        task,
        status=TaskStatus.RUNNING,
        due_at=tx.now + timedelta(seconds=task.timeout_seconds),
    )


def finish(tx: Transaction, task: Task, result: TaskResult) -> bool:
    """Note an agent's answer; false when the task had ended or moved on already."""
    return _change(
        tx,
        task,
        status=TaskStatus(result.status.value),
        completed_at=tx.now,
        due_at=None,
        result=None if result.result is None else json.dumps(result.result),
        error=result.error,
    )


def retry_later(tx: Transaction, task: Task, error: str, *, delay: timedelta) -> bool:
    """Have a task sent again after a while."""
    return _change(
        tx,
        task,
        status=TaskStatus.RETRYING,
        retry_count=task.retry_count + 1,
        due_at=tx.now + delay,
        error=error,
    )


def give_up(tx: Transaction, task: Task, status: TaskStatus, error: str | None) -> bool:
    """End a task without an answer of its agent."""
    return _change(tx, task, status=status, completed_at=tx.now, due_at=None, error=error)


def remove_old(tx: Transaction) -> None:
    """Drop tasks whose results were kept for long enough."""
    tx.connection.execute(tasks.delete().where(sa.not_(_is_kept(tx))))


def _change(tx: Transaction, task: Task, **values: Any) -> bool:
    changed = tx.connection.execute(
        tasks.update()
        .where(
            tasks.c.id == task.task_id,
            tasks.c.status.in_([status.value for status in OPEN_STATUSES]),
            # What an earlier attempt brings back too late must not end a later one.
            tasks.c.retry_count == task.retry_count,
        )
        .values(**values)
    )
    return changed.rowcount == 1


def _is_kept(tx: Transaction) -> sa.ColumnElement[bool]:
    oldest = tx.now - timedelta(seconds=RESULTS_KEPT_S)
    return sa.or_(tasks.c.completed_at.is_(None), tasks.c.completed_at > oldest)


def _stored(row: sa.Row[Any]) -> StoredTask:
    task = Task(
        task_id=row.id,
        task_type=row.task_type,
        agent_id=row.agent_id,
        agent_type=row.agent_type,
        priority=row.priority,
        parameters=json.loads(row.parameters),
        status=row.status,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        timeout_seconds=row.timeout_s,
        retry_count=row.retry_count,
        max_retries=row.max_retries,
        result=None if row.result is None else json.loads(row.result),
        error=row.error,
        metadata=None if row.metadata is None else json.loads(row.metadata),
    )
    return StoredTask(
        task=task,
        customer_id=row.customer_id,
        agent_owner=row.agent_owner,
        wanted_agent_id=row.wanted_agent_id,
    )
