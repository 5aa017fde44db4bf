"""What the engine asks of a resource provider, in process.

The engine keeps secrets to itself: a provider sees plain values, and the engine marks outputs as
secret again by the inputs they came from. Unknown values of a preview arrive as `UNKNOWN`.
The shapes follow `pulumirpc.ResourceProvider`; the providers themselves are in
`rehearsal.providers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, final


@final
class Unknown:
    """The value of an output that does not exist before an `up`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self

    def __copy__(self) -> Unknown:
        return self


UNKNOWN: Final = Unknown()

Value: TypeAlias = (
    "bool | int | float | str | Unknown | Sequence[Value] | Mapping[str, Value] | None"
)
Properties: TypeAlias = dict[str, Value]


class DiffKind(StrEnum):
    """The kinds of a property's difference, by the names that engine events use."""

    ADD = "add"
    ADD_REPLACE = "add-replace"
    DELETE = "delete"
    DELETE_REPLACE = "delete-replace"
    UPDATE = "update"
    UPDATE_REPLACE = "update-replace"


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """One reason why inputs are refused; `property` is empty when it is about the whole."""

    reason: str
    property: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Inputs with the provider's defaults filled in, or the reasons against them."""

    inputs: Properties
    failures: tuple[CheckFailure, ...] = ()


@dataclass(frozen=True, slots=True)
class DiffResult:
    """What an update would change: top-level keys, and property paths with their kind.

    Without `detailed` the provider does not go into paths.
    """

    changes: bool
    replaces: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, DiffKind] | None = field(default_factory=dict)
    delete_before_replace: bool = False


@dataclass(frozen=True, slots=True)
class CreateResult:
    """The id and outputs of a created resource; a previewed one has an empty id."""

    id: str
    outputs: Properties


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The live state of a resource, and the inputs that would make it."""

    id: str
    outputs: Properties
    inputs: Properties


class ProviderError(Exception):
    """A provider call failed; the message is what the user reads."""


class OutcomeUnknownError(ProviderError):
    """A creation broke off and may have happened all the same: nobody answered any more."""


class ProviderPanicError(ProviderError):
    """A provider raised what it must not: a defect of the provider, of unknown consequences."""


class ResourceInitFailedError(ProviderError):
    """A resource was made or changed, but did not become healthy.

    Carries what is known of it, so that the engine can record it beside the reasons.
    """

    def __init__(self, *, id: str, outputs: Properties, reasons: Sequence[str]) -> None:  # noqa: A002
        super().__init__("; ".join(reasons))
        self.id = id
        self.outputs = outputs
        self.reasons = tuple(reasons)


class Provider(Protocol):
    """A resource provider for one package, configured once per provider resource.

    `type_` is a full token such as `gcp:pubsub/topic:Topic`; times are in seconds (0: default).
    Every method may raise `ProviderError`. One that has not answered some time after its timeout is
    given up.
    """

    async def check_config(self, inputs: Properties) -> CheckResult:
        """Check the provider's own configuration."""
        ...

    async def configure(self, inputs: Properties, environ: Mapping[str, str]) -> None:
        """Take the configuration; credentials come from `environ`, never from state."""
        ...

    async def check(
        self, *, urn: str, type_: str, olds: Properties | None, news: Properties
    ) -> CheckResult:
        """Validate inputs and fill in defaults; `olds` are the inputs before, if any."""
        ...

    async def diff(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str] = (),
    ) -> DiffResult:
        """Compare what was asked for before with what is asked for now."""
        ...

    async def create(
        self, *, urn: str, type_: str, inputs: Properties, timeout: float, preview: bool
    ) -> CreateResult:
        """Make the resource; in a preview, answer with what can be known beforehand."""
        ...

    async def read(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        outputs: Properties,
        inputs: Properties,
    ) -> ReadResult | None:
        """Read the live resource; None when it is gone. On import both maps are empty."""
        ...

    async def update(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        timeout: float,
        preview: bool,
    ) -> Properties:
        """Change the resource in place and answer with its new outputs."""
        ...

    async def delete(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        outputs: Properties,
        inputs: Properties,
        timeout: float,
    ) -> None:
        """Delete the resource; one that is gone already is a success."""
        ...

    async def invoke(self, token: str, args: Properties) -> Properties:
        """Run a data function such as `gcp:organizations/getProject:getProject`."""
        ...

    async def close(self) -> None:
        """Release connections. Called once, after the last call."""
        ...


class ProviderFactory(Protocol):
    """Makes an unconfigured provider of one package."""

    def __call__(self) -> Provider:
        """Make it; opening connections waits until `configure`."""
        ...
