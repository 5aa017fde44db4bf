"""Puts the parts together that run plans: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.agents.routing import TaskRouter
from orchestration.automation.engines import EngineName
from orchestration.conductor.assembly import stack_operations
from orchestration.coordination.executing import Executing
from orchestration.coordination.rules import Rules
from orchestration.coordination.storage.database import Database
from orchestration.durable.database import database_url, opened_database
from orchestration.durable.workflows import launched
from orchestration.environments import Environment
from orchestration.execution.agent_steps import AgentSteps
from orchestration.execution.capabilities import Capabilities
from orchestration.execution.executor import PlanExecutor
from orchestration.execution.place import ServerPlace
from orchestration.execution.seat import EnvironmentSeat
from orchestration.execution.services import ServiceDirectory
from orchestration.targets.target import Target

WORKFLOWS_FILE = "plans.sqlite"


@dataclass(frozen=True, slots=True)
class ActingOn:
    """What a server's plans may act on besides agents."""

    environment: Environment
    target: Target
    engine: EngineName = EngineName.AUTO


def capabilities_of(
    acting_on: ActingOn | None, customer_id: str | None, rules: Rules
) -> Capabilities:
    """Say what can be done by a server."""
    if acting_on is None:
        return Capabilities(customer_id=customer_id, rules=rules)
    return Capabilities(
        environment=acting_on.environment.name,
        directory=ServiceDirectory(acting_on.environment),
        customer_id=customer_id,
        rules=rules,
    )


@contextmanager
def opened_executor(
    coordinator: Executing,
    router: TaskRouter,
    capabilities: Capabilities,
    acting_on: ActingOn | None,
    *,
    database: Database,
    folder: Path,
    url: str | None,
) -> Iterator[PlanExecutor]:
    """Have plans run while the block does; what is under way is finished at its end.

    Args:
        coordinator: knows what must hold when a plan is begun.
        router: gives tasks to agents.
        capabilities: who can do what.
        acting_on: the environment whose services plans may change.
        database: the coordination engine's.
        folder: the server's own.
        url: the PostgreSQL that also keeps the workflows; a file in the folder if there is none.

    Raises:
        DatabaseUnusable: the workflows' database is damaged, or does not answer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seat = None
    if acting_on is not None:
        operations = stack_operations(acting_on.environment, acting_on.target, acting_on.engine)
        seat = EnvironmentSeat(
            acting_on.environment, acting_on.target, operations, runs_database=url
        )
    place = ServerPlace.of(capabilities.environment, folder)
    workflows_url = url or f"sqlite:///{folder / WORKFLOWS_FILE}"
    with (
        opened_database(database_url(workflows_url, folder)) as engine,
        launched(engine, f"plans-{capabilities.environment or 'agents'}") as workflows,
    ):
        executor = PlanExecutor(
            database,
            coordinator,
            capabilities,
            AgentSteps(database, router),
            place=place,
            engine=engine,
            workflows=workflows,
            seat=seat,
        )
        try:
            yield executor
        finally:
            executor.close()
