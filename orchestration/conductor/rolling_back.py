"""`rollback` as a durable run: an environment brought back to one of its releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from architecture.names import stack_name
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.results import Json
from orchestration.automation.stacks import StackOperations
from orchestration.concurrency import refuse_when_stopping, stopped_by_request
from orchestration.conductor.assembly import DIRECTOR_TIMEOUT_S, event_forwarder
from orchestration.conductor.events import Observer, RunEventKind, RunLog
from orchestration.conductor.journal import not_undone
from orchestration.conductor.records import (
    RELEASE_OPTION,
    RunInputs,
    RunRecord,
    RunRecorder,
    RunStatus,
    last_run,
)
from orchestration.conductor.script import Journal, undo_step
from orchestration.director.remote import DirectorCalls, DirectorUndo
from orchestration.durable.database import database_url, opened_database
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.lease import Lease, held_lease
from orchestration.durable.workflows import RunEnd, launched
from orchestration.environments import Environment
from orchestration.errors import Interrupted, Stuck, UsageError
from orchestration.releases.rollback import RESTORE, Rollback, UndoStep, steps_back
from orchestration.releases.store import Release, ReleaseStore
from orchestration.targets.target import Target


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """Where a rollback goes, and the steps that lead there."""

    release: Release | None
    steps: tuple[UndoStep, ...]


def plan_return(
    environment: Environment, operations: StackOperations, to: str | None
) -> RollbackPlan:
    """Decide where to go back to: the release asked for, else the one before what stands now.

    A rollback that has not come to its end goes where it was going. What stands after any other run
    that made no release is none: then it is the live one.

    Raises:
        UsageError: there is no such release, or none before the live one.
    """
    releases = ReleaseStore(environment)
    live = releases.current()
    run = last_run(environment.runs_dir)
    if to is not None:
        release: Release | None = releases.find(to)
    elif run is not None and _is_unfinished_rollback(run):
        wanted = run.inputs.options[RELEASE_OPTION]
        release = releases.find(wanted) if wanted else None
    elif run is not None and _left_a_release(run, live):
        release = releases.before(live) if live is not None else None
        if release is None:
            raise UsageError(
                f"environment {environment.name!r} has no earlier release",
                hint=f"`conductor destroy --env {environment.name}` takes it down",
            )
    else:
        release = live
    held = operations.resource_counts(f"{environment.name}.")
    had = release.stacks if release is not None else {}
    return RollbackPlan(release, steps_back(releases, release, tuple({**held, **had}), held))


def _is_unfinished_rollback(run: RunRecord) -> bool:
    """Whether a rollback was killed, stopped, or left something that could not be undone."""
    return run.is_rollback and run.status is not RunStatus.ROLLED_BACK


def _left_a_release(run: RunRecord, live: Release | None) -> bool:
    """Whether what stands after the newest run is the live release, or nothing."""
    if run.status is RunStatus.SUCCEEDED:
        # A run of some phases only may have made none.
        return live is None or run.run_id == live.release_id
    return run.status is RunStatus.ROLLED_BACK


def run_rollback(
    environment: Environment,
    target: Target,
    operations: StackOperations,
    plan: RollbackPlan,
    observers: Sequence[Observer],
    *,
    database: str | None,
) -> RunRecord:
    """Bring the environment back; the caller holds it.

    Raises:
        Stuck: a step could not be done; the others were.
        EnvironmentBusy: somebody on another machine runs in it.
        Fenced: somebody has taken the environment over meanwhile.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    with (
        opened_database(database_url(database, environment.database_file)) as engine,
        held_lease(engine, environment, f"conductor rollback --env {environment.name}") as lease,
        stopped_by_request(),
    ):
        # Whoever was overtaken touches no stack any more.
        guarded = operations.guarded(lease.require)
        return _run(environment, target, guarded, plan, observers, engine=engine, lease=lease)


def _run(
    environment: Environment,
    target: Target,
    operations: StackOperations,
    plan: RollbackPlan,
    observers: Sequence[Observer],
    *,
    engine: sa.Engine,
    lease: Lease,
) -> RunRecord:
    release_id = plan.release.release_id if plan.release else ""
    recorder = _begin(environment, release_id)
    run_id = recorder.record.run_id
    log = RunLog(run_id, [recorder, *observers])
    releases = ReleaseStore(environment)
    journal = JournalStore(engine, environment.name, lease)
    rollback = Rollback(
        operations,
        releases,
        plan.release,
        log,
        event_forwarder(log),
        director=DirectorUndo(
            DirectorCalls(
                environment,
                target,
                log,
                generation=lease.generation,
                timeout_s=DIRECTOR_TIMEOUT_S,
            )
        ),
    )
    configure_again(environment, plan.steps)
    script = RollbackScript(run_id, plan.steps, rollback, journal)
    log.emit(RunEventKind.RUN_STARTED, environment=environment.name, release=release_id)
    with launched(engine, environment.name) as workflows:
        end = workflows.start(run_id, script)
    left = not_undone(journal.read(run_id))
    # What follows is written beside the journal: whoever was overtaken leaves it alone.
    lease.require()
    if end is RunEnd.INTERRUPTED:
        recorder.finish(RunStatus.INTERRUPTED)
        raise KeyboardInterrupt
    if left:
        stuck = Stuck(
            f"not all could be undone: {', '.join(left)}",
            details="\n".join(f"{step}: {why}" for step, why in left.items()),
            hint="mend what the lines above say, then run the same command again",
        )
        log.emit(RunEventKind.RUN_FAILED, code=stuck.code, message=stuck.message)
        recorder.finish(RunStatus.STUCK, stuck)
        raise stuck
    if plan.release is not None:
        releases.make_current(release_id)
    log.emit(RunEventKind.RUN_FINISHED, urls={})
    recorder.finish(RunStatus.ROLLED_BACK, rolled_back_to=release_id)
    return recorder.record


def _begin(environment: Environment, release_id: str) -> RunRecorder:
    """Open the record of a rollback; a run that has died will not be taken up again."""
    died = last_run(environment.runs_dir)
    if died is not None and died.status is RunStatus.RUNNING:
        RunRecorder(environment.runs_dir, died).finish(RunStatus.FAILED)
    return RunRecorder.new(
        environment.runs_dir,
        environment.name,
        RunInputs(architecture="", architecture_sha256="", options={RELEASE_OPTION: release_id}),
    )


def configure_again(environment: Environment, steps: Sequence[UndoStep]) -> None:
    """Give stacks that were destroyed since the configuration that all of the environment have."""
    files = StackConfigFiles(environment.settings.stack_config_dir, environment.name)
    shared = files.read(stack_name(environment.name, "foundation"))
    for step in steps:
        if step.verb == RESTORE and not files.read(step.stack):
            files.write(step.stack, shared)


class Undoing(Protocol):
    """What brings stacks back."""

    def undo(self, step: UndoStep) -> str:
        """Bring one stack back, and say how; may be called again.

        Raises:
            ConductorError: it could not be brought back.
        """
        ...


class RollbackScript:
    """The steps of a rollback; one that fails does not keep the others from being done."""

    def __init__(
        self,
        run_id: str,
        steps: Sequence[UndoStep],
        rollback: Undoing,
        journal: Journal,
    ) -> None:
        self._run_id = run_id
        self._steps = [str(step) for step in steps]
        self._rollback = rollback
        self._journal = journal

    def forward(self) -> Sequence[str]:
        """Name the steps, in order."""
        return self._steps

    def do(self, step: str) -> dict[str, Json]:
        """Bring one stack back; one that cannot be is left for the end."""
        error = undo_step(self._journal, self._run_id, step, self._bring_back)
        return {"end": "interrupted"} if isinstance(error, Interrupted) else {}

    def _bring_back(self, step: str) -> str:
        refuse_when_stopping()
        return self._rollback.undo(UndoStep.parse(step))

    def accept(self, step: str, result: Mapping[str, Json]) -> None:
        """Nothing is handed on from step to step."""

    def backward(self) -> list[str]:
        """Name nothing: what goes back is not undone again."""
        return []

    def undo(self, step: str) -> bool:
        """Do nothing: it is never asked to."""
        del step
        return True
