"""What takes a failed run back: which stacks it may have changed, and how each is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orchestration.automation.stacks import StackOperations
from orchestration.conductor.journal import JournalEntry, StepEvent
from orchestration.conductor.phases import Phase
from orchestration.conductor.selection import BY_WORD
from orchestration.releases.rollback import Rollback, UndoStep

# The layers whose stacks a phase changes.
LAYERS_OF_PHASE: Mapping[Phase, frozenset[str]] = {
    Phase.IAM: frozenset({"foundation"}),
    Phase.IMAGES_AND_DIRECTOR: frozenset({"images", "director"}),
    Phase.FOUNDATIONAL: frozenset({"dataflow"}),
    Phase.SERVICES: frozenset({"services"}),
}


class RunUnwinding:
    """Undoes what one run has done, as far as its journal says that it began."""

    def __init__(
        self,
        environment: str,
        operations: StackOperations,
        rollback: Rollback,
        journal: Callable[[], Iterable[JournalEntry]],
    ) -> None:
        self._environment = environment
        self._operations = operations
        self._rollback = rollback
        self._journal = journal

    def steps(self) -> list[str]:
        """Name what is to be undone, in order.

        Raises:
            StackFailed: the backend of the stacks refused.
        """
        layers = touched_layers(self._journal())
        if not layers:
            return []
        held = self._operations.resource_counts(f"{self._environment}.")
        touched = [stack for stack in held if stack.split(".")[1] in layers]
        return [str(step) for step in self._rollback.steps(touched, held)]

    def undo(self, step: str) -> str:
        """Undo one of them, and say how; may be called again.

        Raises:
            StackFailed: it could not be undone.
        """
        return self._rollback.undo(UndoStep.parse(step))


def touched_layers(entries: Iterable[JournalEntry]) -> frozenset[str]:
    """Name the layers that the phases in a journal have begun to change."""
    started = {entry.step for entry in entries if entry.event is StepEvent.STARTED}
    return frozenset(
        layer
        for word in started
        if word in BY_WORD
        for layer in LAYERS_OF_PHASE.get(BY_WORD[word], frozenset())
    )
