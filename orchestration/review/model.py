"""What a reviewer is shown of a change: one value from which every format is written.

The same value, as JSON, is what `--format json` prints and what an approval is later compared with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

SCHEMA_VERSION: Final = 1

# What changes a resource for good: everything else can be undone by the next `up`.
DESTRUCTIVE_OPERATIONS = frozenset({"delete", "replace"})


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttributeChange(_Value):
    """One property path of a resource that gets another value.

    Secret values are masked. An item of a list that has a name is found by it, as an environment
    variable in `envs["MODE"].value`: its index says little to a reader. `unknown_from` says where
    a value that is not known yet will come from; it is empty where `after` is known.
    """

    path: str
    before: JsonValue = None
    after: JsonValue = None
    replaces: bool = False
    unknown_from: str = ""


class ResourceChange(_Value):
    """What becomes of one resource of a stack.

    `warning` says what is lost, and is empty where nothing is; `because` names the paths that
    force a replacement. A change that `repairs_drift` does nothing else.
    """

    stack: str
    operation: str
    urn: str
    type: str
    name: str
    attributes: tuple[AttributeChange, ...] = ()
    because: tuple[str, ...] = ()
    warning: str = ""
    holds_data: bool = False
    repairs_drift: bool = False

    @property
    def is_destructive(self) -> bool:
        """Whether something that exists is deleted, to be made anew or not."""
        return self.operation in DESTRUCTIVE_OPERATIONS


# What is special about a change of access.
Flag = Literal["public", "escalation", "primitive"]


class Risk(StrEnum):
    """How carefully a change of access wants to be looked at."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Order them, the most dangerous first."""
        return list(Risk).index(self)


class Effect(StrEnum):
    """Whether somebody can do more than before, or less."""

    GAINS = "gains"
    LOSES = "loses"


class AccessChange(_Value):
    """Who gains or loses what on what, and why.

    `on` is a kind and a name, as in `topic orders`, and `kind` is the former; it is empty where
    `on` is no single resource. `why` is the architecture's own reason, or what made a grant
    superfluous. `flags` say what is special: `public`, `escalation`, `primitive`.
    """

    stack: str
    effect: Effect
    member: str
    role: str
    on: str
    kind: str = ""
    why: str
    risk: Risk
    flags: tuple[Flag, ...] = ()
    repairs_drift: bool = False
    urn: str

    @property
    def resource(self) -> str:
        """Give what it is on without its kind."""
        return self.on.removeprefix(f"{self.kind} ") if self.kind else self.on

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return f"{self.member} {self.effect} {self.role} on {self.on}"


class PolicyFinding(_Value):
    """A rule of the project's policies that a resource breaks (`policies.model.Violation`).

    `waived` has the reason of a waiver that still holds; without one, `deny` stops the run.
    """

    rule: str
    level: Literal["deny", "warn"]
    stack: str
    resource: str
    message: str
    why: str
    instead: str
    waived: str = ""

    @property
    def stops(self) -> bool:
        """Whether `up` refuses it."""
        return self.level == "deny" and not self.waived


class StackReview(_Value):
    """What would change in one stack; `unchanged` counts the resources that stay as they are."""

    stack: str
    changes: tuple[ResourceChange, ...]
    unchanged: Annotated[int, Field(ge=0)]

    @property
    def operations(self) -> dict[str, int]:
        """Count the changes by operation."""
        return _counted(self.changes)


class Impact(_Value):
    """How far a change reaches, by the architecture's own graph.

    `changed_services` are deployed anew, changed or deleted; `touched_services` use a resource
    that changes, `downstream_services` get their data through either. `data_at_risk` names what
    holds data and is deleted or replaced.
    """

    changed_services: tuple[str, ...] = ()
    touched_services: tuple[str, ...] = ()
    downstream_services: tuple[str, ...] = ()
    dataflows: tuple[str, ...] = ()
    data_at_risk: tuple[str, ...] = ()


class Review(_Value):
    """A preview of a whole system as it is to be approved.

    `contexts` has the digest of each service's build context: what an image is made of. The
    `fingerprint` is over all that an approval is about (`review.fingerprint`).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    environment: str
    architecture: str
    project: str
    stacks: tuple[StackReview, ...]
    access: tuple[AccessChange, ...] = ()
    impact: Impact = Impact()
    contexts: dict[str, str] = Field(default_factory=dict)
    policies: tuple[PolicyFinding, ...] = ()
    fingerprint: str

    @property
    def changes(self) -> tuple[ResourceChange, ...]:
        """Every change of every stack, in the order in which a run comes to them."""
        return tuple(change for stack in self.stacks for change in stack.changes)

    @property
    def intended(self) -> tuple[ResourceChange, ...]:
        """The changes that somebody asked for."""
        return tuple(change for change in self.changes if not change.repairs_drift)

    @property
    def destructive(self) -> tuple[ResourceChange, ...]:
        """The changes that delete something, those that repair drift last."""
        return tuple(
            change
            for changes in (self.intended, self.drift)
            for change in changes
            if change.is_destructive
        )

    @property
    def intended_access(self) -> tuple[AccessChange, ...]:
        """The changes of access that somebody asked for."""
        return tuple(change for change in self.access if not change.repairs_drift)

    @property
    def drifted_access(self) -> tuple[AccessChange, ...]:
        """The changes of access that only take back what was done behind our back."""
        return tuple(change for change in self.access if change.repairs_drift)

    @property
    def other_drift(self) -> tuple[ResourceChange, ...]:
        """What only repairs drift, deletes nothing and is no change of access."""
        told = {change.urn for change in self.drifted_access}
        return tuple(
            change for change in self.drift if not change.is_destructive and change.urn not in told
        )

    @property
    def drift(self) -> tuple[ResourceChange, ...]:
        """The changes that only repair what was changed behind our back."""
        return tuple(change for change in self.changes if change.repairs_drift)

    @property
    def operations(self) -> dict[str, int]:
        """Count all changes by operation."""
        return _counted(self.changes)


def _counted(changes: Iterable[ResourceChange]) -> dict[str, int]:
    """Count changes by operation, sorted by its name."""
    return dict(sorted(Counter(change.operation for change in changes).items()))
