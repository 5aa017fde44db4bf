"""What a run looks like: plain lines, a tree, JSON lines, tables."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from orchestration.automation.results import Json
from orchestration.cli.console import reported, show_error
from orchestration.cli.progress import (
    JsonProgress,
    PlainProgress,
    TreeProgress,
    choose_progress,
    describe,
)
from orchestration.conductor.events import RunEvent, RunEventKind
from orchestration.conductor.phases import Phase
from orchestration.errors import (
    ArchitectureInvalid,
    BuildFailed,
    EnvironmentBusy,
    PrerequisitesMissing,
)


def event(kind: RunEventKind, phase: Phase | None = Phase.IAM, **fields: Json) -> RunEvent:
    """Make an event of a run."""
    return RunEvent(0, datetime(2026, 1, 1, tzinfo=UTC), "run-1", kind, phase, fields)


RUN = [
    event(RunEventKind.PHASE_STARTED, title="IAM"),
    event(
        RunEventKind.RESOURCE_STARTED,
        stack="dev.foundation",
        operation="create",
        type="t",
        name="a",
    ),
    event(
        RunEventKind.RESOURCE_FINISHED,
        stack="dev.foundation",
        operation="create",
        type="gcp:pubsub/topic:Topic",
        name="orders",
    ),
    event(
        RunEventKind.RESOURCE_FINISHED,
        stack="dev.foundation",
        operation="same",
        type="gcp:pubsub/topic:Topic",
        name="quiet",
    ),
    event(
        RunEventKind.RESOURCE_FINISHED,
        stack="dev.foundation",
        operation="create",
        type="conductor:dataflow:Topic",
        name="component",
    ),
    event(
        RunEventKind.GRANT_EFFECTIVE,
        role="roles/x",
        resource="topic orders",
        member="serviceAccount:a",
        delay_s=1.24,
        tested="",
    ),
    event(RunEventKind.WARNED, message="[odd] names"),
    event(RunEventKind.PHASE_FINISHED, title="IAM", duration_s=2.0, summary="1 grant"),
]
PLAIN = """\
[2] IAM
[2]   + gcp:pubsub/topic:Topic orders
[2]   effective after 1.2 s: roles/x on topic orders for serviceAccount:a
[2] warning: [odd] names
[2] done in 2.0 s: 1 grant
"""


def console(*, terminal: bool = False) -> tuple[Console, io.StringIO]:
    """Make a console that writes to a text."""
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=100, color_system=None), text


def test_a_log_gets_one_line_per_fact_that_matters() -> None:
    """0.21: phases, changes, grants and warnings; nothing of what stayed as it was."""
    out, text = console()
    with PlainProgress(out) as progress:
        for item in RUN:
            progress(item)
    assert text.getvalue() == PLAIN


def test_a_terminal_gets_a_tree_that_ends_with_the_phases() -> None:
    """0.21: details of a finished phase fold away; warnings stay."""
    out, text = console(terminal=True)
    with TreeProgress(out) as progress:
        for item in RUN:
            progress(item)
    last = text.getvalue().rpartition("conductor up")[2]
    assert "IAM" in last
    assert "1 grant (2.0 s)" in last
    assert "warning: [odd] names" in last
    assert "orders" not in last


def test_json_lines_hold_every_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Step 1, item 1: `--json` events on request."""
    with JsonProgress() as progress:
        for item in RUN:
            progress(item)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [item.kind.value for item in RUN]
    assert lines[0]["phase"] == 2
    assert lines[0]["run_id"] == "run-1"


@pytest.mark.parametrize(
    ("as_json", "terminal", "kind"),
    [(True, True, JsonProgress), (False, True, TreeProgress), (False, False, PlainProgress)],
)
def test_the_way_of_showing_fits_where_it_is_shown(
    as_json: bool, terminal: bool, kind: type
) -> None:
    """Step 1, item 1: a tree only where it can be redrawn."""
    out, _ = console(terminal=terminal)
    assert isinstance(choose_progress(out, as_json=as_json), kind)


def test_every_kind_of_event_can_be_described() -> None:
    """No event of a run makes the display fail, whatever its texts hold."""
    fields: dict[str, Json] = dict.fromkeys(
        ("title", "summary", "type", "name", "stack", "role", "resource", "member"), "[/]x{y}"
    )
    fields |= {"duration_s": 1.0, "delay_s": 1.0, "operation": "create"}
    fields |= dict.fromkeys(
        ("instruction", "dataflow", "service", "url", "message", "action", "by"), "[b]"
    )
    for kind in RunEventKind:
        assert isinstance(describe(event(kind, **fields)), str)


def test_an_error_is_one_line_with_its_code_and_a_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Design 10: one line, a stable code, a hint; details and findings above it."""
    show_error(BuildFailed("cart was not built", details="line 3", hint="mend it"))
    assert capsys.readouterr().err == (
        "line 3\nerror[build-failed]: cart was not built\nhint: mend it\n"
    )


@pytest.mark.parametrize("kind", [ArchitectureInvalid, PrerequisitesMissing])
def test_findings_come_with_their_error(
    capsys: pytest.CaptureFixture[str],
    kind: type[ArchitectureInvalid | PrerequisitesMissing],
) -> None:
    """All findings in one report."""
    show_error(kind("2 wrong", findings=("a.yaml:1:2: error[x] [y]", "b")))
    assert capsys.readouterr().err.splitlines()[:2] == ["a.yaml:1:2: error[x] [y]", "b"]


def test_an_error_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read the same words."""
    show_error(EnvironmentBusy("busy"), as_json=True)
    problem = json.loads(capsys.readouterr().out)
    assert (problem["code"], problem["exit_code"]) == ("environment-busy", 3)


def raising(error: BaseException) -> Callable[[], None]:
    """Make a function that raises."""

    def run() -> None:
        with reported():
            raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (EnvironmentBusy("busy"), 3, "error[environment-busy]: busy"),
        (ArchitectureInvalid("bad"), 2, "error[architecture-invalid]: bad"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("odd\nmore"), 1, "error[error]: ValueError: odd"),
    ],
)
def test_what_goes_wrong_ends_with_its_documented_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    """Design 10: exit codes; never a traceback without --debug."""
    with pytest.raises(SystemExit) as caught:
        raising(error)()
    assert caught.value.code == code
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
