"""The record of a run on disk: what it was given, how far it came, what it left.

`RUN/run.json` is replaced whole after every phase; `RUN/events.jsonl` only grows.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from orchestration.conductor.events import RunEvent, RunEventKind
from orchestration.conductor.phases import Phase
from orchestration.conductor.selection import PhaseOutcome
from orchestration.conductor.state import RunState
from orchestration.environments import Environment, known_environments, write_atomically
from orchestration.errors import ConductorError, UsageError
from orchestration.settings import Settings

RECORD_FILE = "run.json"
EVENTS_FILE = "events.jsonl"
# The option under which a rollback's record names the release it goes to; empty: to nothing.
RELEASE_OPTION = "rollback_to"


class RunStatus(StrEnum):
    """How a run stands. One that says `running` and holds no lock has died.

    One that was refused has not begun: it was queued, and could not be done when its turn came.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    REFUSED = "refused"


# What these have done does not stand any more.
UNDONE = frozenset({RunStatus.ROLLED_BACK, RunStatus.STUCK})


class RecordModel(BaseModel):
    """A part of the record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunInputs(RecordModel):
    """What the run was given."""

    architecture: str
    architecture_sha256: str
    options: Mapping[str, str]


class PhaseRecord(RecordModel):
    """How one phase went; times in seconds."""

    phase: int
    title: str
    status: RunStatus
    duration_s: float = 0.0
    summary: str = ""


class ErrorRecord(RecordModel):
    """Why the run ended."""

    code: str
    message: str
    hint: str
    details: str = ""


class RunRecord(BaseModel):
    """All that is known of one run."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    environment: str
    status: RunStatus
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    inputs: RunInputs
    phases: tuple[PhaseRecord, ...] = ()
    state: RunState = RunState()
    error: ErrorRecord | None = None
    # The release that stands after a rollback, empty for nothing; None if the run went forward.
    rolled_back_to: str | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it is a `conductor rollback`, not an `up`."""
        return RELEASE_OPTION in self.inputs.options


def new_run_id(now: datetime) -> str:
    """Make an id that sorts by time and is safe in file names, labels and message attributes."""
    return f"{now.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


class RunRecorder:
    """Keeps the record of one run up to date, new or taken up again; an observer of its events."""

    def __init__(self, runs_dir: Path, record: RunRecord) -> None:
        self.record = record
        self._folder = runs_dir / record.run_id
        self._folder.mkdir(parents=True, exist_ok=True)
        self._events: TextIO = (self._folder / EVENTS_FILE).open("a", encoding="utf-8")
        self._save()

    @classmethod
    def new(
        cls, runs_dir: Path, environment: str, inputs: RunInputs, run_id: str | None = None
    ) -> RunRecorder:
        """Begin the record of a new run; one from the queue has its id already."""
        now = datetime.now(UTC)
        record = RunRecord(
            run_id=run_id or new_run_id(now),
            environment=environment,
            status=RunStatus.RUNNING,
            started_at=now,
            inputs=inputs,
        )
        return cls(runs_dir, record)

    def __call__(self, event: RunEvent) -> None:
        """Append the event; note phases that ended."""
        self._events.write(json.dumps(event.to_json()) + "\n")
        self._events.flush()
        ended = {
            RunEventKind.PHASE_FINISHED: RunStatus.SUCCEEDED,
            RunEventKind.PHASE_FAILED: RunStatus.FAILED,
        }.get(event.kind)
        if ended is not None and event.phase is not None:
            self._note_phase(event.phase, ended, event)

    def _note_phase(self, phase: Phase, status: RunStatus, event: RunEvent) -> None:
        duration = event.fields.get("duration_s")
        noted = PhaseRecord(
            phase=int(phase),
            title=phase.title,
            status=status,
            duration_s=float(duration) if isinstance(duration, int | float) else 0.0,
            summary=str(event.fields.get("summary") or event.fields.get("message") or ""),
        )
        self.record.phases = (*self.record.phases, noted)
        self._save()

    def keep_state(self, state: RunState) -> None:
        """Write down what phases have handed over so far."""
        self.record.state = state
        self._save()

    def finish(
        self,
        status: RunStatus,
        error: ConductorError | None = None,
        *,
        rolled_back_to: str | None = None,
    ) -> None:
        """Close the record."""
        self.record.status = status
        self.record.rolled_back_to = rolled_back_to
        self.record.ended_at = datetime.now(UTC)
        if error is not None:
            self.record.error = ErrorRecord(
                code=error.code, message=error.message, hint=error.hint, details=error.details
            )
        self._save()
        self._events.close()

    def _save(self) -> None:
        write_atomically(
            self._folder / RECORD_FILE, self.record.model_dump_json(indent=2, by_alias=True) + "\n"
        )


def runs(runs_dir: Path) -> Iterator[RunRecord]:
    """Read the runs' records, the last begun first; what cannot be read is left out.

    The id of a run that was queued says when that was, not when it began.
    """
    found = []
    for path in runs_dir.glob(f"*/{RECORD_FILE}"):
        with suppress(OSError, ValidationError):
            found.append(RunRecord.model_validate_json(path.read_bytes()))
    yield from sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def last_run(runs_dir: Path) -> RunRecord | None:
    """Read the record of the run that began last; None when there is none that can be read."""
    begun = (run for run in runs(runs_dir) if run.status is not RunStatus.REFUSED)
    return next(begun, None)


def record_refusal(
    environment: Environment, run_id: str, inputs: RunInputs, error: ConductorError
) -> None:
    """Record why a queued run was refused; one that has begun has a record of its own."""
    if (environment.runs_dir / run_id / RECORD_FILE).exists():
        return
    refused = RunRecord(
        run_id=run_id,
        environment=environment.name,
        status=RunStatus.REFUSED,
        started_at=datetime.now(UTC),
        inputs=inputs,
    )
    RunRecorder(environment.runs_dir, refused).finish(RunStatus.REFUSED, error)


def find_run(run_id: str, settings: Settings) -> RunRecord:
    """Find a run in any environment: its id names no other.

    Raises:
        UsageError: there is no such run; the message names the newest ones.
    """
    newest = []
    for name in known_environments(settings):
        for record in runs(Environment(name, settings).runs_dir):
            if record.run_id == run_id:
                return record
            newest.append(record.run_id)
    known = ", ".join(sorted(newest, reverse=True)[:3]) or "none"
    raise UsageError(f"there is no run {run_id!r} (the newest: {known})")


def recorded_phases(runs_dir: Path, since: datetime) -> dict[Phase, PhaseOutcome]:
    """Find what still stands of each phase in the runs since an environment was made.

    A phase counts as it last ended: one that failed after a success may have changed half of it.
    """
    found: dict[Phase, PhaseOutcome | None] = {}
    for record in _standing(runs_dir, since):
        outcome = PhaseOutcome(record.run_id, record.inputs.architecture_sha256, record.state)
        for noted in reversed(record.phases):
            has_succeeded = noted.status is RunStatus.SUCCEEDED
            found.setdefault(Phase(noted.phase), outcome if has_succeeded else None)
    return {phase: outcome for phase, outcome in found.items() if outcome is not None}


def _standing(runs_dir: Path, since: datetime) -> Iterator[RunRecord]:
    """Yield the runs, the newest first, whose work no rollback has taken back."""
    release: str | None = None
    for record in runs(runs_dir):
        if record.started_at < since:
            return
        if release is not None and record.run_id != release:
            continue
        release = None
        if record.status is RunStatus.ROLLED_BACK and record.rolled_back_to:
            release = record.rolled_back_to
        elif record.status in UNDONE or record.is_rollback:
            # Nothing stands, or nobody knows what.
            return
        else:
            yield record
