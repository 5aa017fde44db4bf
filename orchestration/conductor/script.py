"""A run as a script of steps that a durable workflow goes through: phases forward, stacks back.

Each step says in the journal that it starts before it does anything, and how it ended afterwards.
Errors become results here: a workflow that is taken up again must come to the same end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from orchestration.automation.results import Json
from orchestration.concurrency import is_stopping
from orchestration.conductor.conductor import Conductor
from orchestration.conductor.journal import StepEvent
from orchestration.conductor.phases import Phase
from orchestration.conductor.selection import BY_WORD
from orchestration.conductor.state import RunState
from orchestration.errors import CloudUnreachable, ConductorError, Interrupted


class Journal(Protocol):
    """Where the script writes down what it does."""

    def add(self, run_id: str, step: str, event: StepEvent, note: str = "") -> object:
        """Add an event to a step's journal."""
        ...


class Unwinding(Protocol):
    """What takes back what a failed run has done."""

    def steps(self) -> list[str]:
        """Name what is to be undone, in order; nothing if all is to be kept."""
        ...

    def undo(self, step: str) -> str:
        """Undo one of them, and say how; may be called again.

        Raises:
            ConductorError: it could not be undone.
        """
        ...


class KeepEverything:
    """Takes nothing back: the next run goes on from what is there."""

    def steps(self) -> list[str]:
        """Name nothing."""
        return []

    def undo(self, step: str) -> str:
        """Do nothing: it is never asked to."""
        del step
        return ""


def undo_step(
    journal: Journal, run_id: str, step: str, undo: Callable[[str], str]
) -> ConductorError | None:
    """Undo one thing and write down how that went; give the error of one that could not be."""
    journal.add(run_id, step, StepEvent.UNDO_STARTED)
    try:
        note = undo(step)
    except ConductorError as error:
        journal.add(run_id, step, StepEvent.UNDO_FAILED, f"{error.code}: {error}")
        return error
    journal.add(run_id, step, StepEvent.UNDO_FINISHED, note)
    return None


class RunScript:
    """One run's steps; `error` is why it failed, in the process in which it did."""

    def __init__(
        self,
        run_id: str,
        conductor: Conductor,
        journal: Journal,
        unwinding: Unwinding,
        phases: Sequence[Phase] = tuple(Phase),
        *,
        require_cloud: Callable[[], None] = lambda: None,
    ) -> None:
        self.error: Exception | None = None
        self._run_id = run_id
        self._conductor = conductor
        self._journal = journal
        self._unwinding = unwinding
        self._phases = tuple(phases)
        self._require_cloud = require_cloud

    def forward(self) -> Sequence[str]:
        """Name the phases that the run does, by their words."""
        return [phase.word for phase in self._phases]

    def do(self, step: str) -> dict[str, Json]:
        """Run one phase; what it hands on is in the result, or why the run ends."""
        self._journal.add(self._run_id, step, StepEvent.STARTED)
        try:
            state = self._conductor.run_phase(BY_WORD[step])
        except Interrupted as error:
            self._journal.add(self._run_id, step, StepEvent.FAILED, error.code)
            return {"end": "interrupted"}
        except ConductorError as error:
            self._journal.add(self._run_id, step, StepEvent.FAILED, f"{error.code}: {error}")
            if is_stopping():
                # What Ctrl-C has cut off is no failure, whatever it looks like.
                return {"end": "interrupted"}
            self.error = self._cause(BY_WORD[step], error)
            return {"end": "failed"}
        except Exception as error:  # noqa: BLE001 - a defect ends the run as any other failure does
            self.error = error
            self._journal.add(
                self._run_id, step, StepEvent.FAILED, f"{type(error).__name__}: {error}"
            )
            return {"end": "failed"}
        self._journal.add(self._run_id, step, StepEvent.SUCCEEDED)
        return {"state": state.model_dump(mode="json")}

    def _cause(self, phase: Phase, error: ConductorError) -> ConductorError:
        """Find why a phase failed: where the cloud has gone, nothing that it says is the cause."""
        if phase <= Phase.PREREQUISITES:
            # Before, there need be no cloud.
            return error
        try:
            self._require_cloud()
        except CloudUnreachable as gone:
            gone.__cause__ = error
            gone.details = "\n".join(filter(None, [error.message, error.details]))
            return gone
        return error

    def accept(self, step: str, result: Mapping[str, Json]) -> None:
        """Take up what a phase has handed on, perhaps in a process that has died since."""
        del step
        if "state" in result:
            self._conductor.restore(RunState.model_validate(result["state"]))

    def backward(self) -> list[str]:
        """Name what is to be undone after a failure; nothing while the cloud does not answer."""
        self._conductor.leave_phases()
        if isinstance(self.error, CloudUnreachable):
            return []
        return self._unwinding.steps()

    def undo(self, step: str) -> bool:
        """Undo one thing; goes on past what cannot be undone."""
        return undo_step(self._journal, self._run_id, step, self._unwinding.undo) is None
