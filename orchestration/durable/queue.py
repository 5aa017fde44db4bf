"""The queue of runs: several worker processes take from it, and take over from those that died.

DBOS spreads the runs and keeps their steps' results. That a worker has died is found here: every
worker renews a row of its own, and every worker looks for runs of those that no longer do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

from orchestration.durable.database import DatabaseUnusable, database_now, translated, worker_table
from orchestration.durable.lease import LeaseTerms
from orchestration.durable.workflows import (
    POLLING_S,
    WORKFLOW_VERSION,
    RunEnd,
    Script,
    dbos_launched,
    dbos_step,
    go_through,
)

# The application that all workers are; a run at a desk is another one, and takes nothing of theirs.
WORKERS = "conductor-workers"
QUEUE = "runs"
WORKFLOW = "queued run"


class QueuedWorkflows:
    """Runs a script as part of the queued workflow that this thread is in."""

    def start(self, run_id: str, script: Script) -> RunEnd:
        """Run a new run to its end."""
        del run_id
        return go_through(script, dbos_step)

    def resume(self, run_id: str, script: Script) -> RunEnd:
        """Go on with a run whose worker has died: the results of its steps are on record."""
        return self.start(run_id, script)


Perform = Callable[[str, Mapping[str, str], QueuedWorkflows], str]


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
    url = engine.url.render_as_string(hide_password=False)
    with translated(url):
        client = DBOSClient(
            system_database_url=url,
            system_database_engine=engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=WORKERS,
        )
        try:
            client.enqueue(
                EnqueueOptions(
                    workflow_name=WORKFLOW,
                    queue_name=QUEUE,
                    workflow_id=run_id,
                    app_version=WORKFLOW_VERSION,
                ),
                dict(inputs),
            )
        finally:
            client.destroy()


@contextmanager
def working(engine: sa.Engine, perform: Perform, terms: LeaseTerms) -> Iterator[str]:
    """Take runs from the queue while the block runs, one at a time; gives this worker's id.

    Raises:
        DatabaseUnusable: the database does not answer.
    """
    _worker.perform = perform
    with dbos_launched(engine, WORKERS, queues=(QUEUE,)) as executor_id:
        url = engine.url.render_as_string(hide_password=False)
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLLING_S)
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


def take_over(engine: sa.Engine) -> tuple[str, ...]:
    """Put the runs of dead workers back into the queue, as often as one likes; gives their ids."""
    pending = DBOS.list_workflows(
        status="PENDING", name=WORKFLOW, load_input=False, load_output=False
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
    orphans = tuple(run.workflow_id for run in pending if run.executor_id not in alive)
    for run_id in orphans:
        DBOS.resume_workflow(run_id, queue_name=QUEUE)
    return orphans


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
