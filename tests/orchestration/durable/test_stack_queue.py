"""Operations on stacks through the workers' queue, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestration.automation.orders import StackOrder, StackVerb
from orchestration.automation.results import EventKind, OnStackEvent, StackEvent, StackResult
from orchestration.durable import stack_queue as module
from orchestration.durable.database import operation_event_table, operation_taking_table
from orchestration.durable.lease import Lease, LeaseTerms, take_lease
from orchestration.durable.queue import Duties, working
from orchestration.durable.stack_queue import (
    CarryOut,
    QueuedHands,
    StackTask,
    dbos_client,
    patiently,
    stack_queue,
)
from orchestration.environments import Environment
from orchestration.errors import CloudUnreachable, ConductorError, StackFailed, StackLocked
from orchestration.settings import Settings

TERMS = LeaseTerms(length_s=600)
ORDER = StackOrder(verb=StackVerb.UP, stack="dev.images", continue_on_error=True)
DONE = StackResult("dev.images", {"images": {"cart": "cart@sha256:1"}}, {"create": 2}, 1.5)
CREATED = StackEvent("dev.images", EventKind.FINISHED, "create", "urn:1", "docker:Image", "cart")


class Worker:
    """A worker that does operations as it is told, and the hands of a run beside it."""

    def __init__(self, engine: sa.Engine, lease: Lease, folder: Path) -> None:
        self.tasks: list[StackTask] = []
        self.carry_out: CarryOut = lambda _task, _guard, _tell: DONE
        self.queue = stack_queue(folder)
        self.engine = engine
        self.generation = lease.generation

    def duties(self) -> Duties:
        """Say what it does; it never takes a run."""
        return Duties(lambda *_: pytest.fail("a run"), self._carry_out, self.queue, 2)

    def hands(self, generation: int | None = None) -> QueuedHands:
        """Give the hands of a run."""
        return QueuedHands(
            self.engine,
            self.queue,
            environment="dev",
            run_id="run-1",
            generation=generation or self.generation,
            engine="embedded",
        )

    def _carry_out(
        self, task: StackTask, guard: Callable[[], None], on_event: OnStackEvent
    ) -> StackResult:
        self.tasks.append(task)
        return self.carry_out(task, guard, on_event)


@pytest.fixture
def worker(engine: sa.Engine, tmp_path: Path) -> Iterator[Worker]:
    """A worker that is at work, in an environment that is held."""
    lease = take_lease(engine, Environment("dev", Settings(tmp_path)), "up", TERMS)
    made = Worker(engine, lease, tmp_path)
    with working(engine, made.duties(), TERMS):
        yield made


def test_an_operation_tells_its_progress_and_its_result(worker: Worker) -> None:
    """Step 4, item 2: as if it had been done here; nothing of it stays behind."""

    def carry_out(_task: StackTask, guard: Callable[[], None], tell: OnStackEvent) -> StackResult:
        guard()
        tell(CREATED)
        return DONE

    worker.carry_out = carry_out
    heard: list[StackEvent] = []
    assert worker.hands().carry_out(ORDER, heard.append) == DONE
    assert heard == [CREATED]
    (task,) = worker.tasks
    assert (task.order, task.environment, task.run_id) == (ORDER, "dev", "run-1")
    with worker.engine.connect() as connection:
        for table in (operation_event_table, operation_taking_table):
            assert connection.execute(sa.select(table)).all() == []


def test_several_operations_go_on_side_by_side(worker: Worker) -> None:
    """The threads of one run wait for their own."""
    worker.carry_out = lambda task, _guard, _tell: StackResult(task.order.stack, {}, {}, 0.0)
    orders = [ORDER.model_copy(update={"stack": f"dev.services.s{n}"}) for n in range(5)]
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(lambda order: worker.hands().carry_out(order, pytest.fail), orders))
    assert [result.stack for result in done] == [order.stack for order in orders]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (StackFailed("2 errors", stack="s", failures={"cart": "no"}), StackFailed, "2 errors"),
        (CloudUnreachable("no answer"), CloudUnreachable, "no answer"),
        (ConductorError("odd"), StackFailed, "odd \\[error\\]"),
        (ZeroDivisionError("by zero"), StackFailed, "dev.images: ZeroDivisionError: by zero"),
    ],
    ids=["stack", "cloud", "other", "defect"],
)
def test_a_failure_is_the_one_that_it_would_be_here(
    worker: Worker, error: Exception, kind: type[ConductorError], message: str
) -> None:
    """Callers tell failures apart by their kind, and images by what failed in each."""

    def carry_out(*_arguments: object) -> StackResult:
        raise error

    worker.carry_out = carry_out
    with pytest.raises(kind, match=message) as caught:
        worker.hands().carry_out(ORDER, pytest.fail)
    if isinstance(error, StackFailed):
        assert isinstance(caught.value, StackFailed)
        assert (caught.value.stack, caught.value.failures) == ("s", {"cart": "no"})


def test_an_order_of_whoever_was_overtaken_touches_nothing(worker: Worker) -> None:
    """Fault case 11: the generation of the order is not the one that holds the environment."""
    with pytest.raises(StackFailed, match=r"not held under generation .* \[fenced\]"):
        worker.hands(worker.generation - 1).carry_out(ORDER, pytest.fail)
    assert worker.tasks == []


def test_an_operation_that_another_has_taken_over_is_not_touched(
    worker: Worker, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    """Fault case 11: a paused worker wakes up, and leaves the stack to whoever has it now."""
    touched: list[int] = []

    def carry_out(_task: StackTask, guard: Callable[[], None], _tell: OnStackEvent) -> StackResult:
        number = len(worker.tasks)
        if number == 1:
            # While it sleeps, the others take it for dead, and one of them takes the operation.
            with dbos_client(worker.engine) as client:
                (mine,) = client.list_workflows(queue_name=worker.queue)
                client.resume_workflow(mine.workflow_id, queue_name=worker.queue)
            wait_until(lambda: touched)
        guard()
        touched.append(number)
        return DONE

    worker.carry_out = carry_out
    assert worker.hands().carry_out(ORDER, pytest.fail) == DONE
    assert touched == [2]


def test_a_lock_of_an_earlier_attempt_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever holds the stack's lock began before the run was taken over, and ends by itself."""
    monkeypatch.setattr(module, "LOCK_LOOK_S", 0.01)
    looks = iter([StackLocked("locked", stack="s"), StackLocked("locked", stack="s"), None])

    def work() -> StackResult:
        if (error := next(looks)) is not None:
            raise error
        return DONE

    assert patiently(work) == DONE
    monkeypatch.setattr(module, "LOCK_PATIENCE_S", -1.0)
    looks = iter([StackLocked("locked", stack="s")])
    with pytest.raises(StackLocked):
        patiently(work)
