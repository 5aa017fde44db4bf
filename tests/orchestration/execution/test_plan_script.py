"""Plans of every template: failures, deaths and repetitions at each of their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pytest
from mortality import Deaths, Died, Memory, MemoryJournal
from plan_shop import RULES, recommended, shop

from orchestration.coordination.model import ExecutionPlan, ExecutionStatus, UndoStatus
from orchestration.coordination.plans import make_plan
from orchestration.durable.workflows import RunEnd, Script, go_through
from orchestration.errors import StackFailed
from orchestration.execution import progress
from orchestration.execution.actions.action import Measurement
from orchestration.execution.actions.table import ACTIONS
from orchestration.execution.fakes import FakeLive
from orchestration.execution.performing import BuiltInPerformer
from orchestration.execution.script import PlanRollback, PlanScript, first_open_step, is_failing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PLANS = sorted({*ACTIONS, *RULES.templates})


def plan_of(action: str) -> ExecutionPlan:
    """Make the plan of a recommended action."""
    return make_plan(
        recommended(action), plan_id=f"plan-{action}", now=NOON, rules=RULES, known_actions=()
    )


def steps_of(action: str) -> list[str]:
    """Name the steps of an action's plan."""
    return [step.action for step in plan_of(action).steps]


CASES = [
    (action, failing) for action in PLANS for failing in ("", *dict.fromkeys(steps_of(action)))
]


@dataclass
class Shelf:
    """Keeps a plan's document; the process may die before and after each change."""

    plan: ExecutionPlan
    deaths: Deaths = field(default_factory=Deaths)

    def read(self) -> ExecutionPlan:
        """Give the plan."""
        return self.plan

    def note(self, change: progress.Change) -> ExecutionPlan:
        """Change the plan."""
        self.deaths.moment()
        self.plan = change(self.plan, NOON)
        self.deaths.moment()
        return self.plan


@dataclass
class World:
    """An environment and a plan in it; both survive the processes that work on them."""

    action: str
    failing: str = ""
    cannot_undo: str = ""
    deaths: Deaths = field(default_factory=Deaths)
    is_twice: bool = False

    def __post_init__(self) -> None:
        """Put the shop there, with a plan that nobody has begun."""
        self.live = FakeLive(shop(), on=self.happen)
        self.shelf = Shelf(plan_of(self.action), self.deaths)
        self.journal = MemoryJournal(self.deaths)
        self.memory = Memory(self.deaths, is_twice=self.is_twice)
        if self.failing == "validate_quality":
            self.live.measured = Measurement(20, 20, 5.0)

    def happen(self, moment: str) -> None:
        """Fail what is to fail; the process may die here."""
        self.deaths.moment()
        is_snapshot = self.failing == "take_snapshot" and moment == "snapshot"
        if is_snapshot or moment == f"up {self.failing}":
            raise StackFailed(f"{self.failing} failed")
        if moment == f"up undo:{self.cannot_undo}":
            raise StackFailed(f"{self.cannot_undo} cannot be undone")

    def script(
        self,
        *,
        first_step: int = 0,
        stopping: Callable[[], bool] = bool,
        journal: MemoryJournal | None = None,
    ) -> PlanScript:
        """Make the plan's script, as a new process does."""
        return PlanScript(
            "run-1",
            BuiltInPerformer(self.live),
            self.shelf,
            journal or self.journal,
            first_step=first_step,
            is_stopping=stopping,
        )

    def run(self) -> RunEnd:
        """Run the plan to its end, through a death if there is one, and close it."""
        try:
            end = go_through(self.script(), self.memory.runner())
        except Died:
            end = go_through(self.script(), self.memory.runner())
        is_done = end is RunEnd.SUCCEEDED
        self.shelf.plan = (progress.completed if is_done else progress.rolled_back)(
            self.shelf.plan, NOON
        )
        return end

    def run_by_two(self) -> None:
        """Run the plan through a death, after which another server goes on with what is open."""
        try:
            end = go_through(self.script(), self.memory.runner())
        except Died:
            plan = self.shelf.plan
            performer, journal = BuiltInPerformer(self.live), MemoryJournal(self.deaths)
            again: Script = (
                PlanRollback("run-2", performer, self.shelf, journal)
                if is_failing(plan)
                else self.script(first_step=first_open_step(plan), journal=journal)
            )
            end = go_through(again, Memory(self.deaths).runner())
            if is_failing(plan):
                end = RunEnd.ROLLED_BACK
        is_done = end is RunEnd.SUCCEEDED
        change = progress.completed if is_done else progress.rolled_back
        self.shelf.plan = change(self.shelf.plan, NOON)

    def outcome(self) -> tuple[object, ...]:
        """Say all that is to be the same whatever happened on the way."""
        plan = self.shelf.plan
        return (
            plan.status,
            plan.stuck,
            [(step.status, step.undo) for step in plan.steps],
            self.live.deployed,
            {place: entry.value for place, entry in self.live.recorded.effective().items()},
            self.live.snapshots,
        )


def is_critical(action: str, failing: str) -> bool:
    """Say whether a plan ends where that step fails."""
    return any(step.critical for step in plan_of(action).steps if step.action == failing)


@pytest.mark.parametrize(("action", "failing"), CASES)
def test_a_failure_at_each_step_leaves_what_was_before(action: str, failing: str) -> None:
    """4.28, 4.29: a critical failure takes all back but snapshots, another one only itself."""
    world = World(action, failing)
    before = world.live.deployed
    world.run()

    plan = world.shelf.plan
    if not failing or not is_critical(action, failing):
        assert plan.status is ExecutionStatus.COMPLETED
        failed = [step.action for step in plan.steps if step.status is ExecutionStatus.FAILED]
        assert failed == ([failing] if failing else [])
        return
    assert (plan.status, plan.stuck) == (ExecutionStatus.ROLLED_BACK, None)
    assert plan.rolled_back_at is not None
    assert plan.error is not None
    assert world.live.deployed == before
    assert world.live.recorded.effective() == {}
    failed_at = next(n for n, step in enumerate(plan.steps) if step.error)
    for place, step in enumerate(plan.steps):
        if step.action == "take_snapshot" and place < failed_at:
            assert (step.status, step.undo) == (ExecutionStatus.COMPLETED, UndoStatus.KEPT)
            assert step.id in world.live.snapshots
        elif place > failed_at:
            assert (step.status, step.undo) == (ExecutionStatus.PENDING, None)
        elif step.reversible and not step.retain_on_rollback:
            assert step.undo is UndoStatus.UNDONE


@pytest.mark.parametrize(("action", "failing"), CASES)
def test_every_step_and_every_undo_may_be_done_twice(action: str, failing: str) -> None:
    """A step whose result was lost is done again: the end is the same."""
    once, twice = World(action, failing), World(action, failing, is_twice=True)
    once.run()
    twice.run()
    assert twice.outcome() == once.outcome()


@pytest.mark.parametrize(("action", "failing"), CASES)
def test_a_death_at_any_moment_changes_nothing_of_the_end(action: str, failing: str) -> None:
    """Kill -9 before and after everything that is recorded, deployed or written down."""
    wanted = World(action, failing)
    wanted.run()
    moments = wanted.deaths.seen
    assert moments >= 8
    for die_at in range(1, moments + 1):
        world = World(action, failing, deaths=Deaths(die_at))
        world.run()
        assert world.outcome() == wanted.outcome(), f"died at moment {die_at} of {moments}"


@pytest.mark.parametrize(("action", "failing"), CASES)
def test_another_server_brings_a_plan_to_the_same_end(action: str, failing: str) -> None:
    """After a death at any moment what is open is done, or all undone, as it would have been."""
    wanted = World(action, failing)
    wanted.run()
    for die_at in range(1, wanted.deaths.seen + 1):
        world = World(action, failing, deaths=Deaths(die_at))
        world.run_by_two()
        assert world.outcome() == wanted.outcome(), f"died at moment {die_at}"


def test_scenario_3_of_document_004_undoes_the_scaling_and_keeps_the_snapshot() -> None:
    """4.30: snapshot, scale, then a migration that fails."""
    world = World("optimize_workload", "migrate_workload")
    world.run()

    told = [(step.action, step.status, step.undo) for step in world.shelf.plan.steps]
    assert told == [
        ("take_snapshot", ExecutionStatus.COMPLETED, UndoStatus.KEPT),
        ("scale_resources", ExecutionStatus.ROLLED_BACK, UndoStatus.UNDONE),
        ("migrate_workload", ExecutionStatus.FAILED, UndoStatus.UNDONE),
        ("validate_quality", ExecutionStatus.PENDING, None),
    ]
    assert len(world.live.snapshots) == 1
    error = world.shelf.plan.error
    assert error == "step migrate_workload failed: migrate_workload failed"


def test_an_undo_that_fails_leaves_the_plan_stuck_and_the_others_undone() -> None:
    """O17: the report names the step; rolling back again goes on there, and only there."""
    world = World("optimize_workload", "migrate_workload", cannot_undo="scale_resources")
    before = world.live.deployed
    assert world.run() is RunEnd.STUCK

    plan = world.shelf.plan
    scaling = plan.steps[1]
    assert (plan.status, plan.stuck) == (ExecutionStatus.FAILED, (scaling.id,))
    assert (scaling.undo, scaling.undo_error) == (
        UndoStatus.FAILED,
        "stack-failed: scale_resources cannot be undone",
    )
    assert plan.steps[2].undo is UndoStatus.UNDONE

    world.cannot_undo = ""
    ups = world.live.ups
    rollback = PlanRollback(
        "run-2", BuiltInPerformer(world.live), world.shelf, MemoryJournal(world.deaths)
    )
    assert go_through(rollback, Memory(world.deaths).runner()) is RunEnd.SUCCEEDED
    after = progress.rolled_back(world.shelf.plan, NOON)
    assert (after.status, after.stuck) == (ExecutionStatus.ROLLED_BACK, None)
    assert world.live.ups == ups + 1
    assert world.live.deployed == before


@pytest.mark.parametrize("action", [action for action in PLANS if len(steps_of(action)) > 1])
def test_a_server_that_ends_leaves_the_rest_for_the_next_one(action: str) -> None:
    """Between steps a plan stops; another attempt goes on at the first step that is open."""
    for stop_after in range(1, len(steps_of(action)) + 1):
        world = World(action)
        asked = iter([False] * stop_after + [True] * 9)
        end = go_through(world.script(stopping=partial(next, asked)), world.memory.runner())
        assert end is RunEnd.INTERRUPTED
        assert not is_failing(world.shelf.plan)

        first = first_open_step(world.shelf.plan)
        assert first == stop_after - 1
        again = go_through(world.script(first_step=first), Memory(world.deaths).runner())
        assert again is RunEnd.SUCCEEDED
        wanted = World(action)
        wanted.run()
        world.shelf.plan = progress.completed(world.shelf.plan, NOON)
        assert world.outcome() == wanted.outcome()


def test_what_was_measured_before_is_measured_once() -> None:
    """A later attempt compares with how things were before anything was changed."""
    world = World("scale_down")
    world.run()
    known = progress.before(world.shelf.plan)
    assert known == Measurement(20, 0, 12.0)
    world.live.measured = Measurement(20, 0, 99.0)
    world.script().do("measure")
    assert progress.before(world.shelf.plan) == known
