"""The conductor: the phases of a run in their order, and what one hands to the next.

It imports no cloud SDK and no Pulumi: every action goes through an injected part, so that fakes
suffice to test the order (requirements 0.2, 0.13, 0.15).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from architecture.model import Layer
from orchestration.concurrency import refuse_when_stopping, run_all
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.conductor.parts import Parts
from orchestration.conductor.phases import Phase
from orchestration.conductor.state import GrantOutcome, PlanOutcome, RunState
from orchestration.errors import ConductorError
from orchestration.wording import counted

T = TypeVar("T")


class Conductor:
    """Runs the phases; `on_state` is called after each with all that is known so far.

    `state` is what earlier runs, or this run before it was killed, have handed on.
    """

    def __init__(
        self,
        parts: Parts,
        log: RunLog,
        on_state: Callable[[RunState], None],
        state: RunState | None = None,
    ) -> None:
        self._parts = parts
        self._log = log
        self._on_state = on_state
        self._state = state or RunState()
        self._steps: dict[Phase, Callable[[], str]] = {
            Phase.PLAN: self._plan,
            Phase.PREREQUISITES: self._check_prerequisites,
            Phase.IAM: self._set_up_iam,
            Phase.ARTIFACTS: self._prepare_artifacts,
            Phase.IMAGES_AND_DIRECTOR: self._build_and_deploy_director,
            Phase.FOUNDATIONAL: self._set_up_dataflows,
            Phase.RESOURCE_IAM: self._wait_for_resource_iam,
            Phase.SERVICES: self._deploy_services,
        }

    def run(self) -> RunState:
        """Go through all phases; the first that fails ends the run.

        Raises:
            ConductorError: what the failing phase raised; phases after it did not start.
        """
        for phase in Phase:
            self.run_phase(phase)
        return self._state

    def restore(self, state: RunState) -> None:
        """Take up what phases have handed on in a process that has died since."""
        self._state = state

    def leave_phases(self) -> None:
        """Note that what happens from now on belongs to no phase."""
        self._log.phase = None

    def run_phase(self, phase: Phase) -> RunState:
        """Run one phase; what it needs of earlier ones is in the state. It may be run again.

        Raises:
            ConductorError: what the phase raised.
        """
        refuse_when_stopping()
        self._log.phase = phase
        self._log.emit(RunEventKind.PHASE_STARTED, title=phase.title)
        started = time.monotonic()
        try:
            summary = self._steps[phase]()
        except ConductorError as error:
            self._log.emit(
                RunEventKind.PHASE_FAILED,
                title=phase.title,
                duration_s=round(time.monotonic() - started, 3),
                code=error.code,
                message=error.message,
            )
            raise
        finally:
            # A phase that failed half-way may still have outcomes to record.
            self._on_state(self._state)
        self._log.emit(
            RunEventKind.PHASE_FINISHED,
            title=phase.title,
            duration_s=round(time.monotonic() - started, 3),
            summary=summary,
        )
        return self._state

    @property
    def _planned(self) -> PlanOutcome:
        plan = self._state.plan
        assert plan is not None, "phase 0 always leaves a plan"
        return plan

    def _plan(self) -> str:
        plan = self._parts.planner.plan()
        self._state.plan = plan
        for warning in plan.warnings:
            self._log.emit(RunEventKind.WARNED, message=warning)
        services, dataflows = len(plan.services), len(plan.dataflows)
        return f"{counted(services, 'service')} in {counted(dataflows, 'dataflow')}"

    def _check_prerequisites(self) -> str:
        self._parts.prerequisites.check(self._planned)
        return "all met"

    def _set_up_iam(self) -> str:
        accounts = self._parts.access.set_up()
        self._state.accounts = accounts
        grants = self._wait("foundation")
        return f"{counted(len(accounts.accounts), 'service account')}, {_effective(grants)}"

    def _prepare_artifacts(self) -> str:
        return counted(self._parts.artifacts.prepare(), "build context")

    def _build_and_deploy_director(self) -> str:
        done = run_all({"images": self._build_images, "director": self._bring_up_director})
        done.raise_errors()
        assert self._state.images is not None, "no error means images"
        return f"{counted(len(self._state.images.images), 'image')}, director healthy"

    def _build_images(self) -> None:
        self._state.images = self._parts.deployment.build_all()

    def _bring_up_director(self) -> None:
        director = self._parts.deployment.deploy_director()
        self._state.director = director
        self._wait("director")
        self._parts.deployment.wait_until_healthy(self._planned.director, director.url)

    def _set_up_dataflows(self) -> str:
        # Run again after a crash, it replaces what it had handed on before.
        self._state.dataflows = ()
        for level in self._planned.resource_levels:
            done = self._parts.director.set_up(level)
            self._state.dataflows = (*self._state.dataflows, *done)
        return f"{counted(len(self._state.dataflows), 'dataflow')} set up by the director"

    def _wait_for_resource_iam(self) -> str:
        waits = {
            dataflow: _bind(self._parts.access.wait, "dataflow", dataflow)
            for dataflow in self._planned.dataflows
        }
        return _effective(self._collect(waits))

    def _deploy_services(self) -> str:
        self._state.services = ()
        for level in self._planned.levels:
            refuse_when_stopping()
            deployed = run_all(
                {name: _bind(self._parts.deployment.deploy_services, name) for name in level}
            )
            ordered = [deployed.results[name] for name in level if name in deployed.results]
            self._state.services = (*self._state.services, *ordered)
            deployed.raise_errors()
        invokers = self._collect(
            {
                dataflow: _bind(self._parts.access.wait, "services", dataflow)
                for dataflow in self._planned.dataflows
            }
        )
        urls = {name: url for outcome in self._state.services for name, url in outcome.urls.items()}
        checked = run_all(
            {
                name: _bind(self._parts.deployment.wait_until_healthy, name, url)
                for name, url in urls.items()
            }
        )
        checked.raise_errors()
        return f"{counted(len(urls), 'service')} healthy, {_effective(invokers)}"

    def _wait(self, layer: Layer) -> tuple[GrantOutcome, ...]:
        grants = self._parts.access.wait(layer)
        self._state.grants = (*self._state.grants, *grants)
        return grants

    def _collect(
        self, waits: dict[str, Callable[[], tuple[GrantOutcome, ...]]]
    ) -> tuple[GrantOutcome, ...]:
        waited = run_all(waits)
        grants = tuple(grant for found in waited.results.values() for grant in found)
        self._state.grants = (*self._state.grants, *grants)
        waited.raise_errors()
        return grants


def _bind(function: Callable[..., T], *arguments: str) -> Callable[[], T]:
    """Bind arguments now: a closure in a loop would see the loop's last value."""
    return lambda: function(*arguments)


def _effective(grants: tuple[GrantOutcome, ...]) -> str:
    if not grants:
        return "no grants to wait for"
    slowest = max(grant.delay_s for grant in grants)
    return f"{counted(len(grants), 'grant')} effective (slowest {slowest:.1f} s)"
