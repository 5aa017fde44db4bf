"""The rules of a run's journal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.conductor.journal import (
    TRANSITIONS,
    IllegalTransitionError,
    JournalEntry,
    StepEvent,
    StepStatus,
    next_status,
    not_undone,
    statuses,
)


def entries(*events: tuple[str, StepEvent]) -> list[JournalEntry]:
    """Make a journal."""
    now = datetime.now(UTC)
    return [JournalEntry("run-1", step, event, now) for step, event in events]


def test_a_step_is_done_and_undone() -> None:
    """The plain way through."""
    journal = entries(
        ("a", StepEvent.STARTED), ("a", StepEvent.SUCCEEDED), ("b", StepEvent.STARTED)
    )
    assert statuses(journal) == {"a": StepStatus.SUCCEEDED, "b": StepStatus.STARTED}
    assert not_undone(journal) == {}


def test_what_is_undone_is_not_undone_again() -> None:
    """After a crash between two undos only the rest is left."""
    journal = entries(
        ("a", StepEvent.STARTED),
        ("b", StepEvent.STARTED),
        ("b", StepEvent.UNDO_STARTED),
        ("b", StepEvent.UNDO_FINISHED),
        ("a", StepEvent.UNDO_STARTED),
        ("a", StepEvent.UNDO_FAILED),
    )
    assert list(not_undone(journal)) == ["a"]


@given(
    st.lists(st.sampled_from(sorted(StepEvent)), max_size=12),
)
def test_every_history_is_legal_or_refused(events: list[StepEvent]) -> None:
    """The table is the whole truth: a step never finishes what it did not start."""
    status = StepStatus.NEVER_STARTED
    for event in events:
        if (status, event) not in TRANSITIONS:
            with pytest.raises(IllegalTransitionError):
                next_status(status, event)
            return
        before, status = status, next_status(status, event)
        if event in {StepEvent.SUCCEEDED, StepEvent.FAILED}:
            assert before is StepStatus.STARTED
        if event in {StepEvent.UNDO_FINISHED, StepEvent.UNDO_FAILED}:
            assert before is StepStatus.UNDO_STARTED


def test_every_status_can_be_taken_up_after_a_crash() -> None:
    """Whatever a process was doing when it died can be begun again."""
    for status in (StepStatus.STARTED, StepStatus.SUCCEEDED, StepStatus.FAILED):
        assert next_status(status, StepEvent.UNDO_STARTED) is StepStatus.UNDO_STARTED
    assert next_status(StepStatus.STARTED, StepEvent.STARTED) is StepStatus.STARTED
    assert next_status(StepStatus.UNDO_STARTED, StepEvent.UNDO_STARTED) is StepStatus.UNDO_STARTED
