"""An environment in memory, for tests of plans: it keeps what is recorded and deploys by noting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from architecture.model import Architecture
from architecture.recorded import RecordedOverride, RecordedOverrides, with_recorded
from orchestration.execution.actions.action import Change, Facts, Measurement, StepOrder
from orchestration.execution.services import Services, services_of


def nothing_happens(_moment: str) -> None:
    """Be a `FakeLive.on` that lets everything happen."""


@dataclass
class FakeDirectory:
    """Lists the services of an environment in memory."""

    live: FakeLive

    def architecture(self) -> Architecture:
        """Give the architecture."""
        return self.live.architecture

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are recorded."""
        return self.live.services(without_step=without_step)


@dataclass
class FakeLive:
    """An environment whose services are as what was last brought up says.

    `on` is called before and after everything that changes something, with its name; it may raise.
    """

    architecture: Architecture
    on: Callable[[str], None] = nothing_happens
    recorded: RecordedOverrides = field(default_factory=RecordedOverrides)
    deployed: Services = field(default_factory=dict)
    snapshots: set[str] = field(default_factory=set)
    measured: Measurement = field(default_factory=lambda: Measurement(20, 0, 12.0))
    ups: int = 0

    def __post_init__(self) -> None:
        """Deploy the architecture as it is."""
        self.deployed = self.services()

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are recorded, or as they were if not for one step."""
        recorded = self.recorded
        if without_step is not None:
            recorded = recorded.without_step(without_step)
        return services_of(with_recorded(self.architecture, recorded), "fake")

    def bring_up(self, order: StepOrder, changes: Sequence[Change]) -> Facts:
        """Record, then deploy."""
        self.on(f"record {order.action}")
        self.recorded = self.recorded.with_step(
            RecordedOverride(
                service=change.service,
                key=change.key,
                value=change.value,
                plan_id=order.plan_id,
                step_id=order.step_id,
                action=order.action,
                recorded_at=datetime.now(UTC),
            )
            for change in changes
        )
        self._up(order.action)
        return {"stacks": {}}

    def take_back(self, order: StepOrder) -> None:
        """Take the record away, then deploy."""
        self.on(f"take back {order.action}")
        self.recorded = self.recorded.without_step(order.step_id)
        self._up(f"undo:{order.action}")

    def take(self) -> FakeLive:
        """Be the environment that an executor holds."""
        self.on("take")
        return self

    def leave(self) -> None:
        """Let others have it."""
        self.on("leave")

    def measure(self, services: Sequence[str], probes: int) -> Measurement:
        """Give what was put there."""
        del services, probes
        self.on("measure")
        return self.measured

    def keep_snapshot(self, order: StepOrder) -> Facts:
        """Remember the step's snapshot."""
        self.on("snapshot")
        self.snapshots.add(order.step_id)
        return {"snapshot_id": f"snap-{order.step_id}", "size_gb": 0.001}

    def drop_snapshot(self, order: StepOrder) -> None:
        """Forget the step's snapshot."""
        self.on("drop snapshot")
        self.snapshots.discard(order.step_id)

    def _up(self, action: str) -> None:
        self.on(f"up {action}")
        self.deployed = self.services()
        self.ups += 1
        self.on(f"answered {action}")
