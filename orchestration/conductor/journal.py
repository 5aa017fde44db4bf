"""The journal of a run: what happened to each of its steps, as facts that are only ever added.

Six events, as in sagas of oxidecomputer/steno; a step's status is what its events add up to. Pure:
`orchestration.durable` stores the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StepEvent(StrEnum):
    """What can happen to a step."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDO_STARTED = "undo started"
    UNDO_FINISHED = "undo finished"
    UNDO_FAILED = "undo failed"


class StepStatus(StrEnum):
    """How a step stands."""

    NEVER_STARTED = "never started"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDO_STARTED = "undo started"
    UNDONE = "undone"
    UNDO_FAILED = "undo failed"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One event of one step; `note` says more where there is more to say."""

    run_id: str
    step: str
    event: StepEvent
    at: datetime
    note: str = ""


class IllegalTransitionError(Exception):
    """An event that cannot happen to a step that stands so: a defect of whoever writes it."""


# A step that was under way when its process died is started again, and so is an undo. A step may
# be undone whether it succeeded, failed, or nobody knows: half of it may have happened.
TRANSITIONS: Mapping[tuple[StepStatus, StepEvent], StepStatus] = {
    (StepStatus.NEVER_STARTED, StepEvent.STARTED): StepStatus.STARTED,
    (StepStatus.STARTED, StepEvent.STARTED): StepStatus.STARTED,
    (StepStatus.STARTED, StepEvent.SUCCEEDED): StepStatus.SUCCEEDED,
    (StepStatus.STARTED, StepEvent.FAILED): StepStatus.FAILED,
    # Recorded, but the process died before the workflow knew: it is done again.
    (StepStatus.SUCCEEDED, StepEvent.STARTED): StepStatus.STARTED,
    (StepStatus.FAILED, StepEvent.STARTED): StepStatus.STARTED,
    # Phases are done, stacks are undone: an undo is a step of its own.
    (StepStatus.NEVER_STARTED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.STARTED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.SUCCEEDED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.FAILED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.UNDO_STARTED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.UNDO_STARTED, StepEvent.UNDO_FINISHED): StepStatus.UNDONE,
    (StepStatus.UNDO_STARTED, StepEvent.UNDO_FAILED): StepStatus.UNDO_FAILED,
    (StepStatus.UNDONE, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
    (StepStatus.UNDO_FAILED, StepEvent.UNDO_STARTED): StepStatus.UNDO_STARTED,
}


def next_status(status: StepStatus, event: StepEvent) -> StepStatus:
    """Give the status of a step after an event.

    Raises:
        IllegalTransitionError: the event cannot happen now.
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransitionError(f"a step that is {status!r} cannot be {event!r}") from None


def statuses(entries: Iterable[JournalEntry]) -> dict[str, StepStatus]:
    """Add up a run's entries, in their order: the status of each step that was ever started.

    Raises:
        IllegalTransitionError: the entries are not those of one run in their order.
    """
    found: dict[str, StepStatus] = {}
    for entry in entries:
        before = found.get(entry.step, StepStatus.NEVER_STARTED)
        found[entry.step] = next_status(before, entry.event)
    return found


def not_undone(entries: Iterable[JournalEntry]) -> dict[str, str]:
    """Name the steps whose undo was begun and has not succeeded, and why, in their order.

    Raises:
        IllegalTransitionError: the entries are not those of one run in their order.
    """
    open_ = {StepStatus.UNDO_STARTED, StepStatus.UNDO_FAILED}
    collected = tuple(entries)
    why = {entry.step: entry.note for entry in collected}
    return {step: why[step] for step, status in statuses(collected).items() if status in open_}
