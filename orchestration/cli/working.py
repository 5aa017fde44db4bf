"""`conductor up --detach` and `conductor worker`: runs put into a queue, and who does them."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from orchestration.cli.deploying import Request, open_request, run_options
from orchestration.cli.resuming import request_of
from orchestration.concurrency import is_stopping, pause, stop_waiting
from orchestration.conductor.records import RunInputs, RunStatus, new_run_id, runs
from orchestration.conductor.running import QueuedRun, run_up
from orchestration.durable.database import DATABASE_URL_VARIABLE, database_url, opened_database
from orchestration.durable.lease import LeaseTerms
from orchestration.durable.queue import QueuedWorkflows, enqueue_run, working
from orchestration.environments import Environment
from orchestration.errors import Blocked, ConductorError, EnvironmentBusy, Interrupted, UsageError
from orchestration.settings import Settings

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
    opened = open_request(absolute)
    options = run_options(absolute, opened, director_timeout_s)
    run_id = new_run_id(datetime.now(UTC))
    inputs = {
        **options.words,
        "environment": opened.environment.name,
        "architecture": str(absolute.architecture),
        "architecture_sha256": _digest(absolute),
    }
    with opened_database(url) as engine:
        enqueue_run(engine, run_id, inputs)
    _say("run_queued", run_id, inputs["environment"], as_json=as_json)


def work(url: str | None, *, lease_s: float, as_json: bool) -> None:
    """Do runs from the queue, one at a time, until the process is told to end.

    Raises:
        UsageError: no database was named, or the lease is no time.
        DatabaseUnusable: the database does not answer.
        KeyboardInterrupt: the process was told to end; the run in hand ended as interrupted.
    """
    if lease_s <= 0:
        raise UsageError(f"--lease {lease_s:g} is no time", hint="give seconds, as in --lease 45")
    shared = _shared_database(url)
    in_hand = threading.Lock()

    def perform(run_id: str, inputs: Mapping[str, str], workflows: QueuedWorkflows) -> str:
        environment = inputs["environment"]
        with in_hand:
            if is_stopping():
                # Not an end of the run: it stays for the other workers.
                raise KeyboardInterrupt
            _say("run_taken", run_id, environment, as_json=as_json)
            end = _perform(QueuedRun(run_id, workflows), inputs, shared)
            _say("run_ended", run_id, environment, as_json=as_json, end=end)
        return end

    terms = LeaseTerms(length_s=lease_s, heartbeat_s=lease_s / BEATS_PER_LEASE)
    with opened_database(shared) as engine, working(engine, perform, terms) as worker:
        _say("worker_started", "", "", as_json=as_json, end=worker)
        try:
            while True:
                pause(BUSY_POLL_S)
        except KeyboardInterrupt:
            stop_waiting()
            with in_hand:
                raise


def _perform(queued: QueuedRun, inputs: Mapping[str, str], url: str) -> str:
    """Do one run; how it ended, or the code of what refused it."""
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
            record = run_up(
                opened.environment, opened.file, opened.target, options, [], queued=queued
            )
    except Interrupted:
        # It had not begun: it stays for the other workers.
        raise KeyboardInterrupt from None
    except ConductorError as error:
        return f"{error.code}: {error.message}"
    except KeyboardInterrupt:
        return RunStatus.INTERRUPTED.value
    return record.status.value


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


def _say(event: str, run_id: str, environment: str, *, as_json: bool, end: str = "") -> None:
    """Print one fact as a line."""
    if as_json:
        facts = {"event": event, "run_id": run_id, "environment": environment, "end": end}
        line = json.dumps({name: fact for name, fact in facts.items() if fact})
    else:
        words = {
            "run_queued": f"queued run {run_id} of {environment}",
            "run_taken": f"took run {run_id} of {environment}",
            "run_ended": f"run {run_id} of {environment}: {end}",
            "worker_started": f"worker {end} waits for runs",
        }
        line = words[event]
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
