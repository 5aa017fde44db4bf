"""How far a plan is: what its document says after each thing that happens to it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from orchestration.automation.results import Json
from orchestration.coordination.model import (
    ExecutionPlan,
    ExecutionStatus,
    ExecutionStep,
    UndoStatus,
)
from orchestration.execution.actions.action import Done, Measurement

# Where a plan's metadata has what was measured before it began.
BEFORE: Final = "before"

Change = Callable[[ExecutionPlan, datetime], ExecutionPlan]
"""What becomes of a plan at a moment."""


def begun(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
    """Note that a plan runs, or is being rolled back."""
    return _with(
        plan,
        status=ExecutionStatus.RUNNING,
        started_at=plan.started_at or now,
        waiting_for=None,
        queued_at=None,
    )


def waiting(reason: str) -> Change:
    """Note why a plan does not run yet."""
    return lambda plan, _now: _with(plan, waiting_for=reason)


def measured(found: Measurement) -> Change:
    """Note how well the plan's services answered before it began."""
    return lambda plan, _now: _with(
        plan, metadata={**(plan.metadata or {}), BEFORE: as_facts(found)}
    )


def before(plan: ExecutionPlan) -> Measurement | None:
    """Give what was measured before the plan began."""
    facts = (plan.metadata or {}).get(BEFORE)
    return from_facts(facts) if isinstance(facts, dict) else None


def as_facts(found: Measurement) -> dict[str, Json]:
    """Write a measurement down."""
    return {"probes": found.probes, "failed": found.failed, "p95_ms": found.p95_ms}


def from_facts(facts: Mapping[str, Json]) -> Measurement:
    """Read a measurement that was written down."""
    probes, failed, p95_ms = facts["probes"], facts["failed"], facts["p95_ms"]
    assert isinstance(probes, int)
    assert isinstance(failed, int)
    assert isinstance(p95_ms, int | float)
    return Measurement(probes, failed, float(p95_ms))


def step_begun(place: int) -> Change:
    """Note that a step is under way."""

    def change(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
        step = plan.steps[place]
        running = _step(
            step,
            status=ExecutionStatus.RUNNING,
            started_at=step.started_at or now,
            error=None,
            # Done again after a death, it may have to be undone again.
            undo=None,
            undo_error=None,
        )
        return _with(_placed(plan, place, running), current_step=place)

    return change


def step_completed(place: int, done: Done) -> Change:
    """Note what a step did."""

    def change(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
        step = _ended(plan.steps[place], now, ExecutionStatus.COMPLETED)
        step = _step(step, result=dict(done.result), rollback_data=dict(done.rollback_data) or None)
        return _placed(plan, place, step)

    return change


def step_failed(place: int, error: str, result: Mapping[str, JsonValue]) -> Change:
    """Note why a step failed, and what it found out."""

    def change(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
        step = _ended(plan.steps[place], now, ExecutionStatus.FAILED)
        return _placed(plan, place, _step(step, error=error, result=dict(result) or None))

    return change


def step_undone(place: int) -> Change:
    """Note that a step was undone; one that had failed stays failed."""

    def change(plan: ExecutionPlan, _now: datetime) -> ExecutionPlan:
        step = plan.steps[place]
        is_failed = step.status is ExecutionStatus.FAILED
        status = ExecutionStatus.FAILED if is_failed else ExecutionStatus.ROLLED_BACK
        undone = _step(step, status=status, undo=UndoStatus.UNDONE, undo_error=None)
        return _placed(plan, place, undone)

    return change


def undo_failed(place: int, error: str) -> Change:
    """Note why a step could not be undone."""
    return lambda plan, _now: _placed(
        plan, place, _step(plan.steps[place], undo=UndoStatus.FAILED, undo_error=error)
    )


def completed(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
    """Note that a plan did what it should."""
    return _closed(plan, now, status=ExecutionStatus.COMPLETED, completed_at=now)


def rolled_back(plan: ExecutionPlan, now: datetime) -> ExecutionPlan:
    """Note that all that a plan did was undone, except for what is kept or cannot be; or *stuck*.

    A plan is stuck where a step could not be undone; rolling it back again goes on there.
    """
    stuck = tuple(step.id for step in plan.steps if step.undo is UndoStatus.FAILED)
    steps = tuple(_left(step) for step in plan.steps)
    failed = next((step for step in plan.steps if step.error and step.critical), None)
    error = plan.error or (f"step {failed.action} failed: {failed.error}" if failed else None)
    if stuck:
        return _closed(
            plan, now, status=ExecutionStatus.FAILED, steps=steps, stuck=stuck, error=error
        )
    return _closed(
        plan,
        now,
        status=ExecutionStatus.ROLLED_BACK,
        steps=steps,
        stuck=None,
        error=error,
        rolled_back_at=now,
    )


def refused(error: str) -> Change:
    """Note that a plan was not begun after all, and will not be."""
    return lambda plan, now: _closed(
        plan, now, status=ExecutionStatus.FAILED, error=error, waiting_for=None, queued_at=None
    )


def needs_undo(step: ExecutionStep) -> bool:
    """Say whether a step of a plan that is rolled back is to be undone now.

    One that failed is, too: half of it may have happened.
    """
    was_begun = step.status is not ExecutionStatus.PENDING
    is_over = step.undo is UndoStatus.UNDONE
    return was_begun and step.reversible and not step.retain_on_rollback and not is_over


def _left(step: ExecutionStep) -> ExecutionStep:
    """Say of a step that stands although its plan was rolled back, why."""
    if step.status is not ExecutionStatus.COMPLETED or step.undo is not None:
        return step
    kept = step.reversible and step.retain_on_rollback
    return _step(step, undo=UndoStatus.KEPT if kept else UndoStatus.IRREVERSIBLE)


def _ended(step: ExecutionStep, now: datetime, status: ExecutionStatus) -> ExecutionStep:
    began = step.started_at or now
    return _step(
        step, status=status, completed_at=now, duration_ms=int((now - began).total_seconds() * 1000)
    )


def _closed(plan: ExecutionPlan, now: datetime, **fields: object) -> ExecutionPlan:
    took = (now - plan.started_at).total_seconds() if plan.started_at is not None else 0.0
    return _with(plan, total_duration_ms=int(took * 1000), **fields)


def _placed(plan: ExecutionPlan, place: int, step: ExecutionStep) -> ExecutionPlan:
    return _with(plan, steps=(*plan.steps[:place], step, *plan.steps[place + 1 :]))


def _with(plan: ExecutionPlan, **fields: object) -> ExecutionPlan:
    return plan.model_copy(update=fields)


def _step(step: ExecutionStep, **fields: object) -> ExecutionStep:
    return step.model_copy(update=fields)
