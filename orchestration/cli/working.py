"""`conductor up --detach` and `conductor worker`: runs put into a queue, and who does them."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from orchestration.automation.engines import EngineName
from orchestration.automation.results import OnStackEvent, StackResult
from orchestration.cli.deploying import Opened, Request, expiry_of, open_request, run_options
from orchestration.cli.resuming import request_of
from orchestration.concurrency import is_stopping, pause, stop_waiting
from orchestration.conductor.assembly import RunOptions, stack_operations
from orchestration.conductor.records import (
    RunInputs,
    RunRecord,
    RunStatus,
    new_run_id,
    record_refusal,
    runs,
)
from orchestration.conductor.running import QueuedRun, run_up
from orchestration.durable.database import DATABASE_URL_VARIABLE, database_url, opened_database
from orchestration.durable.lease import Lease, LeaseTerms
from orchestration.durable.queue import Duties, QueuedWorkflows, enqueue_run, working
from orchestration.durable.stack_queue import QueuedHands, StackTask, patiently, stack_queue
from orchestration.environments import Environment
from orchestration.errors import Blocked, ConductorError, EnvironmentBusy, Interrupted, UsageError
from orchestration.settings import Settings
from orchestration.targets.opening import target_of

# Between two looks whether an environment that is held has become free.
BUSY_POLL_S = 0.5
# A lease is renewed this many times before it would run out.
BEATS_PER_LEASE = 4.5


def detach(request: Request, *, director_timeout_s: float, as_json: bool) -> None:
    """Check a request, put its run into the queue, and say the run's id.

    Raises:
        UsageError: no database was named, in which workers would find the run.
        ConductorError: the request is refused, as `up` would refuse it.
    """
    url = _shared_database(request.database_url)
    absolute = replace(
        request,
        architecture=request.architecture.resolve(),
        source_root=request.source_root.resolve() if request.source_root else None,
    )
    expires_at = expiry_of(absolute)
    opened = open_request(absolute)
    options = run_options(absolute, opened, director_timeout_s)
    if expires_at is not None:
        # Its time begins now, however long the run waits for a worker.
        opened.environment.expire_at(expires_at)
    run_id = new_run_id(datetime.now(UTC))
    inputs = {
        **options.words,
        "environment": opened.environment.name,
        "architecture": str(absolute.architecture),
        "architecture_sha256": _digest(absolute),
    }
    with opened_database(url) as engine:
        enqueue_run(engine, run_id, inputs)
    _say("run_queued", as_json=as_json, run_id=run_id, environment=inputs["environment"])


def work(url: str | None, *, lease_s: float, stacks: int, as_json: bool) -> None:
    """Do runs from the queue, one at a time, and operations on stacks, until told to end.

    Raises:
        UsageError: no database was named, or the lease is no time, or there are no stacks.
        DatabaseUnusable: the database does not answer.
    """
    if lease_s <= 0:
        raise UsageError(f"--lease {lease_s:g} is no time", hint="give seconds, as in --lease 45")
    if stacks < 1:
        raise UsageError(f"--stacks {stacks} is no number of stacks", hint="give 1 or more")
    shared = _shared_database(url)
    terms = LeaseTerms(length_s=lease_s, heartbeat_s=lease_s / BEATS_PER_LEASE)
    with opened_database(shared) as engine:
        bench = _Bench(engine, shared, as_json=as_json)
        duties = Duties(bench.perform, bench.carry_out, bench.stack_queue, stacks)
        with working(engine, duties, terms) as worker:
            _say("worker_started", as_json=as_json, worker=worker)
            try:
                while True:
                    pause(BUSY_POLL_S)
            except (KeyboardInterrupt, Interrupted):
                stop_waiting()
                bench.wait_until_empty()
        _say("worker_ended", as_json=as_json, worker=worker)


class _Bench:
    """What one worker has in hand: at most one run, and operations on stacks."""

    def __init__(self, engine: sa.Engine, url: str, *, as_json: bool) -> None:
        self.stack_queue = stack_queue(Settings.from_environment().environments_dir)
        self._engine = engine
        self._url = url
        self._as_json = as_json
        self._changed = threading.Condition()
        self._in_hand = 0

    def perform(self, run_id: str, inputs: Mapping[str, str], workflows: QueuedWorkflows) -> str:
        """Do one run; how it ended.

        Raises:
            KeyboardInterrupt: the worker was told to end; the run is for the others.
        """
        environment = inputs["environment"]
        queued = QueuedRun(run_id, workflows, partial(self._hands, run_id, inputs))
        with self._having():
            self._say("run_taken", run_id, environment)
            try:
                end = _perform(queued, inputs, self._url)
            except KeyboardInterrupt:
                self._say("run_handed_back", run_id, environment)
                raise
            self._say("run_ended", run_id, environment, end=end)
        return end

    def carry_out(
        self, task: StackTask, guard: Callable[[], None], on_event: OnStackEvent
    ) -> StackResult:
        """Do one operation on a stack.

        Raises:
            StackFailed: it failed.
            Fenced: the run has lost its environment, or this worker the operation.
            KeyboardInterrupt: the worker was told to end; the operation is for the others.
        """
        with self._having():
            stack = task.order.stack
            environment = Environment(task.environment, Settings.from_environment())
            engine = EngineName(task.engine)
            operations = stack_operations(environment, target_of(environment), engine)
            self._say("stack_taken", task.run_id, task.environment, stack=stack)
            ours = operations.guarded(guard)
            try:
                return patiently(lambda: task.order.carry_out(ours, on_event))
            finally:
                self._say("stack_ended", task.run_id, task.environment, stack=stack)

    def wait_until_empty(self) -> None:
        """Wait until nothing is in hand; nothing new is taken while the process is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_hand == 0)

    def _hands(self, run_id: str, inputs: Mapping[str, str], lease: Lease) -> QueuedHands | None:
        """Give who does a run's operations on stacks: with an SQLite, this process."""
        if self._engine.dialect.name == "sqlite":
            return None
        return QueuedHands(
            self._engine,
            self.stack_queue,
            environment=inputs["environment"],
            run_id=run_id,
            generation=lease.generation,
            engine=inputs["engine"],
        )

    @contextmanager
    def _having(self) -> Iterator[None]:
        """Have something in hand while the block runs.

        Raises:
            KeyboardInterrupt: the worker was told to end.
        """
        with self._changed:
            if is_stopping():
                # Not an end of it: it stays for the other workers.
                raise KeyboardInterrupt
            self._in_hand += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()

    def _say(self, event: str, run_id: str, environment: str, **facts: str) -> None:
        _say(event, as_json=self._as_json, run_id=run_id, environment=environment, **facts)


def _perform(queued: QueuedRun, inputs: Mapping[str, str], url: str) -> str:
    """Do one run; how it ended, or the code of what refused it.

    Raises:
        KeyboardInterrupt: the worker was told to end before the run had ended.
    """
    recorded = RunInputs(
        architecture=inputs["architecture"],
        architecture_sha256=inputs["architecture_sha256"],
        options={
            word: value
            for word, value in inputs.items()
            if word not in {"architecture", "architecture_sha256", "environment"}
        },
    )
    request, director_timeout_s = request_of(inputs["environment"], recorded, url)
    try:
        opened = open_request(request)
        with _held(opened.environment, queued.run_id):
            ended = _ended(opened.environment, queued.run_id)
            if ended is not None:
                # The worker before wrote its end down, and died before the queue knew.
                return ended.value
            if _digest(request) != recorded.architecture_sha256:
                raise Blocked(
                    f"{request.architecture} has changed since run {queued.run_id} was queued",
                    hint="queue it again with `conductor up --detach`",
                )
            options = run_options(request, opened, director_timeout_s)
            record = _run_when_free(queued, opened, options)
    except Interrupted:
        # It had not begun: it stays for the other workers.
        raise KeyboardInterrupt from None
    except ConductorError as error:
        environment = Environment(inputs["environment"], Settings.from_environment())
        record_refusal(environment, queued.run_id, recorded, error)
        return f"{error.code}: {error.message}"
    return record.status.value


def _run_when_free(queued: QueuedRun, opened: Opened, options: RunOptions) -> RunRecord:
    """Do a run once nobody on another machine holds the environment.

    Raises:
        Interrupted: the worker was told to end.
        ConductorError: the run was refused or failed.
    """
    while True:
        try:
            return run_up(
                opened.environment, opened.file, opened.target, options, [], queued=queued
            )
        except EnvironmentBusy:
            pause(BUSY_POLL_S)


def _ended(environment: Environment, run_id: str) -> RunStatus | None:
    found = (run.status for run in runs(environment.runs_dir) if run.run_id == run_id)
    status = next(found, RunStatus.RUNNING)
    return None if status is RunStatus.RUNNING else status


@contextmanager
def _held(environment: Environment, run_id: str) -> Iterator[None]:
    """Hold the environment, waiting for whoever does now.

    Raises:
        Interrupted: the worker was told to end.
    """
    while True:
        lock = environment.locked(f"conductor worker: run {run_id}")
        try:
            lock.__enter__()
        except EnvironmentBusy:
            pause(BUSY_POLL_S)
            continue
        break
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _shared_database(url: str | None) -> str:
    """Give the database that `up --detach` and the workers share.

    Raises:
        UsageError: none was named.
    """
    named = url or os.environ.get(DATABASE_URL_VARIABLE)
    if not named:
        raise UsageError(
            "a queue needs a database that its workers share",
            hint=f"name it with --database-url or {DATABASE_URL_VARIABLE}",
        )
    return database_url(named, Settings.from_environment().environments_dir / "unused")


def _digest(request: Request) -> str:
    return hashlib.sha256(request.architecture.read_bytes()).hexdigest()


LINES = {
    "run_queued": "queued run {run_id} of {environment}",
    "run_taken": "took run {run_id} of {environment}",
    "run_ended": "run {run_id} of {environment}: {end}",
    "run_handed_back": "handed run {run_id} of {environment} back",
    "stack_taken": "took stack {stack} of run {run_id}",
    "stack_ended": "finished with stack {stack} of run {run_id}",
    "worker_started": "worker {worker} waits for runs",
    "worker_ended": "worker {worker} has ended",
}


def _say(event: str, *, as_json: bool, **facts: str) -> None:
    """Print one fact as a line."""
    line = json.dumps({"event": event, **facts}) if as_json else LINES[event].format(**facts)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
