"""What an operation on a stack did, or would do, in our own types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# Operations that leave a resource as it is; the engine counts them, people do not care.
QUIET_OPERATIONS = frozenset({"same", "read", "read-replacement", "refresh", "discard"})


class EventKind(StrEnum):
    """What happened to one resource of a stack."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    DIAGNOSTIC = "diagnostic"


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One step of an operation, as it happens."""

    stack: str
    kind: EventKind
    operation: str = ""
    urn: str = ""
    type: str = ""
    name: str = ""
    message: str = ""
    severity: str = ""


OnStackEvent: TypeAlias = Callable[[StackEvent], None]


def ignore_event(_event: StackEvent) -> None:
    """Be an `OnStackEvent` for callers that do not watch."""


@dataclass(frozen=True, slots=True)
class StackResult:
    """What `up`, `refresh` or `destroy` did.

    `changes` counts resources by operation (`create`, `update`, `same` …); `steps` are the
    operations themselves.
    """

    stack: str
    outputs: Mapping[str, Json]
    changes: Mapping[str, int]
    duration_s: float
    steps: tuple[PlannedStep, ...] = ()

    @property
    def changed(self) -> int:
        """How many resources were changed in any way."""
        return count_changes(self.changes)


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property path that differs, and whether that replaces the resource."""

    path: str
    kind: str

    @property
    def replaces(self) -> bool:
        """Whether this difference alone makes a new resource."""
        return self.kind.endswith("-replace")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One operation that the next `up` would apply, or that an `up` has applied.

    One that `repairs_drift` does nothing else: what is asked for is what was asked for last
    time, but somebody changed or deleted the resource behind our back. `member` is the IAM
    member that an account is, or that a grant is for. `before` and `after` are the resource's
    inputs, empty where there is none; unknown ones are `UNKNOWN_OUTPUT`, secret ones
    `MASKED_SECRET`.
    """

    operation: str
    urn: str
    type: str
    name: str
    changes: tuple[PropertyChange, ...] = ()
    repairs_drift: bool = False
    member: str = ""
    is_custom: bool = True
    before: Mapping[str, Json] = field(default_factory=dict)
    after: Mapping[str, Json] = field(default_factory=dict)

    @property
    def is_quiet(self) -> bool:
        """Whether it leaves the resource as it is."""
        return self.operation in QUIET_OPERATIONS


@dataclass(frozen=True, slots=True)
class DriftedResource:
    """A resource that is not as it was left: changed at these properties, or gone."""

    urn: str
    type: str
    name: str
    is_gone: bool
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackDrift:
    """What of a stack is not as its last operation left it."""

    stack: str
    resources: tuple[DriftedResource, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class StackPreview:
    """What an `up` would do; `outputs` are predicted, unknown ones are `UNKNOWN_OUTPUT`."""

    stack: str
    steps: tuple[PlannedStep, ...]
    outputs: Mapping[str, Json]
    changes: Mapping[str, int]
    duration_s: float

    @property
    def changed(self) -> int:
        """How many resources would change in any way."""
        return count_changes(self.changes)


@dataclass(frozen=True, slots=True)
class HeldResource:
    """A resource in a stack's state; `parent` is its component's URN, empty at the top."""

    urn: str
    type: str
    name: str
    parent: str
    is_custom: bool
    inputs: Mapping[str, Json]
    is_protected: bool = False


# How an unknown value stands in predicted outputs; `stacks.upstream` reads the same mark.
UNKNOWN_OUTPUT: Mapping[str, Json] = {"__unknown__": True}
# What stands in reports for a secret value, as in the engine's own displays.
MASKED_SECRET = "[secret]"  # noqa: S105 - the mask, not a secret


@dataclass(slots=True)
class Failures:
    """The errors of one operation, by resource name; what names no resource is under ''."""

    by_resource: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, message: str) -> None:
        """Note one error; the same text for the same resource counts once."""
        messages = self.by_resource.setdefault(name, [])
        if message not in messages:
            messages.append(message)

    def lines(self) -> list[str]:
        """Render each error on one line, those of resources first."""
        named = [(name, texts) for name, texts in self.by_resource.items() if name]
        general = [("", self.by_resource[""])] if "" in self.by_resource else []
        return [
            f"{name}: {text}" if name else text
            for name, texts in (*named, *general)
            for text in texts
        ]


def count_changes(changes: Mapping[str, int]) -> int:
    """Count the operations that change something."""
    return sum(count for operation, count in changes.items() if operation not in QUIET_OPERATIONS)
