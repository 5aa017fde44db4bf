"""Steps that agents do: each one is a task, and its undo another.

A task's id follows from its step, so that a step that is done again finds the task of before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from orchestration.agents.errors import TaskUnknown
from orchestration.agents.model import LONGEST_TIMEOUT_S, Task, TaskStatus, TaskSubmission
from orchestration.agents.routing import TaskRouter
from orchestration.coordination.identifiers import derived_id
from orchestration.coordination.identity import Caller, Role
from orchestration.coordination.model import ExecutionPlan, ExecutionStep
from orchestration.coordination.rules import UNDO_PREFIX
from orchestration.coordination.storage import agents
from orchestration.coordination.storage.database import Database, Transaction
from orchestration.errors import Interrupted
from orchestration.execution.actions.action import Done
from orchestration.execution.errors import StepFailed

LOOK_EVERY_S = 0.2


class AgentSteps:
    """Has agents do and undo steps, and waits for what they answer."""

    def __init__(self, database: Database, router: TaskRouter) -> None:
        self._database = database
        self._router = router
        self._wake: Callable[[], None] = lambda: None
        self._stopping = threading.Event()

    def announce_to(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there is a task to send."""
        self._wake = wake

    def stop(self) -> None:
        """Wait for no answer any more: nobody here will take one."""
        self._stopping.set()

    def do(self, plan: ExecutionPlan, step: ExecutionStep) -> Done:
        """Have an agent do a step.

        Raises:
            NoCapableAgent: none offers it.
            StepFailed: the agent failed, or did not answer.
            Interrupted: the server ends; the task's answer will be found by the next one.
        """
        task = self._finished(plan, step, step.action, dict(step.parameters))
        return Done(task.result or {}, {"agent_id": task.agent_id})

    def undo(self, plan: ExecutionPlan, step: ExecutionStep) -> None:
        """Have an agent undo a step; it gets the result of doing it, if there was one.

        Raises:
            NoCapableAgent: none offers the undo.
            StepFailed: the agent failed, or did not answer.
        """
        parameters: dict[str, JsonValue] = {
            **step.parameters,
            "result": dict(step.result) if step.result is not None else None,
        }
        self._finished(plan, step, f"{UNDO_PREFIX}{step.action}", parameters)

    def _finished(
        self,
        plan: ExecutionPlan,
        step: ExecutionStep,
        task_type: str,
        parameters: Mapping[str, JsonValue],
    ) -> Task:
        task_id = derived_id(step.id, f"{task_type} {_try_of(step, task_type)}")
        caller = Caller("conductor", Role.OPERATOR, plan.customer_id)
        with self._database.transaction() as tx:
            task = self._find(tx, caller, task_id)
            if task is None:
                task = self._router.submit(
                    tx,
                    caller,
                    TaskSubmission(
                        task_type=task_type,
                        agent_id=_wanted_agent(tx, plan, step, task_type),
                        parameters={**parameters, **_about(plan, step)},
                        timeout_seconds=LONGEST_TIMEOUT_S,
                    ),
                    task_id=task_id,
                )
        self._wake()
        while task.is_open:
            if self._stopping.wait(LOOK_EVERY_S):
                raise Interrupted(f"the server ends while an agent does {task_type}")
            with self._database.reading() as tx:
                task = self._router.find(tx, caller, task_id)
        if task.status is not TaskStatus.COMPLETED:
            reason = task.error or task.status.value
            raise StepFailed(
                f"agent {task.agent_id} did not do {task_type}: {reason}", result=task.result or {}
            )
        return task

    def _find(self, tx: Transaction, caller: Caller, task_id: str) -> Task | None:
        try:
            return self._router.find(tx, caller, task_id)
        except TaskUnknown:
            return None


def _wanted_agent(
    tx: Transaction, plan: ExecutionPlan, step: ExecutionStep, task_type: str
) -> str | None:
    """Find the agent that the step names, if it is there and can; else any may do it."""
    for enrolled in agents.list_living(tx, customer_id=plan.customer_id):
        agent = enrolled.agent
        if step.agent_id in {agent.id, agent.name} and task_type in agent.capabilities:
            return agent.id
    return None


def _about(plan: ExecutionPlan, step: ExecutionStep) -> dict[str, JsonValue]:
    resources = (plan.metadata or {}).get("resources")
    return {"plan_id": plan.id, "step_id": step.id, "affected_resources": resources}


def _try_of(step: ExecutionStep, task_type: str) -> str:
    """Tell a new try apart from one that failed: a stuck plan may be rolled back again."""
    return f"after {step.undo_error}" if task_type.startswith(UNDO_PREFIX) else ""
