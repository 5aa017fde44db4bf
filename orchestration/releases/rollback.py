"""Taking a run back: what it created is destroyed, what it changed is made as it was before.

Stacks that the release did not have go first, the last one that was made first. Then the others
come back in the order in which they depend on each other: a service cannot return before the
account that it runs as. Data is kept, in the cloud and in the state, and is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.automation.results import OnStackEvent
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.errors import ConductorError
from orchestration.releases.data import bears_data, take_down
from orchestration.releases.ordering import StackOrder
from orchestration.releases.store import Release, ReleaseStore
from orchestration.wording import counted

DESTROY = "destroy"
RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One thing to undo: a verb and a stack, as in `destroy dev.services.orders`."""

    verb: str
    stack: str

    def __str__(self) -> str:
        return f"{self.verb} {self.stack}"

    @classmethod
    def parse(cls, text: str) -> UndoStep:
        """Read a step as it is written in the journal."""
        verb, _, stack = text.partition(" ")
        return cls(verb, stack)


def plan_rollback(
    touched: Sequence[str],
    held: Mapping[str, int],
    release: Release | None,
    *,
    now: StackOrder,
    then: StackOrder,
) -> tuple[UndoStep, ...]:
    """Say what takes stacks back to a release, or to nothing where there is none.

    Args:
        touched: the stacks that the run may have changed.
        held: how many resources each existing stack holds now.
        release: what to go back to.
        now: the order of the stacks as they stand.
        then: the order of the release's stacks.
    """
    if release is None:
        # The old release or nothing: what earlier failed runs have left goes too.
        gone = [stack for stack, count in held.items() if count]
        return tuple(UndoStep(DESTROY, s) for s in sorted(gone, key=now, reverse=True))
    changed = [s for s in touched if release.stacks.get(s) and then.declares(s)]
    # What neither architecture has was left over before the release, and stays as it is.
    created = [
        s
        for s in touched
        if held.get(s) and s not in changed and (now.declares(s) or not release.stacks.get(s))
    ]
    return (
        *(UndoStep(DESTROY, stack) for stack in sorted(created, key=now, reverse=True)),
        *(UndoStep(RESTORE, stack) for stack in sorted(changed, key=then)),
    )


def steps_back(
    releases: ReleaseStore, release: Release | None, touched: Sequence[str], held: Mapping[str, int]
) -> tuple[UndoStep, ...]:
    """Plan a rollback by the architecture that stands and the one that the release was made of."""
    then = releases.architecture_of(release) if release is not None else None
    return plan_rollback(
        touched,
        held,
        release,
        now=StackOrder(releases.planned_architecture()),
        then=StackOrder(then),
    )


class Rollback:
    """Undoes stacks; every step may be done again after a crash."""

    def __init__(
        self,
        operations: StackOperations,
        releases: ReleaseStore,
        release: Release | None,
        log: RunLog,
        on_event: OnStackEvent,
    ) -> None:
        self._operations = operations
        self._releases = releases
        self._release = release
        self._log = log
        self._on_event = on_event

    def steps(self, touched: Sequence[str], held: Mapping[str, int]) -> tuple[UndoStep, ...]:
        """Say what takes the stacks that were touched back, in order."""
        return steps_back(self._releases, self._release, touched, held)

    def undo(self, step: UndoStep) -> None:
        """Destroy or restore one stack.

        Raises:
            StackFailed: it could not be.
        """
        self._log.emit(RunEventKind.UNDO_STARTED, stack=step.stack, action=step.verb)
        try:
            kept = self._destroy(step.stack) if step.verb == DESTROY else self._restore(step.stack)
        except ConductorError as error:
            self._log.emit(
                RunEventKind.UNDO_FAILED,
                stack=step.stack,
                action=step.verb,
                message=error.message,
            )
            raise
        self._log.emit(
            RunEventKind.UNDO_FINISHED, stack=step.stack, action=step.verb, kept=list(kept)
        )

    def _destroy(self, stack: str) -> tuple[str, ...]:
        """Delete what holds no data; a stack that is empty then is removed."""
        data, _ = take_down(self._operations, stack, self._on_event)
        if not data:
            return ()
        self._log.emit(
            RunEventKind.WARNED,
            message=f"{stack} keeps {counted(len(data), 'resource')} with data: {', '.join(data)}",
        )
        return data

    def _restore(self, stack: str) -> tuple[str, ...]:
        """Make the stack as the release had it, except that no data is deleted."""
        if self._release is not None:
            self._releases.restore(self._release)
        bearing = {r.urn: r.name for r in self._operations.resources(stack) if bears_data(r)}
        doomed = [
            step.urn
            for step in self._operations.preview(stack, refresh=True).steps
            if "delete" in step.operation or "replace" in step.operation
        ]
        spared = {urn: bearing[urn] for urn in doomed if urn in bearing}
        self._operations.up(stack, refresh=True, spared=tuple(spared), on_event=self._on_event)
        if spared:
            names = ", ".join(spared.values())
            self._log.emit(
                RunEventKind.WARNED,
                message=f"{stack} keeps {counted(len(spared), 'resource')} with data: {names}",
            )
        return tuple(spared.values())
