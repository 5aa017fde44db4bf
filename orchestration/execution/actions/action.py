"""What a built-in action is, and what of an environment it works with.

Doing an action again does nothing more, and so does undoing it: a plan that was killed is taken up
where it was, and nobody knows how far the last step had come.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from architecture.recorded import Value
from orchestration.execution.services import Services

Facts = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What probes of services showed: how many failed, and how long the slow ones took."""

    probes: int
    failed: int
    p95_ms: float

    @property
    def error_rate(self) -> float:
        """The share of probes that failed, 0 to 1."""
        return self.failed / self.probes if self.probes else 0.0


@dataclass(frozen=True, slots=True)
class StepOrder:
    """One step to do or undo, on which services; `before` was measured before the plan began."""

    plan_id: str
    step_id: str
    action: str
    parameters: Facts
    services: tuple[str, ...]
    before: Measurement | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a step did, and what its undo goes back to, for people to read."""

    result: Facts
    rollback_data: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is to be recorded for a service."""

    service: str
    key: str
    value: Value


class Live(Protocol):
    """The environment that a plan works on."""

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are deployed, or as they were if not for one step."""
        ...

    def bring_up(self, order: StepOrder, changes: Sequence[Change]) -> Facts:
        """Record changes, preview, and bring the stacks of the step's services up.

        Returns:
            What the previews announced and the stacks did.

        Raises:
            ConductorError: a stack or a service did not come up; what was recorded stays.
        """
        ...

    def take_back(self, order: StepOrder) -> None:
        """Take away what a step has recorded, refresh and bring its services' stacks up.

        Raises:
            ConductorError: a stack or a service did not come back.
        """
        ...

    def measure(self, services: Sequence[str], probes: int) -> Measurement:
        """Send probes to services, one after the other."""
        ...

    def keep_snapshot(self, order: StepOrder) -> Facts:
        """Keep how the stacks of the step's services are, under an id of the step's own."""
        ...

    def drop_snapshot(self, order: StepOrder) -> None:
        """Delete what a step has kept."""
        ...


class Action(Protocol):
    """A built-in action."""

    def objections(self, parameters: Facts, services: Services) -> Iterator[str]:
        """Say why it cannot be done to these services, in the order in which it matters."""
        ...

    def do(self, order: StepOrder, live: Live) -> Done:
        """Do it; may be called again.

        Raises:
            ConductorError: it failed.
        """
        ...

    def undo(self, order: StepOrder, live: Live) -> None:
        """Undo it, however far it came; may be called again.

        Raises:
            ConductorError: it could not be undone.
        """
        ...


class RecordingAction(ABC):
    """An action that records values above the architecture; what it stood over returns."""

    @abstractmethod
    def changes(self, parameters: Facts, services: Services) -> Iterator[Change]:
        """Name what is to be recorded, given the services as they are without this step."""

    @abstractmethod
    def told(self, parameters: Facts, before: Services) -> Done:
        """Say what was changed, from what, and what an undo goes back to."""

    def do(self, order: StepOrder, live: Live) -> Done:
        """Record and bring up."""
        everything = live.services(without_step=order.step_id)
        before = {name: everything[name] for name in order.services}
        done = self.told(order.parameters, before)
        changed = live.bring_up(order, tuple(self.changes(order.parameters, before)))
        return Done({**done.result, **changed}, done.rollback_data)

    def undo(self, order: StepOrder, live: Live) -> None:
        """Take the record away and bring up what it stood over."""
        live.take_back(order)


def whole_number(parameters: Facts, name: str) -> int | None:
    """Read a whole number from parameters; None if it is absent or something else."""
    value = parameters.get(name)
    if isinstance(value, float) and value.is_integer():
        # Some JSON writers know no whole numbers.
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(parameters: Facts, name: str, otherwise: float) -> float:
    """Read a number from parameters, or take the default."""
    value = parameters.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else otherwise  # type: ignore[arg-type]  # narrowed above
