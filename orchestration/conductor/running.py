"""`up` as a durable run: a new one, or one taken up again where its process has died."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orchestration.artifacts.planner import HydratedFile
from orchestration.conductor.assembly import RunOptions, run_parts
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import Observer, RunEventKind, RunLog
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
from orchestration.durable.database import database_url, open_database
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.workflows import RunEnd, launched
from orchestration.environments import Environment
from orchestration.errors import Blocked, ConductorError, PhaseFailed
from orchestration.targets.target import Target


def run_up(
    environment: Environment,
    file: HydratedFile,
    target: Target,
    options: RunOptions,
    observers: Sequence[Observer],
) -> RunRecord:
    """Run the phases and give the run's record; the caller holds the environment.

    A run whose process has died is taken up again if it was given the same inputs.

    Raises:
        ConductorError: a phase failed; the record says the same.
        Blocked: a run with other inputs has died, or a phase cannot be left out.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    inputs = RunInputs(
        architecture=str(options.architecture_path),
        architecture_sha256=hashlib.sha256(options.architecture_path.read_bytes()).hexdigest(),
        options=options.words,
    )
    held = environment.require_record()
    state = state_for(
        options.phases,
        recorded_phases(environment.runs_dir, held.made_at),
        inputs.architecture_sha256,
    )
    died = unfinished_run(environment)
    if died is not None:
        require_same(died, inputs)
    recorder = (
        RunRecorder.new(environment.runs_dir, environment.name, inputs)
        if died is None
        else RunRecorder(environment.runs_dir, died)
    )
    engine = open_database(database_url(options.database_url, environment.database_file))
    run_id = recorder.record.run_id
    log = RunLog(run_id, [recorder, *observers])
    conductor = Conductor(
        run_parts(environment, file, target, options, log), log, recorder.keep_state, state
    )
    script = RunScript(
        run_id,
        conductor,
        JournalStore(engine, environment.name),
        KeepEverything(),
        sorted(options.phases),
    )
    log.emit(
        RunEventKind.RUN_STARTED if died is None else RunEventKind.RUN_RESUMED,
        environment=environment.name,
        architecture=inputs.architecture,
    )
    try:
        with launched(engine) as workflows:
            end = (workflows.start if died is None else workflows.resume)(run_id, script)
    finally:
        engine.dispose()
    return _finish(end, script, log, recorder)


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


def _finish(end: RunEnd, script: RunScript, log: RunLog, recorder: RunRecorder) -> RunRecord:
    log.phase = None
    if end is RunEnd.INTERRUPTED:
        recorder.finish(RunStatus.INTERRUPTED)
        raise KeyboardInterrupt
    if end is RunEnd.SUCCEEDED:
        log.emit(RunEventKind.RUN_FINISHED, urls=dict(recorder.record.state.urls))
        recorder.finish(RunStatus.SUCCEEDED)
        return recorder.record
    # A process that only took up a failed run's end does not know the error itself.
    error = script.error or PhaseFailed(f"run {recorder.record.run_id} failed before it died")
    shown = error if isinstance(error, ConductorError) else ConductorError(str(error))
    log.emit(RunEventKind.RUN_FAILED, code=shown.code, message=shown.message)
    recorder.finish(RunStatus.FAILED, shown)
    raise error
