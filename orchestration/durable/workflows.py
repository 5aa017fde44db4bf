"""Runs as DBOS workflows: order lives here, effects in steps that may be done again.

DBOS records each step's result; after a crash the workflow goes through its steps once more, and
only those without a result are done. Rules learned by trial: the executor's id is this process's
own, so that nobody takes over a run by merely starting; nothing is recovered by itself, a run is
taken up by name; a user's Ctrl-C is a result, never DBOS's cancel.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowHandle

from orchestration.automation.results import Json
from orchestration.concurrency import stop_waiting

# The number of this workflow's shape: a run that began under another one is not continued.
WORKFLOW_VERSION = "2"
# Seconds between DBOS's looks at its queue and at results of workflows.
POLLING_S = 0.1
# How long the main thread may miss a signal that another thread was given.
LOOK_UP_S = 0.2

T = TypeVar("T")


class RunEnd(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled-back"
    STUCK = "stuck"


class Script(Protocol):
    """What a run does; every method but `accept` may be called again after a crash."""

    def forward(self) -> Sequence[str]:
        """Name the steps in order; the same ones at every call."""
        ...

    def do(self, step: str) -> dict[str, Json]:
        """Do one step; `end` in the result says how the run ends if it must."""
        ...

    def accept(self, step: str, result: Mapping[str, Json]) -> None:
        """Take a step's result, new or from before a crash."""
        ...

    def backward(self) -> list[str]:
        """Name the steps to undo after a failure, in order; none if all is to be kept."""
        ...

    def undo(self, step: str) -> bool:
        """Undo one step; False if it could not be."""
        ...


# What this process runs, by run: DBOS calls the workflow with nothing but the run's id.
_scripts: dict[str, Script] = {}


class StepRunner(Protocol):
    """What runs a step unless it has a result on record, and records the result."""

    def __call__(self, name: str, do: Callable[..., T], *arguments: str) -> T:
        """Give the step's result, new or from before a crash."""
        ...


def go_through(script: Script, run_step: StepRunner) -> RunEnd:
    """Go through a script's steps in order, and back if it fails.

    All decisions hang on recorded results, so that it takes the same way again after a crash.
    """
    end = RunEnd.SUCCEEDED
    for step in script.forward():
        result = run_step(step, script.do, step)
        script.accept(step, result)
        if "end" in result:
            end = RunEnd(str(result["end"]))
            break
    if end is not RunEnd.FAILED:
        return end
    undone = [
        run_step(f"undo {step}", script.undo, step) for step in run_step("unwind", script.backward)
    ]
    if not undone:
        return end
    return RunEnd.ROLLED_BACK if all(undone) else RunEnd.STUCK


def dbos_step(name: str, do: Callable[..., T], *arguments: str) -> T:
    """Run a step of the workflow that this thread is in; DBOS keeps its result."""
    return DBOS.run_step({"name": name}, do, *arguments)


@DBOS.workflow(name="run")
def _run(run_id: str) -> str:
    return go_through(_scripts[run_id], dbos_step).value


def _ended(handle: WorkflowHandle[str]) -> RunEnd:
    """Wait for a run's end; Ctrl-C has its waits end, and what is under way finished.

    The kernel may give a signal to any thread, and a main thread that waits for good is not woken
    by it: so it looks up now and then.
    """
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(handle.get_result)
        while True:
            try:
                wait([result], timeout=LOOK_UP_S)
                if result.done():
                    return RunEnd(result.result())
            except KeyboardInterrupt:
                stop_waiting()


class Workflows:
    """DBOS of this process, launched."""

    def start(self, run_id: str, script: Script) -> RunEnd:
        """Run a new run to its end, in a thread of its own; waits for it."""
        _scripts[run_id] = script
        with SetWorkflowID(run_id):
            handle = DBOS.start_workflow(_run, run_id)
        return _ended(handle)

    def resume(self, run_id: str, script: Script) -> RunEnd:
        """Go on with a run whose process has died; waits for its end.

        One that died before its first step, or began under another version of the workflow, is
        run from its first step: every step may be done again.
        """
        status = DBOS.get_workflow_status(run_id)
        if status is None:
            return self.start(run_id, script)
        if status.app_version != WORKFLOW_VERSION:
            DBOS.delete_workflow(run_id)
            return self.start(run_id, script)
        _scripts[run_id] = script
        return _ended(DBOS.resume_workflow(run_id))


class Runs(Protocol):
    """What brings a script to its end durably."""

    def start(self, run_id: str, script: Script) -> RunEnd:
        """Run a new run to its end."""
        ...

    def resume(self, run_id: str, script: Script) -> RunEnd:
        """Go on with a run whose process has died."""
        ...


@contextmanager
def launched(engine: sa.Engine, environment: str) -> Iterator[Workflows]:
    """Launch DBOS for an environment's runs, for the duration of the block.

    Every environment is an application of its own: what is resumed goes through a queue, from which
    a process that runs another environment must not take it.
    """
    with dbos_launched(engine, f"conductor-{environment}", queues=()):
        yield Workflows()


@contextmanager
def dbos_launched(engine: sa.Engine, application: str, queues: Sequence[str]) -> Iterator[str]:
    """Launch DBOS on a database for the duration of the block; gives this process's executor id."""
    executor_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    DBOS(
        config=DBOSConfig(
            name=application,
            system_database_url=engine.url.render_as_string(hide_password=False),
            system_database_engine=engine,
            executor_id=executor_id,
            application_version=WORKFLOW_VERSION,
            serializer=DBOSPortableJSONSerializer(),
            log_level="ERROR",
            notification_listener_polling_interval_sec=POLLING_S,
        )
    )
    DBOS.listen_queues(queues)
    DBOS.launch()
    try:
        yield executor_id
    finally:
        DBOS.destroy()
        _scripts.clear()
