"""Taking a run back: what it created is destroyed, what it changed is made as it was before.

Stacks that the release did not have go first, the last one that was made first. Then the others
come back in the order in which they depend on each other: a service cannot return before the
account that it runs as. Data is kept, in the cloud and in the state, and is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from architecture.model import Architecture
from orchestration.automation.results import OnStackEvent
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.errors import ConductorError, DirectorRefused
from orchestration.releases.data import bring_back, take_down
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


class UndoingDirector(Protocol):
    """A director that undoes its dataflow stacks; it gives the names of what holds data and stays.

    Raises:
        ConductorError: it does not answer, or could not.
    """

    def tear_down(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Have a dataflow deleted."""
        ...

    def set_up_again(self, architecture: Architecture, dataflow: str) -> tuple[str, ...]:
        """Have a dataflow brought up as its inputs say now."""
        ...


class _DirectorPassedOverError(Exception):
    """The conductor undoes a stack of the director's itself; the text says why."""


@dataclass(frozen=True, slots=True)
class Undone:
    """A stack that was undone: what was kept of it, by whom."""

    kept: tuple[str, ...]
    by: str

    @property
    def keeps(self) -> str:
        """Say what is kept."""
        return f"keeps {counted(len(self.kept), 'resource')} with data: {', '.join(self.kept)}"

    @property
    def note(self) -> str:
        """Say both."""
        return f"by {self.by}" + (f"; {self.keeps}" if self.kept else "")


class Rollback:
    """Undoes stacks; every step may be done again after a crash."""

    def __init__(
        self,
        operations: StackOperations,
        releases: ReleaseStore,
        release: Release | None,
        log: RunLog,
        on_event: OnStackEvent,
        *,
        director: UndoingDirector,
    ) -> None:
        self._operations = operations
        self._releases = releases
        self._release = release
        self._log = log
        self._on_event = on_event
        self._director = director
        # Why the director was given up.
        self._silent = ""

    def steps(self, touched: Sequence[str], held: Mapping[str, int]) -> tuple[UndoStep, ...]:
        """Say what takes the stacks that were touched back, in order."""
        return steps_back(self._releases, self._release, touched, held)

    def undo(self, step: UndoStep) -> str:
        """Destroy or restore one stack; say who did it, and what holds data and is kept.

        Raises:
            StackFailed: it could not be.
        """
        self._log.emit(RunEventKind.UNDO_STARTED, stack=step.stack, action=step.verb)
        try:
            undone = self._undo(step)
        except ConductorError as error:
            self._log.emit(
                RunEventKind.UNDO_FAILED,
                stack=step.stack,
                action=step.verb,
                message=error.message,
            )
            raise
        if undone.kept:
            self._log.emit(RunEventKind.WARNED, message=f"{step.stack} {undone.keeps}")
        self._log.emit(
            RunEventKind.UNDO_FINISHED,
            stack=step.stack,
            action=step.verb,
            kept=list(undone.kept),
            by=undone.by,
        )
        return undone.note

    def _undo(self, step: UndoStep) -> Undone:
        if step.verb == RESTORE and self._release is not None:
            self._releases.restore(self._release)
        _, layer, *dataflow = step.stack.split(".", 2)
        if not dataflow or layer != "dataflow":
            if layer == "director":
                # Another one from now on: it may answer.
                self._silent = ""
            return Undone(self._undo_here(step), "the conductor")
        try:
            return Undone(self._ask_director(step, dataflow[0]), "the director")
        except _DirectorPassedOverError as why:
            self._log.emit(
                RunEventKind.WARNED,
                message=f"{step.stack} is undone by the conductor: {why}",
            )
            kept = self._undo_here(step)
            return Undone(kept, f"the conductor, as {why}")

    def _undo_here(self, step: UndoStep) -> tuple[str, ...]:
        if step.verb == DESTROY:
            return take_down(self._operations, step.stack, self._on_event)[0]
        return bring_back(self._operations, step.stack, self._on_event)[0]

    def _ask_director(self, step: UndoStep, dataflow: str) -> tuple[str, ...]:
        """Have the director undo its own stack.

        Raises:
            _DirectorPassedOverError: it cannot, and why.
        """
        environment = step.stack.split(".", 1)[0]
        if self._release is None or not self._release.stacks.get(f"{environment}.director"):
            raise _DirectorPassedOverError("the director itself is undone")
        architecture = self._releases.planned_architecture()
        if architecture is None:
            raise _DirectorPassedOverError("nothing says where the director listens")
        if self._silent:
            raise _DirectorPassedOverError(self._silent)
        ask = self._director.tear_down if step.verb == DESTROY else self._director.set_up_again
        try:
            return ask(architecture, dataflow)
        except DirectorRefused as error:
            raise _DirectorPassedOverError(error.message) from error
        except ConductorError as error:
            self._silent = error.message
            raise _DirectorPassedOverError(error.message) from error
