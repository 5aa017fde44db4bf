"""An environment that plans work on: its stacks brought up with what is recorded above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from architecture.recorded import RecordedOverride
from orchestration.access.orchestrator import IAMOrchestrator
from orchestration.access.priors import PriorStore
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.results import QUIET_OPERATIONS
from orchestration.automation.stacks import StackOperations
from orchestration.conductor.assembly import event_forwarder
from orchestration.conductor.events import RunLog
from orchestration.deployment.health import HealthChecker
from orchestration.environments import Environment
from orchestration.execution.actions.action import Change, Facts, Measurement, StepOrder
from orchestration.execution.probing import Route, measure
from orchestration.execution.services import DeployedService, ServiceDirectory, Services
from orchestration.execution.snapshots import SnapshotStore
from orchestration.overriding import OverrideStore
from orchestration.targets.prerequisites import stack_config
from orchestration.targets.target import Target


class LiveEnvironment:
    """One environment; whoever makes one holds it, and `require_held` says whether still."""

    def __init__(
        self,
        environment: Environment,
        target: Target,
        operations: StackOperations,
        require_held: Callable[[], None],
    ) -> None:
        self._environment = environment
        self._target = target
        self._operations = operations
        self._require_held = require_held
        self._directory = ServiceDirectory(environment)
        self._overrides = OverrideStore(environment)
        self._snapshots = SnapshotStore(environment)

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are deployed, or as they were if not for one step."""
        return self._directory.services(without_step=without_step)

    def bring_up(self, order: StepOrder, changes: Sequence[Change]) -> Facts:
        """Record changes, preview, and bring the stacks of the step's services up.

        Raises:
            StackFailed: a stack did not come up; what was recorded stays.
            ServiceUnhealthy: a service does not answer.
            GrantsNotEffective: a moved service cannot be called by those who may.
            Fenced: somebody else has taken the environment over.
        """
        self._require_held()
        now = datetime.now(UTC)
        self._overrides.record(
            RecordedOverride(
                service=change.service,
                key=change.key,
                value=change.value,
                plan_id=order.plan_id,
                step_id=order.step_id,
                action=order.action,
                recorded_at=now,
            )
            for change in changes
        )
        return {"stacks": self._up(order.services)}

    def take_back(self, order: StepOrder) -> None:
        """Take away what a step has recorded, refresh and bring its services' stacks up.

        Raises:
            ConductorError: as for bringing them up.
        """
        self._require_held()
        self._overrides.take_away(order.step_id)
        self._up(order.services)

    def measure(self, services: Sequence[str], probes: int) -> Measurement:
        """Send probes to services, one after the other."""
        known = self.services()
        urls = self._urls(known[name].stack for name in services)
        routes = [Route(urls[name], _health_path(known[name])) for name in services]
        return measure(routes, self._target.identity_token, probes)

    def keep_snapshot(self, order: StepOrder) -> Facts:
        """Keep how the stacks of the step's services are, under an id of the step's own."""
        stacks = self._stacks(order.services)
        record = self._snapshots.keep(
            _snapshot_id(order),
            order.plan_id,
            {stack: self._operations.exported(stack) for stack in stacks},
        )
        return {
            "snapshot_id": record.snapshot_id,
            "size_gb": record.size_gb,
            "stacks": list(record.stacks),
            "release_id": record.release_id,
        }

    def drop_snapshot(self, order: StepOrder) -> None:
        """Delete what a step has kept."""
        self._snapshots.drop(_snapshot_id(order))

    def _stacks(self, services: Iterable[str]) -> tuple[str, ...]:
        known = self.services()
        return tuple(dict.fromkeys(known[name].stack for name in services if name in known))

    def _up(self, services: Sequence[str]) -> dict[str, JsonValue]:
        """Bring the stacks of services up; they answer and can be called when this returns."""
        known = self.services()
        done: dict[str, JsonValue] = {}
        for stack in self._stacks(services):
            self._configure(stack)
            previewed = self._operations.preview(stack, refresh=True)
            self._require_held()
            result = self._operations.up(stack, refresh=True)
            done[stack] = {
                "previewed": _loud(previewed.changes),
                "done": _loud(result.changes),
                "duration_s": round(result.duration_s, 3),
            }
            self._wait(stack, [known[name] for name in services if name in known])
        return done

    def _wait(self, stack: str, services: Iterable[DeployedService]) -> None:
        """Wait until a stack's services answer, and their callers may call them where they are."""
        here = [service for service in services if service.stack == stack]
        urls = self._urls([stack])
        health = HealthChecker(
            {service.name: path for service in here if (path := _health_path(service))},
            self._target.identity_token,
            lambda _service, _url, _took_s: None,
        )
        for service in here:
            health.wait(service.name, urls[service.name])
        architecture = self._directory.architecture()
        assert architecture is not None, "services are those of a release"
        log = RunLog(f"after {stack}", [])
        access = IAMOrchestrator(
            self._overrides.above(architecture),
            self._environment.name,
            self._target,
            self._operations,
            log,
            refresh=True,
            on_event=event_forwarder(log),
            priors=PriorStore(self._environment.propagation_file),
        )
        for dataflow in {service.dataflow for service in here}:
            access.wait("services", dataflow)

    def _configure(self, stack: str) -> None:
        """Have the stack read what is recorded; one deployed by an older program does not yet."""
        files = StackConfigFiles(
            self._environment.settings.stack_config_dir, self._environment.name
        )
        wanted = stack_config(self._environment, self._target)["conductor:overrides"]
        if files.read(stack).get("conductor:overrides") != wanted:
            files.write(stack, {"conductor:overrides": wanted})

    def _urls(self, stacks: Iterable[str]) -> dict[str, str]:
        urls: dict[str, str] = {}
        for stack in set(stacks):
            found = (self._operations.outputs(stack) or {}).get("urls")
            urls |= {k: str(v) for k, v in found.items()} if isinstance(found, dict) else {}
        return urls


def _health_path(service: DeployedService) -> str | None:
    check = service.service.health_check
    return check.path if check is not None else None


def _loud(changes: object) -> dict[str, JsonValue]:
    """Leave out what stayed as it was."""
    counts = changes if isinstance(changes, dict) else {}
    return {str(op): int(n) for op, n in counts.items() if op not in QUIET_OPERATIONS and n}


def _snapshot_id(order: StepOrder) -> str:
    return f"snap-{order.step_id}"
