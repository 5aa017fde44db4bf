"""A plan as a script of steps that a durable workflow goes through, and back if it has to.

Each step says in the journal and in the plan's document that it begins before it does anything,
and how it ended afterwards. Errors become results here: a workflow that is taken up again must
come to the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestration.automation.results import Json
from orchestration.conductor.journal import StepEvent
from orchestration.conductor.script import Journal
from orchestration.coordination.model import (
    ExecutionPlan,
    ExecutionStatus,
    ExecutionStep,
    UndoStatus,
)
from orchestration.durable.lease import Fenced
from orchestration.errors import ConductorError, Interrupted
from orchestration.execution import progress
from orchestration.execution.actions.action import Done, Measurement
from orchestration.execution.errors import StepFailed

MEASURE = "measure"


class Performer(Protocol):
    """What does and undoes the steps of a plan; everything may be asked for again."""

    def measure(self, plan: ExecutionPlan) -> Measurement | None:
        """Measure how well the plan's services answer before it begins; None if nobody asks."""
        ...

    def do(self, plan: ExecutionPlan, place: int, before: Measurement | None) -> Done:
        """Do a step.

        Raises:
            ConductorError: it failed.
        """
        ...

    def undo(self, plan: ExecutionPlan, place: int) -> None:
        """Undo a step.

        Raises:
            ConductorError: it could not be undone.
        """
        ...


class Ledger(Protocol):
    """Where the plan's document is kept."""

    def read(self) -> ExecutionPlan:
        """Read the plan as it is now."""
        ...

    def note(self, change: progress.Change) -> ExecutionPlan:
        """Change it, and give it as it is then."""
        ...


class PlanScript:
    """The steps of a plan in their order, from the one on at which this attempt begins."""

    def __init__(
        self,
        run_id: str,
        performer: Performer,
        ledger: Ledger,
        journal: Journal,
        *,
        first_step: int,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._run_id = run_id
        self._performer = performer
        self._ledger = ledger
        self._journal = journal
        self._first_step = first_step
        self._is_stopping = is_stopping
        self._before: Measurement | None = None

    def forward(self) -> Sequence[str]:
        """Name the steps by their places and actions."""
        steps = self._ledger.read().steps
        return [MEASURE, *(_name(steps, place) for place in range(self._first_step, len(steps)))]

    def do(self, step: str) -> dict[str, Json]:
        """Do one step; between steps a server that is told to end leaves the rest for later."""
        if self._is_stopping():
            return {"end": "interrupted"}
        self._journal.add(self._run_id, step, StepEvent.STARTED)
        if step == MEASURE:
            found = self._measured()
            self._journal.add(self._run_id, step, StepEvent.SUCCEEDED)
            return {} if found is None else progress.as_facts(found)
        place = _place(step)
        plan = self._ledger.note(progress.step_begun(place))
        try:
            done = self._performer.do(plan, place, self._before)
        except Fenced:
            # Whoever took the environment over goes on with this very step.
            raise
        except Interrupted as error:
            self._journal.add(self._run_id, step, StepEvent.FAILED, error.code)
            return {"end": "interrupted"}
        except Exception as error:  # noqa: BLE001 - a defect ends a step as any other failure does
            return self._failed(step, place, error)
        self._ledger.note(progress.step_completed(place, done))
        self._journal.add(self._run_id, step, StepEvent.SUCCEEDED)
        return {}

    def accept(self, step: str, result: Mapping[str, Json]) -> None:
        """Take up what was measured, perhaps in a process that has died since."""
        if step == MEASURE and "probes" in result:
            self._before = progress.from_facts(result)

    def backward(self) -> list[str]:
        """Name what is to be undone after a failure, the last first."""
        steps = self._ledger.read().steps
        places = range(len(steps) - 1, -1, -1)
        return [_name(steps, place) for place in places if progress.needs_undo(steps[place])]

    def undo(self, step: str) -> bool:
        """Undo one step; goes on past what cannot be undone."""
        return self._undo_as(step, _place(step))

    def _undo_as(self, name: str, place: int) -> bool:
        undoing = StepUndo(self._run_id, self._performer, self._ledger, self._journal)
        return undoing.undo(name, place)

    def _measured(self) -> Measurement | None:
        """Measure once, before anything is changed: a later attempt compares with the same."""
        plan = self._ledger.read()
        if known := progress.before(plan):
            return known
        try:
            found = self._performer.measure(plan)
        except ConductorError:
            # What cannot be asked now is judged by its own thresholds later.
            return None
        if found is not None:
            self._ledger.note(progress.measured(found))
        return found

    def _failed(self, step: str, place: int, error: Exception) -> dict[str, Json]:
        code, message = _told(error)
        self._journal.add(self._run_id, step, StepEvent.FAILED, f"{code}: {message}")
        found = error.result if isinstance(error, StepFailed) else {}
        failed = self._ledger.note(progress.step_failed(place, message, found)).steps[place]
        if failed.critical:
            return {"end": "failed"}
        # The plan goes on without it: no half of it may stay behind.
        # In the journal that is a step of its own: this one may be started again after it.
        if progress.needs_undo(failed) and not self._undo_as(f"undo {step}", place):
            return {"end": "failed"}
        return {"failed": message}


class PlanRollback:
    """Undoes what a plan has done, the last step first; goes on past what cannot be undone."""

    def __init__(self, run_id: str, performer: Performer, ledger: Ledger, journal: Journal) -> None:
        self._run_id = run_id
        self._performer = performer
        self._ledger = ledger
        self._journal = journal

    def forward(self) -> Sequence[str]:
        """Name all steps, whether or not there is something to undo: the same at every call."""
        steps = self._ledger.read().steps
        return [_name(steps, place) for place in range(len(steps) - 1, -1, -1)]

    def do(self, step: str) -> dict[str, Json]:
        """Undo one step, if there is anything to undo."""
        place = _place(step)
        if progress.needs_undo(self._ledger.read().steps[place]):
            undoing = StepUndo(self._run_id, self._performer, self._ledger, self._journal)
            undoing.undo(step, place)
        return {}

    def accept(self, step: str, result: Mapping[str, Json]) -> None:
        """Nothing is handed on from step to step."""

    def backward(self) -> list[str]:
        """Name nothing: what goes back is not undone again."""
        return []

    def undo(self, step: str) -> bool:
        """Do nothing: it is never asked to."""
        del step
        return True


@dataclass(frozen=True, slots=True)
class StepUndo:
    """Undoes single steps, and writes down how that went."""

    run_id: str
    performer: Performer
    ledger: Ledger
    journal: Journal

    def undo(self, name: str, place: int) -> bool:
        """Undo one step, under a name in the journal, and say whether that worked."""
        self.journal.add(self.run_id, name, StepEvent.UNDO_STARTED)
        try:
            self.performer.undo(self.ledger.read(), place)
        except (Fenced, Interrupted):
            # It is neither undone nor impossible to undo: whoever is next goes on here.
            raise
        except Exception as error:  # noqa: BLE001 - a defect leaves the plan stuck as a failure does
            code, message = _told(error)
            self.ledger.note(progress.undo_failed(place, f"{code}: {message}"))
            self.journal.add(self.run_id, name, StepEvent.UNDO_FAILED, f"{code}: {message}")
            return False
        self.ledger.note(progress.step_undone(place))
        self.journal.add(self.run_id, name, StepEvent.UNDO_FINISHED)
        return True


def first_open_step(plan: ExecutionPlan) -> int:
    """Give the step at which a plan goes on that was left in between.

    One that failed without ending the plan, and was not undone yet, is done again.
    """
    ended = {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED}

    def is_open(step: ExecutionStep) -> bool:
        is_half_done = step.status is ExecutionStatus.FAILED and progress.needs_undo(step)
        return step.status not in ended or is_half_done

    return next((place for place, step in enumerate(plan.steps) if is_open(step)), len(plan.steps))


def is_failing(plan: ExecutionPlan) -> bool:
    """Say whether a plan that was left in between is on its way back."""
    return any(
        step.undo is UndoStatus.FAILED or (step.critical and step.status is ExecutionStatus.FAILED)
        for step in plan.steps
    ) or any(step.status is ExecutionStatus.ROLLED_BACK for step in plan.steps)


def _name(steps: Sequence[ExecutionStep], place: int) -> str:
    return f"{place + 1} {steps[place].action}"


def _place(name: str) -> int:
    return int(name.partition(" ")[0]) - 1


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, ConductorError):
        return error.code, error.message
    return type(error).__name__, str(error)
