"""What can be done here: on which resources the built-in actions work, and what agents offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from architecture.model import Architecture
from orchestration.coordination.containment import resource_tree
from orchestration.coordination.model import ExecutionPlan, Recommendation
from orchestration.coordination.refusals import ExecutorNotAvailable
from orchestration.coordination.rules import ResourceTree, Rules
from orchestration.coordination.storage import agents
from orchestration.coordination.storage.database import Transaction
from orchestration.execution.actions.table import ACTIONS
from orchestration.execution.performing import concerned, objections, services_named_by
from orchestration.execution.services import Services


class Directory(Protocol):
    """Knows the services of an environment."""

    def architecture(self) -> Architecture | None:
        """Give the live release's architecture; None before the first."""
        ...

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are deployed."""
        ...


class Capabilities:
    """Who can do what; without an environment all resources are opaque, and only agents act.

    With a customer, the environment's services are that customer's alone.
    """

    def __init__(
        self,
        *,
        environment: str = "",
        directory: Directory | None = None,
        customer_id: str | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.environment = environment
        self._directory = directory
        self._customer_id = customer_id
        self._rules = rules or Rules()

    def resources(self) -> ResourceTree:
        """Say which resources of the environment lie within which."""
        architecture = None if self._directory is None else self._directory.architecture()
        return ResourceTree() if architecture is None else resource_tree(architecture)

    def objections(self, items: Sequence[Recommendation]) -> Iterator[tuple[int, str]]:
        """Say, by place, why the built-in actions cannot do what is recommended for ours."""
        if self._directory is None:
            return
        known = self._directory.services()
        for place, item in enumerate(items):
            services = concerned(item, known) if self._is_served(item.customer_id) else None
            for objection in objections(item, services, self._rules) if services else ():
                yield place, objection

    def stacks_of(self, plan: ExecutionPlan) -> frozenset[str] | None:
        """Give the stacks that a plan changes; None if it is not for the built-in actions."""
        if self._directory is None or not self._is_served(plan.customer_id):
            return None
        names = services_named_by(plan)
        services = self._directory.services()
        if not names or any(name not in services for name in names):
            return None
        if any(step.action not in ACTIONS for step in plan.steps):
            return None
        return frozenset(services[name].stack for name in names)

    def require_performer(self, tx: Transaction, plan: ExecutionPlan) -> None:
        """See to it that there is somebody to do each of a plan's steps.

        Raises:
            ExecutorNotAvailable: there is nobody; names the steps.
        """
        if self.stacks_of(plan) is not None:
            return
        offered = agents.offered_actions(tx, plan.customer_id)
        missing = sorted({step.action for step in plan.steps} - offered)
        if missing:
            resources = (plan.metadata or {}).get("resources")
            on = f" on {', '.join(map(str, resources))}" if isinstance(resources, list) else ""
            raise ExecutorNotAvailable(
                f"plan {plan.id} stays pending: nobody here can do {', '.join(missing)}{on}",
                hint="services/NAME of an environment need `conductor serve --env ENV`; on anything"
                " else an agent acts whose capabilities name the action",
            )

    def _is_served(self, customer_id: str) -> bool:
        return self._customer_id is None or self._customer_id == customer_id
