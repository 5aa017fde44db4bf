"""Journals of real runs, recorded earlier: today's code still reads them and takes the same way.

They are what a run leaves that an upgrade of the program finds half done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.journal import JournalEntry, StepEvent, not_undone, statuses
from orchestration.conductor.records import RunStatus
from orchestration.conductor.rolling_back import RollbackScript
from orchestration.conductor.script import KeepEverything, RunScript
from orchestration.durable.workflows import Script, go_through
from orchestration.releases.rollback import UndoStep

T = TypeVar("T")
RECORDED = sorted((Path(__file__).parents[3] / "testdata" / "journals").glob("*.json"))


class NoJournal:
    """Refuses to be written: a replay does nothing new."""

    def add(self, _run_id: str, step: str, event: StepEvent, _note: str = "") -> None:
        """Fail."""
        raise AssertionError(f"{step} would be {event} again")


class NoRollback:
    """Undoes nothing: a replay does nothing new."""

    def undo(self, step: UndoStep) -> str:
        """Fail."""
        raise AssertionError(f"{step} would be done again")


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recorded(request: pytest.FixtureRequest) -> Any:
    """One recorded run."""
    return json.loads(request.param.read_text())


def entries_of(recorded: Mapping[str, Any]) -> Iterator[JournalEntry]:
    """Read a recorded run's journal."""
    for entry in recorded["entries"]:
        yield JournalEntry(
            run_id=recorded["run_id"],
            step=entry["step"],
            event=StepEvent(entry["event"]),
            at=datetime.fromisoformat(entry["at"]),
            note=entry["note"],
        )


def script_of(recorded: Mapping[str, Any]) -> Script:
    """Make the script that today's code would go through."""
    if recorded["workflow"] == "rollback":
        steps = [UndoStep.parse(step["name"]) for step in recorded["steps"]]
        return RollbackScript(recorded["run_id"], steps, NoRollback(), NoJournal())
    fakes = FakeParts()
    fakes.on_call = pytest.fail
    conductor = Conductor(fakes.parts(), RunLog(recorded["run_id"], []), lambda _state: None)
    return RunScript(recorded["run_id"], conductor, NoJournal(), KeepEverything())


def replaying(steps: Sequence[Mapping[str, Any]]) -> Callable[..., Any]:
    """Make what answers every step from the record, and fails a step that is not its next."""
    left = iter(steps)

    def run_step(name: str, _do: Callable[..., T], *_arguments: str) -> Any:
        known = next(left, None)
        assert known is not None, f"{name} was not done then"
        assert known["name"] == name, "another step than then"
        return known["result"]

    return run_step


def test_there_are_recorded_journals() -> None:
    """A run that succeeded, one that was killed, one that failed, and a rollback."""
    assert {path.stem for path in RECORDED} >= {
        "up",
        "up-killed-and-resumed",
        "up-rolled-back",
        "rollback",
    }


def test_the_recorded_transitions_are_still_legal(recorded: Mapping[str, Any]) -> None:
    """Step 4, item 8: the transition table knows every journal that was ever written."""
    done = {step["name"].removeprefix("undo ") for step in recorded["steps"]} - {"unwind"}
    assert set(statuses(entries_of(recorded))) == done
    assert not_undone(entries_of(recorded)) == {}


def test_a_replay_takes_the_same_way(recorded: Mapping[str, Any]) -> None:
    """Step 4, item 8: same steps, same order, results that can still be read, the same end."""
    end = go_through(script_of(recorded), replaying(recorded["steps"]))
    status = RunStatus(recorded["status"])
    if recorded["workflow"] == "rollback":
        assert (end, status) == ("succeeded", RunStatus.ROLLED_BACK)
    else:
        assert end.value == status.value.replace(" ", "-")
