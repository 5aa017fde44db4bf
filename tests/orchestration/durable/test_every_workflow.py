"""What must hold for every workflow: steps and undos done twice, failures and crashes anywhere.

In process, over fakes: `Memory` is a database of step results that dies where it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import sqlalchemy as sa
from mortality import Deaths, Died, Memory, MemoryJournal

from orchestration.conductor.conductor import Conductor
from orchestration.conductor.events import RunLog
from orchestration.conductor.fakes import FakeParts
from orchestration.conductor.journal import StepStatus
from orchestration.conductor.phases import Phase
from orchestration.conductor.rolling_back import RollbackScript
from orchestration.conductor.script import RunScript
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.workflows import RunEnd, Script, go_through, launched
from orchestration.errors import PhaseFailed, StackFailed
from orchestration.releases.rollback import UndoStep

T = TypeVar("T")
WORDS = [phase.word for phase in Phase]
# The stacks that each call of a part brings up.
STACKS_OF_CALL = {
    "set_up_iam": ["foundation"],
    "build_all": ["images"],
    "deploy_director": ["director"],
    "director orders supply": ["dataflow.orders", "dataflow.supply"],
    "deploy supply": ["services.supply"],
    "deploy orders": ["services.orders"],
}
ALL_STACKS = [stack for stacks in STACKS_OF_CALL.values() for stack in stacks]
# The call that fails when a phase shall fail.
CALL_OF_PHASE = {
    "plan": "plan",
    "prerequisites": "check",
    "iam": "wait foundation",
    "artifacts": "prepare",
    "images-and-director": "healthy director http://director",
    "foundational": "director orders supply",
    "resource-iam": "wait dataflow orders",
    "services": "deploy orders",
}


@dataclass
class World:
    """The stacks that stand; it survives the processes that change it."""

    stacks: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    cannot_undo: set[str] = field(default_factory=set)

    def bring_up(self, call: str) -> None:
        """Make what a call makes, unless it stands."""
        for stack in STACKS_OF_CALL.get(call, ()):
            if stack not in self.stacks:
                self.made.append(stack)
            self.stacks.add(stack)

    def steps(self) -> list[str]:
        """Name what a failed run undoes."""
        return [f"destroy dev.{s}" for s in reversed(ALL_STACKS) if s in self.stacks]

    def undo(self, step: str | UndoStep) -> str:
        """Take a stack down; nothing happens where there is none."""
        stack = str(step).removeprefix("destroy dev.")
        if stack in self.cannot_undo:
            raise StackFailed(f"{stack} cannot be deleted")
        self.stacks.discard(stack)
        return f"{stack} is gone"


Make = Callable[[World, MemoryJournal | JournalStore, str], Script]


def up_script(world: World, journal: MemoryJournal | JournalStore, failing: str) -> Script:
    """Make `up` over fakes; one phase fails, if any is named."""
    fakes = FakeParts()
    fakes.on_call = world.bring_up
    if failing:
        fakes.failing[CALL_OF_PHASE[failing]] = PhaseFailed(f"{failing} fails")
    conductor = Conductor(fakes.parts(), RunLog("run", []), lambda _state: None)
    return RunScript("run", conductor, journal, world)


def rollback_script(world: World, journal: MemoryJournal | JournalStore, failing: str) -> Script:
    """Make `rollback` to nothing; one stack cannot be taken down, if any is named."""
    world.cannot_undo |= {failing} - {""}
    steps = [UndoStep.parse(f"destroy dev.{stack}") for stack in reversed(ALL_STACKS)]
    return RollbackScript("run", steps, world, journal)


@dataclass(frozen=True)
class Workflow:
    """A workflow: its script, what stands before it, and what of it can fail."""

    make: Make
    before: frozenset[str]
    can_fail: Sequence[str]


WORKFLOWS = {
    "up": Workflow(up_script, frozenset(), WORDS),
    "rollback": Workflow(rollback_script, frozenset(ALL_STACKS), ALL_STACKS),
}
CASES = [(name, failing) for name, flow in WORKFLOWS.items() for failing in ("", *flow.can_fail)]


@dataclass(frozen=True)
class Outcome:
    """How it ended, what stands, and what was made."""

    end: RunEnd
    stacks: frozenset[str]
    made: tuple[str, ...]


def perform(
    name: str, failing: str, die_at: int = -1, *, twice: bool = False
) -> tuple[Outcome, int]:
    """Run a workflow to its end, through a death if there is one; count the possible ones."""
    flow = WORKFLOWS[name]
    world = World(set(flow.before))
    deaths = Deaths(die_at)
    memory, journal = Memory(deaths, is_twice=twice), MemoryJournal(deaths)
    try:
        end = go_through(flow.make(world, journal, failing), memory.runner())
    except Died:
        end = go_through(flow.make(world, journal, failing), memory.runner())
    return Outcome(end, frozenset(world.stacks), tuple(sorted(world.made))), deaths.seen


def expected(name: str, failing: str) -> Outcome:
    """Say how a workflow ends in which one thing fails, or nothing."""
    if name == "rollback":
        return Outcome(RunEnd.SUCCEEDED, frozenset({failing} - {""}), ())
    if not failing:
        return Outcome(RunEnd.SUCCEEDED, frozenset(ALL_STACKS), tuple(sorted(ALL_STACKS)))
    outcome, _ = perform(name, failing)
    is_early = WORDS.index(failing) < WORDS.index("iam")
    end = RunEnd.FAILED if is_early else RunEnd.ROLLED_BACK
    return Outcome(end, frozenset(), outcome.made)


@pytest.mark.parametrize(("name", "failing"), CASES)
def test_a_failure_anywhere_unwinds_to_nothing(name: str, failing: str) -> None:
    """Step 4, item 8: nothing that the run made is left; a rollback leaves what it names."""
    outcome, _ = perform(name, failing)
    assert outcome == expected(name, failing)


@pytest.mark.parametrize(("name", "failing"), CASES)
def test_every_step_and_every_undo_may_be_done_twice(name: str, failing: str) -> None:
    """Step 4, item 8: the end is the same, and nothing is made twice."""
    outcome, _ = perform(name, failing, twice=True)
    assert outcome == expected(name, failing)
    assert len(set(outcome.made)) == len(outcome.made)


@pytest.mark.parametrize(("name", "failing"), CASES)
def test_a_death_at_any_moment_changes_nothing_of_the_end(name: str, failing: str) -> None:
    """Fault case 8: before and after every journal entry and every recorded result."""
    wanted, moments = perform(name, failing)
    assert moments >= 8
    for die_at in range(1, moments + 1):
        outcome, _ = perform(name, failing, die_at)
        assert outcome == wanted, f"died at moment {die_at} of {moments}"
        assert len(set(outcome.made)) == len(outcome.made)


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_an_undo_that_fails_leaves_only_that_and_says_so(stack: str) -> None:
    """Design 5: a run that could not be undone whole is stuck."""
    world, journal = World(cannot_undo={stack}), MemoryJournal()
    end = go_through(up_script(world, journal, "services"), Memory(Deaths()).runner())
    assert (end, world.stacks) == (
        (RunEnd.STUCK, {stack}) if stack in world.made else (RunEnd.ROLLED_BACK, set())
    )
    if stack in world.stacks:
        assert journal.statuses[f"destroy dev.{stack}"] is StepStatus.UNDO_FAILED


@pytest.fixture
def ended(engine: sa.Engine) -> Iterator[Callable[[str, str], tuple[RunEnd, set[str]]]]:
    """Run workflows in DBOS on a real database; gives how each ended and what stands."""
    with launched(engine, "dev") as workflows:

        def run(name: str, failing: str) -> tuple[RunEnd, set[str]]:
            flow = WORKFLOWS[name]
            world = World(set(flow.before))
            journal = JournalStore(engine, f"{name}-{failing}")
            end = workflows.start(f"{name}-{failing}", flow.make(world, journal, failing))
            return end, world.stacks

        yield run


def test_both_databases_record_every_workflow(
    ended: Callable[[str, str], tuple[RunEnd, set[str]]],
) -> None:
    """Step 4, item 8: each failure of each workflow, on SQLite and on PostgreSQL."""
    for name, failing in CASES:
        wanted = expected(name, failing)
        assert ended(name, failing) == (wanted.end, set(wanted.stacks)), (name, failing)
