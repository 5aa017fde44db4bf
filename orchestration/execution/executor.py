"""Runs the plans that are queued: a few at once, those of one stack one after the other.

Each plan is a durable workflow. Which server runs them is decided by a lease; whoever gets it also
goes on with the plans of one that has died. Plans that change an environment run while the server
holds that, too: a `conductor up` in it makes them wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

import sqlalchemy as sa
import structlog

from orchestration.coordination.executing import Executing
from orchestration.coordination.identity import Caller
from orchestration.coordination.model import ExecutionPlan, ExecutionStatus
from orchestration.coordination.storage import plans
from orchestration.coordination.storage.database import Database, Transaction
from orchestration.coordination.storage.plans import Attempt, StoredPlan, Wish
from orchestration.coordination.telling import notify, record
from orchestration.durable.journal_store import JournalStore
from orchestration.durable.lease import Fenced, Lease, held_lease
from orchestration.durable.workflows import RunEnd, Runs, Script
from orchestration.environments import locked_folder
from orchestration.errors import ConductorError, EnvironmentBusy
from orchestration.execution import progress
from orchestration.execution.actions.action import Live
from orchestration.execution.agent_steps import AgentSteps
from orchestration.execution.capabilities import Capabilities
from orchestration.execution.performing import AgentPerformer, BuiltInPerformer
from orchestration.execution.place import ServerPlace
from orchestration.execution.script import (
    Performer,
    PlanRollback,
    PlanScript,
    first_open_step,
    is_failing,
)

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 4
SELF = Caller("conductor")


@dataclass(frozen=True, slots=True)
class _Turn:
    """A plan whose turn has come, what must not be touched by two, and whether it is taken up."""

    stored: StoredPlan
    keys: frozenset[str]
    needs_environment: bool
    is_taken_up: bool


class Seat(Protocol):
    """The environment that plans change, held while one of them runs."""

    def take(self) -> Live:
        """Hold it for one more plan.

        Raises:
            ConductorError: somebody else holds it, or it cannot be used now.
        """
        ...

    def leave(self) -> None:
        """Hold it for one plan less."""
        ...


class PlanExecutor:
    """Looks for queued plans, and runs them in threads of its own."""

    def __init__(
        self,
        database: Database,
        coordinator: Executing,
        capabilities: Capabilities,
        agents: AgentSteps,
        *,
        place: ServerPlace,
        engine: sa.Engine,
        workflows: Runs,
        seat: Seat | None,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._database = database
        self._coordinator = coordinator
        self._capabilities = capabilities
        self._agents = agents
        self._place = place
        self._engine = engine
        self._workflows = workflows
        self._seat = seat
        self._most_at_once = most_at_once
        self._pool = ThreadPoolExecutor(most_at_once, thread_name_prefix="plan")
        self._in_flight: dict[str, frozenset[str]] = {}
        self._stopping = threading.Event()
        self._held = ExitStack()
        self._lease: Lease | None = None
        self._wake: Callable[[], None] = lambda: None

    def announce_to(self, *, plans: Callable[[], None], tasks: Callable[[], None]) -> None:
        """Have `plans` called when another plan's turn may have come, `tasks` for a new task."""
        self._wake = plans
        self._agents.announce_to(tasks)

    def start_due(self) -> None:
        """Begin every plan whose turn has come, as far as there is room."""
        if self._stopping.is_set():
            return
        with self._database.reading() as tx:
            waiting = plans.wished(tx, self._capabilities.environment)
        if not waiting or not self._holds_lease():
            return
        for stored in waiting:
            if len(self._in_flight) >= self._most_at_once:
                return
            if stored.plan.id not in self._in_flight and self._is_as_it_was(stored):
                self._start(stored)

    def stop(self) -> None:
        """Begin nothing any more, neither plans nor steps."""
        self._stopping.set()
        self._agents.stop()

    def close(self) -> None:
        """End: steps that are under way are finished, the rest is left for the next server."""
        self.stop()
        self._pool.shutdown(wait=True)
        self._held.close()

    def _is_as_it_was(self, stored: StoredPlan) -> bool:
        """Say whether there is still the same to do: a plan may have ended since it was read."""
        return self._find(stored.plan.id).attempt == stored.attempt

    def _find(self, plan_id: str) -> StoredPlan:
        with self._database.reading() as tx:
            stored = plans.find(tx, plan_id)
        assert stored is not None, "plans are never deleted"
        return stored

    def _holds_lease(self) -> bool:
        """Say whether this server is the one that runs plans; becomes it if nobody is."""
        try:
            if self._lease is not None:
                self._lease.require()
                return True
            with ExitStack() as opening:
                doing = "conductor serve"
                opening.enter_context(locked_folder(self._place.folder, self._place.name, doing))
                self._lease = opening.enter_context(held_lease(self._engine, self._place, doing))
                self._held = opening.pop_all()
        except Fenced:
            log.warning("execution_lost")
            self._lease = None
            self._held.close()
            return False
        except EnvironmentBusy:
            # Another server runs them.
            return False
        return True

    def _is_holding(self) -> bool:
        try:
            if self._lease is not None:
                self._lease.require()
                return True
        except Fenced:
            pass
        return False

    def _start(self, stored: StoredPlan) -> None:
        plan = stored.plan
        if plan.status is ExecutionStatus.RUNNING:
            # Whoever ran it has died, or has left it: what is open goes on as another workflow.
            # DBOS's own resuming goes through a queue, from which a server without the lease of
            # this database might take it.
            self._renew_attempt(plan.id)
            stored = self._find(plan.id)
        turn = self._turn_of(stored)
        if any(turn.keys & keys for keys in self._in_flight.values()):
            return
        is_new = not turn.is_taken_up and stored.attempt.wish is Wish.EXECUTE
        if is_new and (reason := self._wait_for(stored)):
            self._note_waiting(plan, reason)
            return
        performer: Performer = AgentPerformer(self._agents)
        if turn.needs_environment:
            assert self._seat is not None, "only plans on services of ours need one"
            try:
                performer = BuiltInPerformer(self._seat.take())
            except ConductorError as error:
                # Busy, unsettled or away: it may be otherwise in a moment. How long it has been
                # so would be another text every second.
                self._note_waiting(plan, error.message.partition(" (pid")[0])
                return
        self._in_flight[plan.id] = turn.keys
        self._pool.submit(self._run, turn, performer)

    def _turn_of(self, stored: StoredPlan) -> _Turn:
        resources = (stored.plan.metadata or {}).get("resources")
        names = [r for r in resources if isinstance(r, str)] if isinstance(resources, list) else []
        ours = self._capabilities.stacks_of(stored.plan)
        return _Turn(
            stored,
            keys=frozenset({*names, *(ours or ())}),
            needs_environment=ours is not None,
            is_taken_up=stored.plan.status is ExecutionStatus.RUNNING,
        )

    def _wait_for(self, stored: StoredPlan) -> str:
        """Say what a plan has to wait for; one that may not run any more is closed."""
        with self._database.transaction() as tx:
            fresh = plans.find(tx, stored.plan.id, to_change=True)
            if fresh is None or fresh.attempt.wish is None:
                return "its end"
            try:
                self._coordinator.require_valid(tx, fresh)
            except ConductorError as error:
                self._close(tx, fresh, progress.refused(f"{error.code}: {error.message}"))
                return error.message
            for other in self._coordinator.plans_before(tx, fresh):
                match other.plan.status:
                    case ExecutionStatus.COMPLETED:
                        continue
                    case ExecutionStatus.FAILED | ExecutionStatus.ROLLED_BACK:
                        reason = f"plan {other.plan.id} before it is {other.plan.status.value}"
                        self._close(tx, fresh, progress.refused(reason))
                        return reason
                    case _:
                        return f"plan {other.plan.id} before it"
        return ""

    def _note_waiting(self, plan: ExecutionPlan, reason: str) -> None:
        with self._database.transaction() as tx:
            fresh = plans.find(tx, plan.id, to_change=True)
            is_waiting = fresh is not None and fresh.attempt.wish is not None
            if fresh is not None and is_waiting and fresh.plan.waiting_for != reason:
                plans.save(tx, progress.waiting(reason)(fresh.plan, tx.now))

    def _run(self, turn: _Turn, performer: Performer) -> None:
        plan_id = turn.stored.plan.id
        try:
            self._bring_to_end(turn, performer)
        except Fenced as error:
            log.warning("plan_left", plan_id=plan_id, error=error.message)
            if self._is_holding():
                # Only the environment is somebody else's now; the plan is still ours to go on with.
                self._renew_attempt(plan_id)
        except Exception:
            # It is still queued: the next round makes another attempt.
            log.exception("plan_interrupted", plan_id=plan_id)
            self._renew_attempt(plan_id)
        finally:
            if turn.needs_environment and self._seat is not None:
                self._seat.leave()
            self._in_flight.pop(plan_id, None)
            self._wake()

    def _bring_to_end(self, turn: _Turn, performer: Performer) -> None:
        plan_id, attempt = turn.stored.plan.id, turn.stored.attempt
        ledger = PlanLedger(self._database, plan_id)
        run_id = f"{plan_id}/{attempt.number}"
        assert self._lease is not None, "plans are begun under the lease"
        journal = JournalStore(self._engine, self._place.name, self._lease)
        script: Script
        if attempt.wish is Wish.ROLL_BACK:
            script = PlanRollback(run_id, performer, ledger, journal)
        else:
            script = PlanScript(
                run_id,
                performer,
                ledger,
                journal,
                first_step=attempt.first_step,
                is_stopping=self._stopping.is_set,
            )
        ledger.note(progress.begun)
        event = "plan_taken_up" if turn.is_taken_up else "plan_started"
        log.info(event, plan_id=plan_id, attempt=attempt.number)
        end = self._workflows.start(run_id, script)
        # What follows is written beside the journal: whoever was overtaken leaves it alone.
        self._lease.require()
        if end is RunEnd.INTERRUPTED:
            self._renew_attempt(plan_id)
            return
        is_done = end is RunEnd.SUCCEEDED and attempt.wish is Wish.EXECUTE
        with self._database.transaction() as tx:
            stored = plans.find(tx, plan_id, to_change=True)
            assert stored is not None, "plans are never deleted"
            self._close(tx, stored, progress.completed if is_done else progress.rolled_back)

    def _renew_attempt(self, plan_id: str) -> None:
        """Have a plan that was left in between gone on with, as a workflow of its own."""
        with self._database.transaction() as tx:
            stored = plans.find(tx, plan_id, to_change=True)
            if stored is None or stored.attempt.wish is None:
                return
            plan = stored.plan
            again = replace(
                stored.attempt,
                wish=Wish.ROLL_BACK if is_failing(plan) else stored.attempt.wish,
                number=stored.attempt.number + 1,
                first_step=first_open_step(plan),
            )
            plans.keep_attempt(tx, plan_id, again)

    def _close(self, tx: Transaction, stored: StoredPlan, change: progress.Change) -> None:
        """Keep how a plan ended, and tell the customer."""
        plan = change(stored.plan, tx.now)
        plans.save(tx, plan)
        plans.keep_attempt(tx, plan.id, Attempt(number=stored.attempt.number))
        event = "plan.stuck" if plan.stuck else f"plan.{plan.status.value}"
        undone = [step.action for step in plan.steps if step.undo is not None]
        notify(
            tx,
            plan.customer_id,
            event,
            plan.recommendation_id,
            plan_id=plan.id,
            error=plan.error,
            rolled_back=", ".join(reversed(undone)) or None,
            stuck=", ".join(plan.stuck) if plan.stuck else None,
        )
        detail = {"status": plan.status.value, "error": plan.error or ""}
        record(tx, SELF, event, (plan.id, plan.customer_id), detail)
        log.info("plan_ended", plan_id=plan.id, status=plan.status.value, error=plan.error)


class PlanLedger:
    """A plan's document in the database; only the one that runs the plan writes it."""

    def __init__(self, database: Database, plan_id: str) -> None:
        self._database = database
        self._plan_id = plan_id

    def read(self) -> ExecutionPlan:
        """Read the plan as it is now."""
        with self._database.reading() as tx:
            return self._find(tx).plan

    def note(self, change: progress.Change) -> ExecutionPlan:
        """Change it, and give it as it is then."""
        with self._database.transaction() as tx:
            plan = change(self._find(tx).plan, tx.now)
            plans.save(tx, plan)
            return plan

    def _find(self, tx: Transaction) -> StoredPlan:
        stored = plans.find(tx, self._plan_id)
        assert stored is not None, "plans are never deleted"
        return stored
