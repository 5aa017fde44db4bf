"""The queue of operations on stacks: a run orders them, any worker of its machine does them.

An order carries the generation of its run's lease. Whoever takes it asks before touching the stack
whether the run still holds its environment, and whether the order is still its own: an order of a
worker that died or was paused is given to another. What both pass, Pulumi's lock of the stack
keeps apart. Who notices that a worker died is `queue`'s business.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSClient,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    WorkflowStatus,
)
from pydantic import BaseModel, ConfigDict, TypeAdapter

from orchestration.automation.orders import StackAnswer, StackOrder
from orchestration.automation.results import Json, OnStackEvent, StackEvent, StackResult
from orchestration.concurrency import pause
from orchestration.durable.database import (
    operation_event_table,
    operation_taking_table,
    translated,
)
from orchestration.durable.lease import Fenced, require_generation
from orchestration.durable.workflows import WORKFLOW_VERSION
from orchestration.errors import ConductorError, Interrupted, StackFailed, StackLocked

# The application that all workers are; a run at a desk is another one, and takes nothing of theirs.
WORKERS = "conductor-workers"
STACK_WORKFLOW = "stack operation"
# Between two looks at how an operation goes.
LOOK_S = 0.2
# How long a worker waits for a stack's lock: its holder is an earlier attempt at the same run.
LOCK_PATIENCE_S = 600.0
LOCK_LOOK_S = 1.0

_EVENT = TypeAdapter(StackEvent)
_UNDER_WAY = frozenset({"ENQUEUED", "PENDING", "DELAYED"})


class StackTask(BaseModel):
    """An order with what it belongs to; `engine` is the choice that the run was started with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str
    run_id: str
    generation: int
    engine: str
    order: StackOrder


# Carries a task out; asks the guard before it touches the stack.
CarryOut = Callable[[StackTask, Callable[[], None], OnStackEvent], StackResult]


@dataclass(slots=True)
class _StackWorker:
    """How this process does operations."""

    engine: sa.Engine | None = None
    carry_out: CarryOut | None = None


_worker = _StackWorker()


def stack_queue(environments: Path) -> str:
    """Name the queue of those who share a machine and the folder of its environments."""
    place = f"{socket.gethostname()}:{environments.resolve()}"
    return f"stacks-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


@contextmanager
def dbos_client(engine: sa.Engine) -> Iterator[DBOSClient]:
    """Have what reads and fills the workers' queues, while the block runs.

    Raises:
        DatabaseUnusable: the database does not answer.
    """
    url = engine.url.render_as_string(hide_password=False)
    with translated(url):
        client = DBOSClient(
            system_database_url=url,
            system_database_engine=engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=WORKERS,
        )
        try:
            yield client
        finally:
            client.destroy()


class QueuedHands:
    """The workers of one machine, as the hands of one run; safe to use from several threads."""

    def __init__(
        self,
        database: sa.Engine,
        queue: str,
        *,
        environment: str,
        run_id: str,
        generation: int,
        engine: str,
    ) -> None:
        self._database = database
        self._queue = queue
        self._environment = environment
        self._run_id = run_id
        self._generation = generation
        self._engine = engine

    def carry_out(self, order: StackOrder, on_event: OnStackEvent) -> StackResult:
        """Have whichever worker is free carry an order out, telling of its progress.

        Raises:
            StackFailed: the operation failed.
            Interrupted: the process was told to end; whoever does the operation goes on.
            DatabaseUnusable: the database does not answer.
        """
        task = StackTask(
            environment=self._environment,
            run_id=self._run_id,
            generation=self._generation,
            engine=self._engine,
            order=order,
        )
        operation_id = f"{self._run_id}-{order.stack}-{secrets.token_hex(6)}"
        with dbos_client(self._database) as client:
            client.enqueue(
                EnqueueOptions(
                    workflow_name=STACK_WORKFLOW,
                    queue_name=self._queue,
                    workflow_id=operation_id,
                    app_version=WORKFLOW_VERSION,
                ),
                task.model_dump(mode="json"),
            )
            return self._followed(client, operation_id, on_event)

    def _followed(
        self, client: DBOSClient, operation_id: str, on_event: OnStackEvent
    ) -> StackResult:
        told = 0
        try:
            while True:
                status = _status(client, operation_id)
                # After the status: when it is over, this was the last of its events.
                for position, event in _events_after(self._database, operation_id, told):
                    on_event(event)
                    told = position
                if status.status not in _UNDER_WAY:
                    return _result(status)
                pause(LOOK_S)
        finally:
            _forget(self._database, operation_id)


def _result(status: WorkflowStatus) -> StackResult:
    if status.status != "SUCCESS":
        raise StackFailed(
            f"operation {status.workflow_id} ended as {status.status}: {status.error}",
            hint="look at the workers' output",
        )
    return StackAnswer.model_validate(status.output).result()


@contextmanager
def taking_stacks(engine: sa.Engine, carry_out: CarryOut) -> Iterator[None]:
    """Say how this process does the operations that it takes while the block runs."""
    _worker.engine, _worker.carry_out = engine, carry_out
    try:
        yield
    finally:
        _worker.engine, _worker.carry_out = None, None


@DBOS.workflow(name=STACK_WORKFLOW)
def _stack_operation(task: dict[str, Json]) -> dict[str, Json]:
    assert _worker.engine is not None, "only workers listen to the queue"
    assert DBOS.workflow_id is not None
    assert _worker.carry_out is not None
    asked = StackTask.model_validate(task)
    answer = answer_to(_worker.engine, DBOS.workflow_id, asked, _worker.carry_out)
    return answer.model_dump(mode="json")


def answer_to(
    engine: sa.Engine, operation_id: str, task: StackTask, carry_out: CarryOut
) -> StackAnswer:
    """Carry a task out, and say what came of it.

    Raises:
        KeyboardInterrupt: the process was told to end first; another worker does it.
    """
    taking = _take(engine, operation_id)

    def guard() -> None:
        require_generation(engine, task.environment, task.generation)
        if _newest_taking(engine, operation_id) != taking:
            raise Fenced(f"operation {operation_id} was given to another worker")

    try:
        guard()
        done = carry_out(task, guard, lambda event: _add_event(engine, operation_id, event))
    except Interrupted:
        raise KeyboardInterrupt from None
    except ConductorError as error:
        return StackAnswer.of_error(error)
    except Exception as error:  # noqa: BLE001 - a defect is told to whoever waits, too
        return StackAnswer.of_error(
            StackFailed(f"stack {task.order.stack}: {type(error).__name__}: {error}")
        )
    return StackAnswer.of_result(done)


def patiently(work: Callable[[], StackResult]) -> StackResult:
    """Do an operation once the stack's lock is free: its holder began before a takeover.

    Raises:
        StackLocked: it did not become free in time.
        Interrupted: the process was told to end.
    """
    started = time.monotonic()
    while True:
        try:
            return work()
        except StackLocked:
            if time.monotonic() - started > LOCK_PATIENCE_S:
                raise
            pause(LOCK_LOOK_S)


def _status(client: DBOSClient, operation_id: str) -> WorkflowStatus:
    (found,) = client.list_workflows(workflow_ids=[operation_id], load_input=False)
    return found


def _take(engine: sa.Engine, operation_id: str) -> int:
    """Note that this process has taken an operation, from whoever had it before."""
    with engine.begin() as connection:
        taken = connection.execute(
            operation_taking_table.insert().values(operation_id=operation_id)
        )
    assert taken.inserted_primary_key is not None
    return int(taken.inserted_primary_key[0])


def _newest_taking(engine: sa.Engine, operation_id: str) -> int | None:
    table = operation_taking_table
    with engine.connect() as connection:
        newest: int | None = connection.execute(
            sa.select(sa.func.max(table.c.position)).where(table.c.operation_id == operation_id)
        ).scalar_one()
    return newest


def _add_event(engine: sa.Engine, operation_id: str, event: StackEvent) -> None:
    text = _EVENT.dump_json(event).decode()
    with engine.begin() as connection:
        connection.execute(
            operation_event_table.insert().values(operation_id=operation_id, event=text)
        )


def _events_after(
    engine: sa.Engine, operation_id: str, position: int
) -> list[tuple[int, StackEvent]]:
    table = operation_event_table
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(table.c.position, table.c.event)
            .where(table.c.operation_id == operation_id, table.c.position > position)
            .order_by(table.c.position)
        ).all()
    return [(row.position, _EVENT.validate_json(row.event)) for row in rows]


def _forget(engine: sa.Engine, operation_id: str) -> None:
    """Forget what was noted of an operation; whoever still has it in hand has lost it."""
    with engine.begin() as connection:
        for table in (operation_event_table, operation_taking_table):
            connection.execute(sa.delete(table).where(table.c.operation_id == operation_id))
