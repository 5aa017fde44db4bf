"""`up` as a durable run: a new one, or one taken up again where its process has died."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from orchestration.artifacts.planner import HydratedFile
from orchestration.automation.spreading import Hands
from orchestration.concurrency import stopped_by_request
from orchestration.conductor.assembly import (
    OnFailure,
    RunOptions,
    event_forwarder,
    run_parts,
    stack_operations,
)
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import Observer, RunEventKind, RunLog
from orchestration.conductor.journal import not_undone
from orchestration.conductor.phases import Phase
from orchestration.conductor.records import (
    RunInputs,
    RunRecord,
    RunRecorder,
    RunStatus,
    last_run,
    recorded_phases,
)
from orchestration.conductor.script import KeepEverything, RunScript
from orchestration.conductor.selection import state_for
from orchestration.conductor.state import RunState
from orchestration.director.digests import program_digest
from orchestration.director.remote import DirectorCalls, DirectorUndo
from orchestration.durable.database import database_url, opened_database
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.lease import Lease, held_lease
from orchestration.durable.workflows import RunEnd, Runs, launched
from orchestration.environments import Environment
from orchestration.errors import Blocked, ConductorError, PhaseFailed, RolledBack, Stuck
from orchestration.releases.rollback import Rollback
from orchestration.releases.store import Release, ReleaseStore
from orchestration.releases.unwinding import RunUnwinding
from orchestration.review.approval import ApprovedPlans, UnboundUnwinding
from orchestration.targets.target import Target

STATUS_OF_END = {
    RunEnd.FAILED: RunStatus.FAILED,
    RunEnd.ROLLED_BACK: RunStatus.ROLLED_BACK,
    RunEnd.STUCK: RunStatus.STUCK,
}


def run_up(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    observers: Sequence[Observer],
    *,
    queued: QueuedRun | None = None,
) -> RunRecord:
    """Run the phases and give the run's record; the caller holds the environment.

    A run whose process has died is taken up again if it was given the same inputs.

    Raises:
        ConductorError: a phase failed; the record says the same.
        RolledBack: a phase failed, and what the run had done was undone.
        Stuck: that could not be undone.
        Blocked: a run with other inputs has died, or a phase cannot be left out.
        EnvironmentBusy: somebody on another machine runs in it.
        Fenced: somebody has taken the environment over meanwhile.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    inputs = RunInputs(
        architecture=str(options.architecture_path),
        architecture_sha256=hashlib.sha256(options.architecture_path.read_bytes()).hexdigest(),
        options=options.words,
    )
    known = state_for(
        options.phases,
        recorded_phases(environment.runs_dir, environment.require_record().made_at),
        inputs.architecture_sha256,
    )
    died = unfinished_run(environment)
    if died is not None:
        require_same(died, inputs)
    with (
        opened_database(database_url(options.database_url, environment.database_file)) as engine,
        held_lease(engine, environment, f"conductor up --env {environment.name}") as lease,
        stopped_by_request(),
    ):
        up = _Up(
            environment,
            target,
            options,
            inputs,
            observers,
            lease=lease,
            died=died,
            queued=queued,
        )
        return up.run(file, known, engine)


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that a worker took from the queue: its id, and what brings it to its end.

    `hands_for` gives who does its operations on stacks, under its lease; None: this process.
    """

    run_id: str
    workflows: Runs
    hands_for: Callable[[Lease], Hands | None] = lambda _lease: None


class _Up:
    """One run, from its record to its end."""

    def __init__(
        self,
        environment: Environment,
        target: Target,
        options: RunOptions,
        inputs: RunInputs,
        observers: Sequence[Observer],
        *,
        lease: Lease,
        died: RunRecord | None,
        queued: QueuedRun | None,
    ) -> None:
        self._environment = environment
        self._lease = lease
        self._queued = queued
        self._target = target
        self._options = options
        self._is_resumed = died is not None
        self._recorder = (
            RunRecorder.new(
                environment.runs_dir, environment.name, inputs, queued.run_id if queued else None
            )
            if died is None
            else RunRecorder(environment.runs_dir, died)
        )
        self._run_id = self._recorder.record.run_id
        self._log = RunLog(self._run_id, [self._recorder, *observers])
        # Whoever was overtaken touches no stack any more.
        hands = queued.hands_for(lease) if queued else None
        operations = stack_operations(environment, target, options.engine, hands)
        self._operations = operations.guarded(lease.require)
        self._plans = ApprovedPlans(environment)
        self._releases = ReleaseStore(environment)
        # What a failure goes back to; the run itself becomes the live release only at its end.
        self._live = self._releases.current()

    def run(self, file: HydratedFile, known: RunState, engine: sa.Engine) -> RunRecord:
        """Run it, or what is left of it."""
        journal = JournalStore(engine, self._environment.name, self._lease)
        script = self._script(file, known, journal)
        self._log.emit(
            RunEventKind.RUN_RESUMED if self._is_resumed else RunEventKind.RUN_STARTED,
            environment=self._environment.name,
            architecture=str(self._options.architecture_path),
        )
        if not self._is_resumed:
            self._plans.clear()
        with self._workflows(engine) as workflows:
            begin = workflows.resume if self._is_resumed else workflows.start
            end = begin(self._run_id, script)
        self._plans.clear()
        left = not_undone(journal.read(self._run_id))
        self._log.phase = None
        # What follows is written beside the journal: whoever was overtaken leaves it alone.
        self._lease.require()
        if end is RunEnd.INTERRUPTED:
            self._recorder.finish(RunStatus.INTERRUPTED)
            raise KeyboardInterrupt
        if end is not RunEnd.SUCCEEDED:
            raise self._failure(end, script.error, left)
        if Phase.SERVICES in self._options.phases:
            # What only began to go live, with phases left out at the end, is no release.
            self._releases.keep(self._release())
        self._log.emit(RunEventKind.RUN_FINISHED, urls=dict(self._recorder.record.state.urls))
        self._recorder.finish(RunStatus.SUCCEEDED)
        return self._recorder.record

    @contextmanager
    def _workflows(self, engine: sa.Engine) -> Iterator[Runs]:
        if self._queued is not None:
            yield self._queued.workflows
            return
        with launched(engine, self._environment.name) as workflows:
            yield workflows

    def _script(self, file: HydratedFile, known: RunState, journal: JournalStore) -> RunScript:
        parts = run_parts(
            self._environment,
            file,
            self._target,
            self._options,
            self._log,
            operations=self._operations,
            generation=self._lease.generation,
        )
        unwinding = RunUnwinding(
            self._environment.name,
            self._operations,
            Rollback(
                self._operations,
                self._releases,
                self._live,
                self._log,
                event_forwarder(self._log),
                director=DirectorUndo(
                    DirectorCalls(
                        self._environment,
                        self._target,
                        self._log,
                        generation=self._lease.generation,
                        timeout_s=self._options.director_timeout_s,
                    )
                ),
            ),
            lambda: journal.read(self._run_id),
        )
        return RunScript(
            self._run_id,
            Conductor(parts, self._log, self._recorder.keep_state, known),
            journal,
            UnboundUnwinding(
                unwinding if self._options.on_failure is OnFailure.ROLLBACK else KeepEverything(),
                self._plans,
            ),
            sorted(self._options.phases),
            require_cloud=self._target.require_reachable,
        )

    def _release(self) -> Release:
        record = self._recorder.record
        return Release(
            release_id=record.run_id,
            made_at=datetime.now(UTC),
            architecture_sha256=record.inputs.architecture_sha256,
            program_sha256=program_digest(self._environment.settings.project_dir),
            images=dict(record.state.images.images) if record.state.images else {},
            stacks=self._operations.resource_counts(f"{self._environment.name}."),
            follows=self._live.release_id if self._live is not None else "",
        )

    def _failure(self, end: RunEnd, error: Exception | None, left: Mapping[str, str]) -> Exception:
        """Close the record of a run that failed, and say how it ended."""
        # A process that only took up a failed run's end does not know the error itself.
        error = error or PhaseFailed(f"run {self._run_id} had failed before its process died")
        shown = error if isinstance(error, ConductorError) else ConductorError(str(error))
        if end is RunEnd.ROLLED_BACK:
            back = f"to release {self._live.release_id}" if self._live else "to nothing"
            shown = RolledBack(
                f"{shown.message}; rolled back {back}", details=shown.details, hint=shown.hint
            )
        elif end is RunEnd.STUCK:
            shown = Stuck(
                f"{shown.message}; not all could be undone: {', '.join(left)}",
                details="\n".join(
                    [*filter(None, [shown.details]), *(f"{s}: {why}" for s, why in left.items())]
                ),
                hint="mend what stands in the way; then `conductor rollback --env"
                f" {self._environment.name}` goes on undoing, or `conductor up` goes on",
            )
        self._log.emit(RunEventKind.RUN_FAILED, code=shown.code, message=shown.message)
        live = self._live.release_id if self._live is not None else ""
        self._recorder.finish(
            STATUS_OF_END[end],
            shown,
            rolled_back_to=live if end is RunEnd.ROLLED_BACK else None,
        )
        shown.__cause__ = error if shown is not error else None
        return error if end is RunEnd.FAILED else shown


def unfinished_run(environment: Environment) -> RunRecord | None:
    """Find the run that died; the caller holds the environment, so that nobody else runs it."""
    run = last_run(environment.runs_dir)
    return run if run is not None and run.status is RunStatus.RUNNING else None


def require_same(died: RunRecord, inputs: RunInputs) -> None:
    """Refuse other inputs while a run is unfinished: it must first come to its end.

    Raises:
        Blocked: naming the run and what differs.
    """
    before = {"architecture": died.inputs.architecture_sha256, **died.inputs.options}
    now = {"architecture": inputs.architecture_sha256, **inputs.options}
    other = sorted(key for key in {*before, *now} if before.get(key, "") != now.get(key, ""))
    if other:
        raise Blocked(
            f"run {died.run_id} has died unfinished, and was given another {', '.join(other)}",
            hint=f"finish it with `conductor resume {died.run_id}`, or undo it with"
            f" `conductor rollback --env {died.environment}`; then run `up` again",
        )
