"""The executor: plans queued, run, refused, taken up and rolled back, on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa
from plan_shop import RULES, recommended, shop

from orchestration.agents.endpoints import EndpointRules
from orchestration.agents.model import Registration, TaskResult
from orchestration.agents.registry import AgentRegistry
from orchestration.agents.routing import TaskRouter
from orchestration.coordination.errors import RequestRefused
from orchestration.coordination.identity import Caller
from orchestration.coordination.model import (
    CoordinationRequest,
    CoordinationResponse,
    ExecutionPlan,
    ExecutionStatus,
    Recommendation,
)
from orchestration.coordination.refusals import (
    ApprovalLapsed,
    ContentChanged,
    ExecutorNotAvailable,
    PlanUnavailable,
    RecommendationLapsed,
)
from orchestration.coordination.service import Coordinator, Decision
from orchestration.coordination.storage import audit, plans, tasks
from orchestration.coordination.storage.approvals import Verdict
from orchestration.coordination.storage.database import Database, database_clock
from orchestration.durable.database import opened_database
from orchestration.durable.workflows import Workflows, launched
from orchestration.errors import EnvironmentBusy, StackFailed
from orchestration.execution.agent_steps import AgentSteps
from orchestration.execution.capabilities import Capabilities
from orchestration.execution.executor import PlanExecutor
from orchestration.execution.fakes import FakeDirectory, FakeLive
from orchestration.execution.place import ServerPlace

OPERATOR = Caller("operator-1")
AGENT = Caller("agent-owner")
PATIENCE_S = 30.0


@dataclass
class Clock:
    """The database's clock, moved on by a test."""

    ahead: timedelta = timedelta()

    def __call__(self, connection: sa.Connection) -> datetime:
        """Give the database's time, and what a test has added."""
        return database_clock(connection) + self.ahead


@dataclass
class Server:
    """A coordination engine with what runs its plans, in this process."""

    database: Database
    coordinator: Coordinator
    executor: PlanExecutor
    router: TaskRouter

    def coordinate(
        self, *items: Recommendation, execute_now: bool = False, auto_approve: bool = True
    ) -> CoordinationResponse:
        """Weigh recommendations."""
        request = CoordinationRequest(
            customer_id="cust-1",
            recommendations=items,
            auto_approve=auto_approve,
            execute_now=execute_now,
        )
        with self.database.transaction() as tx:
            return self.coordinator.coordinate(tx, AGENT, request).response

    def planned(self, *items: Recommendation) -> list[str]:
        """Have recommendations approved at once, and give their plans' ids."""
        return [plan.id for plan in self.coordinate(*items).execution_plans or ()]

    def execute(self, plan_id: str) -> None:
        """Ask for a plan to be run."""
        with self.database.transaction() as tx:
            self.coordinator.execute_plan(tx, OPERATOR, plan_id)

    def roll_back(self, plan_id: str) -> None:
        """Ask for a plan to be rolled back."""
        with self.database.transaction() as tx:
            self.coordinator.roll_back_plan(tx, OPERATOR, plan_id)

    def read(self, plan_id: str) -> ExecutionPlan:
        """Read a plan."""
        with self.database.reading() as tx:
            return self.coordinator.find_plan(tx, OPERATOR, plan_id).plan

    def ended(self, plan_id: str) -> ExecutionPlan:
        """Have plans run until this one has ended."""
        return self.until(lambda: self._over(plan_id))

    def until(self, look: Callable[[], ExecutionPlan | None]) -> ExecutionPlan:
        """Have plans run until a look finds what it looks for."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.executor.start_due()
            if (found := look()) is not None:
                return found
            time.sleep(0.02)
        raise TimeoutError

    def _over(self, plan_id: str) -> ExecutionPlan | None:
        with self.database.reading() as tx:
            stored = plans.find(tx, plan_id)
        assert stored is not None
        return None if stored.attempt.wish is not None else stored.plan

    def told(self) -> list[str]:
        """Name what the audit log has of plans."""
        with self.database.reading() as tx:
            entries = audit.list_entries(tx, customer_id=None, after=0, limit=100)
        return [entry.action for entry in entries if entry.action.startswith("plan.")]


@dataclass
class Room:
    """Everything that servers of one test share."""

    url: str
    folder: Path
    live: FakeLive
    clock: Clock
    workflows: Workflows
    engine: sa.Engine

    @contextmanager
    def serving(self, name: str = "one", *, has_environment: bool = True) -> Iterator[Server]:
        """Have a server while the block runs."""
        database = Database.open(self.url, clock=self.clock)
        directory = FakeDirectory(self.live) if has_environment else None
        capabilities = Capabilities(
            environment="shop" if has_environment else "", directory=directory, rules=RULES
        )
        coordinator = Coordinator(RULES, capabilities)
        router = TaskRouter(retry_delay_s=0)
        executor = PlanExecutor(
            database,
            coordinator,
            capabilities,
            AgentSteps(database, router),
            place=ServerPlace.of(capabilities.environment, self.folder / name),
            engine=self.engine,
            workflows=self.workflows,
            seat=self.live if has_environment else None,
        )
        try:
            yield Server(database, coordinator, executor, router)
        finally:
            executor.close()
            database.close()


@pytest.fixture
def room(coordination_url: str, tmp_path: Path) -> Iterator[Room]:
    """A database of either kind with DBOS on it, and the shop in memory."""
    url = coordination_url.replace("postgresql://", "postgresql+psycopg://")
    workflows_url = url if url.startswith("postgresql") else f"sqlite:///{tmp_path / 'w.sqlite'}"
    with opened_database(workflows_url) as engine, launched(engine, "plans-test") as workflows:
        yield Room(coordination_url, tmp_path, FakeLive(shop()), Clock(), workflows, engine)


def test_an_approved_plan_runs_once_and_can_be_rolled_back_once(room: Room) -> None:
    """4.27: neither a running nor an ended plan is started; what it did is undone when asked."""
    before = room.live.deployed
    with room.serving() as server:
        (plan_id,) = server.planned(recommended("scale_down"))
        assert server.read(plan_id).status is ExecutionStatus.PENDING
        server.execute(plan_id)
        with pytest.raises(PlanUnavailable, match="under way"):
            server.execute(plan_id)
        plan = server.ended(plan_id)

        assert (plan.status, plan.queued_at) == (ExecutionStatus.COMPLETED, None)
        assert plan.started_at is not None
        assert plan.completed_at is not None
        assert room.live.deployed["intake"].max_instances == 1
        with pytest.raises(PlanUnavailable, match="is completed"):
            server.execute(plan_id)

        server.roll_back(plan_id)
        assert server.ended(plan_id).status is ExecutionStatus.ROLLED_BACK
        assert room.live.deployed == before
        with pytest.raises(PlanUnavailable, match="nothing is to be undone"):
            server.roll_back(plan_id)
        with pytest.raises(PlanUnavailable, match="is rolled_back"):
            server.execute(plan_id)
        assert server.told() == ["plan.completed", "plan.rolled_back"]


def test_execute_now_runs_what_is_approved_at_once_and_what_is_approved_later(room: Room) -> None:
    """4.23, C8: the last agreement that is missing moves the plan to the queue."""
    with room.serving() as server:
        answer = server.coordinate(
            recommended("scale_down", "shelf"),
            recommended("enable_caching", risk_level="high"),
            execute_now=True,
        )
        (plan,) = answer.execution_plans or ()
        assert plan.queued_at is not None
        assert answer.not_executed is None
        assert server.ended(plan.id).status is ExecutionStatus.COMPLETED

        (asked,) = answer.approvals
        with server.database.transaction() as tx:
            decided = server.coordinator.process_approval(
                tx, Caller("ada"), asked.id, Decision(Verdict.APPROVED, "ada")
            )
        assert decided.plan_id is not None
        assert server.ended(decided.plan_id).status is ExecutionStatus.COMPLETED
        variables = room.live.deployed["intake"].deployment.environment_vars
        assert variables["USE_CACHE"] == "true"


@pytest.mark.parametrize(
    ("fields", "change", "refusal"),
    [
        ({"risk_level": "critical"}, {"ahead": timedelta(hours=5)}, ApprovalLapsed),
        ({}, {"parameters": {"count": 2}}, ContentChanged),
        (
            {"expires_at": "2099-01-01T00:00:00Z"},
            {"ahead": timedelta(days=40_000)},
            RecommendationLapsed,
        ),
    ],
)
def test_what_was_approved_is_looked_at_again_before_it_runs(
    room: Room, fields: dict[str, Any], change: dict[str, Any], refusal: type[Exception]
) -> None:
    """Step 6, item 6: refused when it is asked for too late, and when its turn comes too late."""
    item = recommended("scale_down", **fields)
    with room.serving() as server:
        queued, late = (approved(server, item) for _ in range(2))
        if "parameters" not in change:
            server.execute(queued)
        room.clock.ahead = change.get("ahead", timedelta())
        if "parameters" in change:
            server.coordinate(item.model_copy(update=change), auto_approve=False)
        with pytest.raises(refusal):
            server.execute(late)
        if "parameters" not in change:
            plan = server.ended(queued)
            assert plan.status is ExecutionStatus.FAILED
            assert plan.error is not None
            assert plan.started_at is None
        assert room.live.ups == 0


def approved(server: Server, item: Recommendation) -> str:
    """Have a recommendation approved by as many people as it needs; give its plan's id."""
    answer = server.coordinate(item)
    for asked in answer.approvals:
        for name in ("ada", "bob"):
            with server.database.transaction() as tx:
                decided = server.coordinator.process_approval(
                    tx, Caller(name), asked.id, Decision(Verdict.APPROVED, name)
                )
        assert decided.plan_id is not None
        return decided.plan_id
    (plan,) = answer.execution_plans or ()
    return plan.id


def test_what_lacks_a_parameter_is_refused_when_it_is_recommended(room: Room) -> None:
    """Step 6, item 2: it names the item and what is missing; of other resources agents judge."""
    with room.serving() as server:
        bad = recommended("scale_up", parameters={})
        with pytest.raises(RequestRefused, match=r"'rec-scale_up'.*`count` must be"):
            server.coordinate(bad)
        opaque = bad.model_copy(update={"affected_resources": ("i-1",)})
        assert server.coordinate(opaque).recommendations_kept == 1


def test_plans_on_one_stack_take_turns_and_others_run_beside_them(room: Room) -> None:
    """Two services of one dataflow share a stack; another dataflow does not wait."""
    began: list[str] = []
    go_on = Event()

    def wait(moment: str) -> None:
        if moment.startswith("up "):
            began.append(moment)
            assert go_on.wait(PATIENCE_S)

    room.live.on = wait
    with room.serving() as server:
        ids = server.planned(
            recommended("scale_resources", "intake", priority=3),
            recommended("migrate_to_spot", "billing", priority=2),
            recommended("migrate_to_on_demand", "shelf", priority=1),
        )
        for plan_id in ids:
            server.execute(plan_id)
        server.until(lambda: server.read(ids[2]) if len(began) == 2 else None)
        assert sorted(began) == ["up migrate_to_on_demand", "up scale_resources"]
        assert server.read(ids[1]).status is ExecutionStatus.PENDING
        go_on.set()
        for plan_id in ids:
            assert server.ended(plan_id).status is ExecutionStatus.COMPLETED


def test_dependencies_run_first_and_take_what_needs_them_along(room: Room) -> None:
    """4.32: a plan waits for those before it, and is refused when one of them was rolled back."""

    def fail(moment: str) -> None:
        if moment == "up scale_resources":
            raise StackFailed("no capacity")

    room.live.on = fail
    first = recommended("scale_resources", "shelf")
    second = recommended("enable_caching", dependencies=[first.id])
    with room.serving() as server:
        ids = {
            plan.recommendation_id: plan.id
            for plan in server.coordinate(first, second).execution_plans or ()
        }
        with pytest.raises(PlanUnavailable, match="comes after plan"):
            server.execute(ids[second.id])
        server.execute(ids[first.id])
        server.execute(ids[second.id])
        assert server.ended(ids[first.id]).status is ExecutionStatus.ROLLED_BACK
        refused = server.ended(ids[second.id])
        assert refused.status is ExecutionStatus.FAILED
        assert refused.error == f"plan {ids[first.id]} before it is rolled_back"


def test_a_stuck_plan_is_told_of_and_goes_on_when_asked(room: Room) -> None:
    """An undo that fails leaves the plan stuck; rolling it back again ends it."""
    broken = True

    def fail(moment: str) -> None:
        if moment == "up migrate_workload" or (broken and moment == "up undo:scale_resources"):
            raise StackFailed("no capacity")

    room.live.on = fail
    before = room.live.deployed
    with room.serving() as server:
        (plan_id,) = server.planned(recommended("optimize_workload"))
        server.execute(plan_id)
        plan = server.ended(plan_id)
        assert plan.stuck == (plan.steps[1].id,)
        broken = False
        server.roll_back(plan_id)
        plan = server.ended(plan_id)
        assert (plan.status, plan.stuck) == (ExecutionStatus.ROLLED_BACK, None)
        assert server.told() == ["plan.stuck", "plan.rolled_back"]
    assert room.live.deployed == before


def test_a_busy_environment_makes_plans_wait(room: Room) -> None:
    """The lease decides: while `conductor up` runs, the plan says what it waits for."""
    is_busy = True

    def refuse(moment: str) -> None:
        if moment == "take" and is_busy:
            raise EnvironmentBusy("environment 'shop' is busy: `conductor up` (pid 1, for 3 s)")

    room.live.on = refuse
    with room.serving() as server:
        (plan_id,) = server.planned(recommended("scale_down"))
        server.execute(plan_id)
        waits = server.until(lambda: p if (p := server.read(plan_id)).waiting_for else None)
        assert waits.waiting_for == "environment 'shop' is busy: `conductor up`"
        assert waits.status is ExecutionStatus.PENDING
        is_busy = False
        plan = server.ended(plan_id)
        assert (plan.status, plan.waiting_for) == (ExecutionStatus.COMPLETED, None)


def test_of_two_servers_one_runs_plans_and_the_other_takes_over(room: Room) -> None:
    """A plan that its server left in between is gone on with where it was; nothing runs twice."""
    reached, go_on = Event(), Event()

    def wait(moment: str) -> None:
        if moment == "up migrate_workload":
            reached.set()
            assert go_on.wait(PATIENCE_S)

    room.live.on = wait
    with room.serving("two") as second:
        with room.serving("one") as first:
            (plan_id,) = first.planned(recommended("migrate_to_spot"))
            first.execute(plan_id)
            first.executor.start_due()
            assert reached.wait(PATIENCE_S)
            second.executor.start_due()
            assert room.live.ups == 0
            # The first one is told to end in the middle of the second step.
            first.executor.stop()
            go_on.set()
        left = second.read(plan_id)
        assert left.status is ExecutionStatus.RUNNING
        assert left.steps[1].status is ExecutionStatus.COMPLETED
        plan = second.ended(plan_id)
    assert plan.status is ExecutionStatus.COMPLETED
    assert room.live.ups == 1
    assert [step.status for step in plan.steps] == [ExecutionStatus.COMPLETED] * 3


def test_what_is_not_ours_goes_to_agents_with_its_undo(room: Room) -> None:
    """Step 6, item 3: a task for each step; the undo gets the result, and nobody is nobody."""
    item = recommended("right_size").model_copy(update={"affected_resources": ("i-1",)})
    with room.serving(has_environment=False) as server:
        (refused,) = server.planned(
            recommended("scale_down").model_copy(update={"affected_resources": ("i-1",)})
        )
        with pytest.raises(ExecutorNotAvailable, match="nobody here can do scale_resources"):
            server.execute(refused)

        with server.database.transaction() as tx:
            AgentRegistry(EndpointRules()).register(
                tx,
                AGENT,
                Registration(
                    name="cost-agent-1",
                    type="cost",
                    host="127.0.0.1",
                    port=9,
                    capabilities=("right_size", "undo:right_size"),
                ),
            )
        (plan_id,) = server.planned(item)
        server.execute(plan_id)
        done = answered(server, plan_id, {"size": "small"})
        assert done.status is ExecutionStatus.COMPLETED
        assert done.steps[0].result == {"size": "small"}

        server.roll_back(plan_id)
        assert answered(server, plan_id, {}).status is ExecutionStatus.ROLLED_BACK
        with server.database.reading() as tx:
            sent = [
                task
                for _, task in tasks.list_page(tx, customer_id=None, status=None, after=0, limit=9)
            ]
    assert [task.task_type for task in sent] == ["right_size", "undo:right_size"]
    assert sent[0].parameters["affected_resources"] == ["i-1"]
    assert sent[1].parameters["result"] == {"size": "small"}


def answered(server: Server, plan_id: str, result: dict[str, Any]) -> ExecutionPlan:
    """Answer the tasks of a plan as an agent does, until the plan has ended."""

    def look() -> ExecutionPlan | None:
        with server.database.transaction() as tx:
            for task, _ in server.router.begin_due(tx, limit=9):
                sent = tasks.find(tx, task.task_id)
                assert sent is not None
                answer = TaskResult.model_validate({"status": "completed", "result": result})
                assert tasks.finish(tx, sent.task, answer)
        return server._over(plan_id)

    return server.until(look)
