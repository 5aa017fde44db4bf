"""The report of a run: one document that says what was done, when, and how it ended.

Its JSON Schema is a promise (`docs/reference/run-report.schema.json`); the page is for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from orchestration.access.priors import percentiles
from orchestration.conductor.journal import JournalEntry, StepStatus, statuses
from orchestration.conductor.records import RunRecord
from orchestration.conductor.state import GrantOutcome

REPORT_VERSION: Literal[1] = 1


class Part(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhaseReport(Part):
    """A phase: when it began after the run's start, and how long it took."""

    phase: int = Field(description="Its number, 0 to 7.")
    title: str
    status: str
    starts_after_s: float = Field(ge=0, description="Seconds between the run's start and its own.")
    duration_s: float = Field(ge=0)
    summary: str


class StackReport(Part):
    """An operation on a stack: resources by operation."""

    stack: str
    changes: dict[str, int]
    duration_s: float = Field(ge=0)


class ExpectedDelay(Part):
    """What the delays measured in earlier runs made the wait expect, in seconds."""

    p50_s: float = Field(ge=0)
    p99_s: float = Field(ge=0)


class RoleReport(Part):
    """How long grants of a role took to work, in seconds."""

    role: str
    grants: int = Field(ge=1)
    p50_s: float = Field(ge=0)
    p99_s: float = Field(ge=0)
    tested: list[str] = Field(description="How it was tested that they work.")
    expected: ExpectedDelay | None = Field(
        default=None, description="From earlier runs; null where none had measured the role."
    )


class StepReport(Part):
    """A step of the journal: when it was first touched, and how it stands."""

    step: str
    status: StepStatus
    began_at: AwareDatetime
    ended_at: AwareDatetime
    note: str


class ErrorReport(Part):
    """Why the run ended as it did."""

    code: str
    message: str
    hint: str
    details: str


class RunReport(Part):
    """What one run did."""

    version: Literal[1] = REPORT_VERSION
    run_id: str
    environment: str
    status: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    duration_s: float | None
    architecture: str
    architecture_sha256: str
    options: dict[str, str]
    phases: list[PhaseReport]
    stacks: list[StackReport]
    roles: list[RoleReport]
    steps: list[StepReport]
    images: dict[str, str]
    urls: dict[str, str]
    error: ErrorReport | None
    rolled_back_to: str | None = Field(
        description="The release that stands after a rollback, empty for nothing."
        " Null for a run that was not rolled back."
    )


def report_of(record: RunRecord, journal: Sequence[JournalEntry]) -> RunReport:
    """Put a run's record and its journal into one document."""
    took = record.ended_at - record.started_at if record.ended_at else None
    return RunReport(
        run_id=record.run_id,
        environment=record.environment,
        status=record.status.value,
        started_at=record.started_at,
        ended_at=record.ended_at,
        duration_s=round(took.total_seconds(), 3) if took is not None else None,
        architecture=record.inputs.architecture,
        architecture_sha256=record.inputs.architecture_sha256,
        options=dict(record.inputs.options),
        phases=list(_phases(record)),
        stacks=[
            StackReport(stack=s.stack, changes=dict(s.changes), duration_s=s.duration_s)
            for s in record.state.stacks
        ],
        roles=list(_roles(record.state.grants)),
        steps=list(_steps(journal)),
        images=dict(record.state.images.images) if record.state.images else {},
        urls=record.state.urls,
        error=ErrorReport(**record.error.model_dump()) if record.error else None,
        rolled_back_to=record.rolled_back_to,
    )


def _phases(record: RunRecord) -> Iterable[PhaseReport]:
    # Phases follow one another: where one ends, the next begins.
    begins = 0.0
    for phase in record.phases:
        yield PhaseReport(
            phase=phase.phase,
            title=phase.title,
            status=phase.status.value,
            starts_after_s=round(begins, 3),
            duration_s=phase.duration_s,
            summary=phase.summary,
        )
        begins += phase.duration_s


def _roles(grants: Iterable[GrantOutcome]) -> Iterable[RoleReport]:
    by_role: dict[str, list[GrantOutcome]] = {}
    for grant in grants:
        by_role.setdefault(grant.role, []).append(grant)
    for role, found in sorted(by_role.items()):
        delays = [grant.delay_s for grant in found]
        p50, p99 = percentiles(delays)
        yield RoleReport(
            role=role,
            grants=len(found),
            p50_s=p50,
            p99_s=p99,
            tested=sorted({grant.tested for grant in found}),
            expected=_expected(found),
        )


def _expected(grants: Sequence[GrantOutcome]) -> ExpectedDelay | None:
    """Give what the first of a role's waits expected: the later ones learn from it."""
    first = grants[0].expected
    return ExpectedDelay(p50_s=first.p50_s, p99_s=first.p99_s) if first is not None else None


def _steps(journal: Sequence[JournalEntry]) -> Iterable[StepReport]:
    first: dict[str, datetime] = {}
    last: dict[str, JournalEntry] = {}
    for entry in journal:
        first.setdefault(entry.step, entry.at)
        last[entry.step] = entry
    for step, status in statuses(journal).items():
        yield StepReport(
            step=step,
            status=status,
            began_at=first[step],
            ended_at=last[step].at,
            note=last[step].note,
        )
