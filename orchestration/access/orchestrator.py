"""The run's IAM: the foundation's accounts and grants, and waiting until grants work.

What is granted comes from one value, the architecture's grant plan; nothing is planned here.
"""

from __future__ import annotations

from architecture.director_role import director_roles
from architecture.grants import plan_grants
from architecture.model import Architecture, Layer
from architecture.names import stack_name
from orchestration.access.pacing import Pace
from orchestration.access.priors import PriorStore
from orchestration.access.probes import Caller, CloudProbe
from orchestration.access.waiting import EffectiveGrant, wait_until_effective
from orchestration.automation.results import OnStackEvent
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.events import RunEventKind, RunLog
from orchestration.conductor.state import (
    AccountsOutcome,
    ExpectedDelay,
    GrantOutcome,
    StackOutcome,
)
from orchestration.targets.target import Target


class IAMOrchestrator:
    """Sets accounts and project-level grants up, and waits for the grants of any layer."""

    def __init__(
        self,
        architecture: Architecture,
        environment: str,
        target: Target,
        operations: StackOperations,
        log: RunLog,
        *,
        priors: PriorStore,
        refresh: bool,
        on_event: OnStackEvent,
        pace: Pace | None = None,
    ) -> None:
        self._architecture = architecture
        self._environment = environment
        self._target = target
        self._operations = operations
        self._log = log
        self._priors = priors
        self._refresh = refresh
        self._on_event = on_event
        self._pace = pace or Pace(confirm_s=target.confirm_grants_for_s)

    def set_up(self) -> AccountsOutcome:
        """Bring `foundation` up."""
        stack = stack_name(self._environment, "foundation")
        result = self._operations.up(stack, refresh=self._refresh, on_event=self._on_event)
        accounts = result.outputs.get("accounts")
        return AccountsOutcome(
            accounts={
                name: str(email)
                for name, email in (accounts if isinstance(accounts, dict) else {}).items()
            },
            stack=StackOutcome(
                stack=stack, changes=result.changes, duration_s=round(result.duration_s, 3)
            ),
        )

    def wait(self, layer: Layer, dataflow: str | None = None) -> tuple[GrantOutcome, ...]:
        """Wait until every grant of a layer works, as earlier runs have taught, and learn from it.

        Raises:
            GrantsNotEffective: naming those that do not.
        """
        plan = plan_grants(
            self._architecture, deployer=self._target.deployer, state=self._target.state_place
        )
        probe = CloudProbe(
            Caller(self._target.deployer, self._target.access_token, self._target.endpoints()),
            project_id=self._architecture.project_id,
            custom_roles={
                role.name(self._architecture.project_id): role.permissions
                for role in director_roles(self._architecture)
            },
        )
        try:
            effective = wait_until_effective(
                plan.for_layer(layer, dataflow),
                probe,
                self._pace,
                self._report,
                priors=self._priors.priors(),
            )
        finally:
            probe.close()
        self._priors.learn(effective)
        return tuple(_outcome(item) for item in effective)

    def _report(self, effective: EffectiveGrant) -> None:
        outcome = _outcome(effective)
        self._log.emit(
            RunEventKind.GRANT_EFFECTIVE,
            member=outcome.member,
            role=outcome.role,
            resource=outcome.resource,
            delay_s=outcome.delay_s,
            tested=outcome.tested,
        )


def _outcome(effective: EffectiveGrant) -> GrantOutcome:
    grant, prior = effective.grant, effective.prior
    return GrantOutcome(
        member=grant.member,
        role=grant.role,
        resource=f"{grant.resource.kind.value} {grant.resource.name}",
        delay_s=effective.delay_s,
        tested=effective.tested_by.value,
        expected=ExpectedDelay(p50_s=prior.p50_s, p99_s=prior.p99_s) if prior else None,
    )
