"""The queue of runs: several worker processes take from it, and take over from those that died.

DBOS spreads the runs and keeps their steps' results. That a worker has died is found here: every
worker renews a row of its own, and every worker looks for runs, and for operations on stacks, of
those that no longer do. A worker that is told to end hands back what it has not finished.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from dbos import DBOS, EnqueueOptions

from orchestration.concurrency import is_stopping
from orchestration.durable.database import DatabaseUnusable, database_now, translated, worker_table
from orchestration.durable.lease import LeaseTerms
from orchestration.durable.stack_queue import (
    STACK_WORKFLOW,
    WORKERS,
    CarryOut,
    dbos_client,
    taking_stacks,
)
from orchestration.durable.workflows import (
    POLLING_S,
    WORKFLOW_VERSION,
    RunEnd,
    Script,
    dbos_launched,
    dbos_step,
    go_through,
)

T = TypeVar("T")

QUEUE = "runs"
WORKFLOW = "queued run"


class QueuedWorkflows:
    """Runs a script as part of the queued workflow that this thread is in."""

    def start(self, run_id: str, script: Script) -> RunEnd:
        """Run a new run to its end."""
        del run_id
        return go_through(script, _step_or_hand_back)

    def resume(self, run_id: str, script: Script) -> RunEnd:
        """Go on with a run whose worker has died: the results of its steps are on record."""
        return self.start(run_id, script)


def _step_or_hand_back(name: str, do: Callable[..., T], *arguments: str) -> T:
    """Run a step; what was cut off because the process is to end has no result.

    Raises:
        KeyboardInterrupt: the process was told to end; whoever goes on does the step again.
    """

    def do_it() -> T:
        result = do(*arguments)
        if is_stopping():
            raise KeyboardInterrupt
        return result

    return dbos_step(name, do_it)


Perform = Callable[[str, Mapping[str, str], QueuedWorkflows], str]


@dataclass(frozen=True, slots=True)
class Duties:
    """What a worker does: runs, one at a time, and operations on stacks, so many at once."""

    perform: Perform
    carry_out: CarryOut
    stack_queue: str
    stacks_at_once: int


@dataclass(slots=True)
class _Worker:
    """What this process does with a run that it takes."""

    perform: Perform | None = None


_worker = _Worker()


@DBOS.workflow(name=WORKFLOW)
def _queued_run(inputs: dict[str, str]) -> str:
    assert _worker.perform is not None, "only workers listen to the queue"
    assert DBOS.workflow_id is not None
    return _worker.perform(DBOS.workflow_id, inputs, QueuedWorkflows())


def enqueue_run(engine: sa.Engine, run_id: str, inputs: Mapping[str, str]) -> None:
    """Have a run done by whichever worker is free; the same id twice is one run.

    Raises:
        DatabaseUnusable: the database does not answer.
    """
    with dbos_client(engine) as client:
        client.enqueue(
            EnqueueOptions(
                workflow_name=WORKFLOW,
                queue_name=QUEUE,
                workflow_id=run_id,
                app_version=WORKFLOW_VERSION,
            ),
            dict(inputs),
        )


@contextmanager
def working(engine: sa.Engine, duties: Duties, terms: LeaseTerms) -> Iterator[str]:
    """Take from the queues while the block runs; gives this worker's id.

    What is unfinished at the end of the block goes back into its queue.

    Raises:
        DatabaseUnusable: the database does not answer.
    """
    _worker.perform = duties.perform
    queues = {QUEUE: 1, duties.stack_queue: duties.stacks_at_once}
    with (
        taking_stacks(engine, duties.carry_out),
        dbos_launched(engine, WORKERS, queues=tuple(queues)) as executor_id,
    ):
        url = engine.url.render_as_string(hide_password=False)
        for queue, at_once in queues.items():
            DBOS.register_queue(queue, worker_concurrency=at_once, polling_interval_sec=POLLING_S)
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(terms.heartbeat_s):
                # A database that is away for a moment is asked again.
                with suppress(DatabaseUnusable), translated(url):
                    _renew(engine, executor_id, terms)
                    take_over(engine)

        _renew(engine, executor_id, terms)
        watching = threading.Thread(target=watch, name="worker-heartbeat", daemon=True)
        watching.start()
        try:
            yield executor_id
        finally:
            ended.set()
            watching.join()
            _forget(engine, executor_id)
    _hand_back(engine, executor_id)


def take_over(engine: sa.Engine) -> tuple[str, ...]:
    """Put back into its queue what dead workers had in hand, as often as one likes; gives the ids.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    pending = DBOS.list_workflows(
        status="PENDING", name=[WORKFLOW, STACK_WORKFLOW], load_input=False, load_output=False
    )
    if not pending:
        return ()
    with engine.connect() as connection:
        alive = set(
            connection.execute(
                sa.select(worker_table.c.executor_id).where(
                    worker_table.c.renewed_at + worker_table.c.length_s >= database_now(engine)
                )
            ).scalars()
        )
    orphans = tuple(work for work in pending if work.executor_id not in alive)
    for work in orphans:
        DBOS.resume_workflow(work.workflow_id, queue_name=work.queue_name)
    return tuple(work.workflow_id for work in orphans)


def _hand_back(engine: sa.Engine, executor_id: str) -> None:
    """Put back what this process had in hand; it takes nothing any more."""
    with dbos_client(engine) as client:
        for work in client.list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        ):
            client.resume_workflow(work.workflow_id, queue_name=work.queue_name)


def _renew(engine: sa.Engine, executor_id: str, terms: LeaseTerms) -> None:
    now = database_now(engine)
    with engine.begin() as connection:
        renewed = connection.execute(
            sa.update(worker_table)
            .where(worker_table.c.executor_id == executor_id)
            .values(renewed_at=now)
        )
        if renewed.rowcount == 0:
            connection.execute(
                worker_table.insert().values(
                    executor_id=executor_id, renewed_at=now, length_s=terms.length_s
                )
            )


def _forget(engine: sa.Engine, executor_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(worker_table).where(worker_table.c.executor_id == executor_id))
