"""Who does a plan's steps: the built-in actions where its resources are ours, else agents."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.coordination.model import ExecutionPlan, ExecutionStep, Recommendation
from orchestration.coordination.rules import Rules
from orchestration.execution.actions.action import Done, Live, Measurement, StepOrder
from orchestration.execution.actions.quality import DEFAULT_PROBES
from orchestration.execution.actions.table import ACTIONS
from orchestration.execution.agent_steps import AgentSteps
from orchestration.execution.errors import ActionRefused
from orchestration.execution.services import Services, named_services

QUALITY = "validate_quality"


class BuiltInPerformer:
    """Does steps on the services of an environment."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def measure(self, plan: ExecutionPlan) -> Measurement | None:
        """Measure, if a step of the plan will compare with it."""
        if all(step.action != QUALITY for step in plan.steps):
            return None
        return self._live.measure(services_named_by(plan), DEFAULT_PROBES)

    def do(self, plan: ExecutionPlan, place: int, before: Measurement | None) -> Done:
        """Do a step.

        Raises:
            ActionRefused: the service is not (any more) one that it could be done to.
            ConductorError: it failed.
        """
        step = plan.steps[place]
        order = _order(plan, step, before)
        known = self._live.services(without_step=step.id)
        if gone := [name for name in order.services if name not in known]:
            raise ActionRefused(f"there is no service {', '.join(gone)} any more")
        action = ACTIONS[step.action]
        concerned = {name: known[name] for name in order.services}
        for objection in action.objections(step.parameters, concerned):
            raise ActionRefused(f"{step.action}: {objection}")
        return action.do(order, self._live)

    def undo(self, plan: ExecutionPlan, place: int) -> None:
        """Undo a step.

        Raises:
            ConductorError: it could not be undone.
        """
        step = plan.steps[place]
        ACTIONS[step.action].undo(_order(plan, step, None), self._live)


class AgentPerformer:
    """Has agents do the steps."""

    def __init__(self, steps: AgentSteps) -> None:
        self._steps = steps

    def measure(self, plan: ExecutionPlan) -> None:
        """Measure nothing: what agents act on is theirs to know."""
        del plan

    def do(self, plan: ExecutionPlan, place: int, before: Measurement | None) -> Done:
        """Have an agent do a step.

        Raises:
            ConductorError: it failed.
        """
        del before
        return self._steps.do(plan, plan.steps[place])

    def undo(self, plan: ExecutionPlan, place: int) -> None:
        """Have an agent undo a step.

        Raises:
            ConductorError: it could not be undone.
        """
        self._steps.undo(plan, plan.steps[place])


def services_named_by(plan: ExecutionPlan) -> tuple[str, ...]:
    """Give the services that a plan is about; none if it is about anything else."""
    resources = (plan.metadata or {}).get("resources")
    texts = (
        [item for item in resources if isinstance(item, str)] if isinstance(resources, list) else []
    )
    return named_services(texts) or ()


def concerned(item: Recommendation, services: Services) -> Services | None:
    """Give the services that a recommendation is about; None unless all it names are ours."""
    names = named_services(item.affected_resources)
    if names is None or any(name not in services for name in names):
        return None
    return {name: services[name] for name in names}


def objections(item: Recommendation, services: Services, rules: Rules) -> Iterator[str]:
    """Say why the built-in actions cannot do what is recommended for these services."""
    template = rules.templates.get(item.action)
    steps = (
        [(step.action, step.parameters) for step in template] if template else [(item.action, {})]
    )
    for action, fixed in steps:
        if action in ACTIONS:
            parameters = {**item.parameters, **fixed}
            for objection in ACTIONS[action].objections(parameters, services):
                yield f"{action}: {objection}"


def _order(plan: ExecutionPlan, step: ExecutionStep, before: Measurement | None) -> StepOrder:
    return StepOrder(
        plan_id=plan.id,
        step_id=step.id,
        action=step.action,
        parameters=step.parameters,
        services=services_named_by(plan),
        before=before,
    )
