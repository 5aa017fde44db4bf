"""A run's report: its document, the promise of its shape, and its page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.journal import JournalEntry, StepEvent
from orchestration.conductor.records import (
    ErrorRecord,
    PhaseRecord,
    RunInputs,
    RunRecord,
    RunStatus,
)
from orchestration.conductor.report_page import page
from orchestration.conductor.reports import RunReport, report_of
from orchestration.conductor.state import RunState

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "run-report.schema.json"
BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>"


def a_record() -> RunRecord:
    """Make the record of a run that failed, with texts that a page must not take for markup."""
    state = Conductor(FakeParts().parts(), RunLog("run-0", []), lambda _state: None).run()
    return RunRecord(
        run_id="20261101-120000-abcdef",
        environment="dev",
        status=RunStatus.ROLLED_BACK,
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=5),
        inputs=RunInputs(
            architecture="shop.yaml", architecture_sha256="a", options={"engine": HOSTILE}
        ),
        phases=(
            PhaseRecord(phase=0, title="Plan", status=RunStatus.SUCCEEDED, duration_s=1.0),
            PhaseRecord(phase=2, title="IAM", status=RunStatus.FAILED, duration_s=3.0),
        ),
        state=state,
        error=ErrorRecord(code="rolled-back", message=HOSTILE, hint="mend it", details="line 1"),
    )


def a_report() -> RunReport:
    """Make a report."""
    journal = [
        JournalEntry("run-0", "iam", StepEvent.STARTED, BEGAN),
        JournalEntry("run-0", "iam", StepEvent.FAILED, BEGAN + timedelta(seconds=2), HOSTILE),
    ]
    return report_of(a_record(), journal)


def test_the_document_keeps_its_promise() -> None:
    """Step 4, item 7: the schema in the docs is the one that reports follow."""
    schema = json.loads(SCHEMA.read_text())
    assert schema == RunReport.model_json_schema(), "write the schema again from RunReport"
    jsonschema.validate(json.loads(a_report().model_dump_json()), schema)


STUCK = [
    JournalEntry("run-0", step, event, BEGAN, note)
    for step, event, note in (
        ("services", StepEvent.STARTED, ""),
        ("services", StepEvent.FAILED, "stack-failed: no"),
        ("restore dev.dataflow.a", StepEvent.UNDO_STARTED, ""),
        ("restore dev.dataflow.a", StepEvent.UNDO_FINISHED, "by the director"),
        ("restore dev.services.a", StepEvent.UNDO_STARTED, ""),
        ("restore dev.services.a", StepEvent.UNDO_FAILED, "stack-failed: no"),
    )
]


@pytest.mark.parametrize("status", list(RunStatus))
@pytest.mark.parametrize("back_to", [None, "", "20261101-110000-aaaaaa"])
@pytest.mark.parametrize("has_begun", [True, False])
def test_a_report_of_a_run_in_any_state_keeps_its_promise(
    status: RunStatus, back_to: str | None, *, has_begun: bool
) -> None:
    """Step 4, item 7: running, failed, rolled back, stuck; also a rollback, which has no phases."""
    record = a_record()
    record.status, record.rolled_back_to = status, back_to
    if not has_begun:
        record.phases, record.state, record.error, record.ended_at = (), RunState(), None, None
    report = report_of(record, STUCK if has_begun else [])
    jsonschema.validate(json.loads(report.model_dump_json()), json.loads(SCHEMA.read_text()))
    text = page(report)
    assert status.value in text
    assert ("by the director" in text) == has_begun
    assert ("undo failed" in text) == has_begun
    assert ("Rolled back to nothing." in text) == (back_to == "")


def test_the_document_says_when_each_phase_began() -> None:
    """The timeline: phases follow one another."""
    report = a_report()
    assert [(p.phase, p.starts_after_s, p.duration_s) for p in report.phases] == [
        (0, 0.0, 1.0),
        (2, 1.0, 3.0),
    ]
    assert report.duration_s == 5.0
    assert report.error is not None
    assert [(step.step, step.status) for step in report.steps] == [("iam", "failed")]


def test_the_page_tells_it_to_people() -> None:
    """No text of a run becomes markup, and the page needs nothing from elsewhere."""
    text = page(a_report())
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert "src=" not in text
    for word in ("Timeline", "rolled back", "2 IAM", "What to do: mend it", "Journal"):
        assert word in text
