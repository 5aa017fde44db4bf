"""URNs, provider references and the names they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ROOT_TYPE: Final = "pulumi:pulumi:Stack"
STACK_REFERENCE_TYPE: Final = "pulumi:pulumi:StackReference"
PROVIDER_PREFIX: Final = "pulumi:providers:"
_PREFIX: Final = "urn:pulumi:"


@dataclass(frozen=True, slots=True)
class Urn:
    """The parts of `urn:pulumi:STACK::PROJECT::QUALIFIED_TYPE::NAME`."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @property
    def type(self) -> str:
        """The resource's own type, without its parents' types."""
        return self.qualified_type.rpartition("$")[2]

    def __str__(self) -> str:
        return f"{_PREFIX}{self.stack}::{self.project}::{self.qualified_type}::{self.name}"


def parse(urn: str) -> Urn:
    """Take a URN apart.

    Raises:
        ValueError: it is not one.
    """
    parts = urn.removeprefix(_PREFIX).split("::", 3)
    if not urn.startswith(_PREFIX) or len(parts) != 4:  # noqa: PLR2004 (the four parts)
        raise ValueError(f"{urn!r} is not a URN")
    return Urn(*parts)


def make(stack: str, project: str, type_: str, name: str, parent: str = "") -> str:
    """Compose a resource's URN; the root stack adds nothing to its children's types."""
    qualified = type_
    if parent:
        above = parse(parent)
        if above.type != ROOT_TYPE:
            qualified = f"{above.qualified_type}${type_}"
    return str(Urn(stack, project, qualified, name))


def is_provider(type_: str) -> bool:
    """Tell whether a type is a provider resource's."""
    return type_.startswith(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Tell whether a URN is that of a provider the engine made by itself."""
    parsed = parse(urn)
    return is_provider(parsed.type) and (
        parsed.name == "default" or parsed.name.startswith("default_")
    )


def package_of(type_: str) -> str:
    """Name the package that implements a type or function token."""
    return type_.removeprefix(PROVIDER_PREFIX) if is_provider(type_) else type_.split(":", 1)[0]


def display_type(type_: str) -> str:
    """Shorten `gcp:pubsub/topic:Topic` to `gcp:pubsub:Topic`."""
    package, _, rest = type_.partition(":")
    module, colon, name = rest.partition(":")
    return f"{package}:{module.split('/', 1)[0]}:{name}" if colon else type_


def reference(urn: str, id_: str) -> str:
    """Compose a provider reference."""
    return f"{urn}::{id_}"


def split_reference(provider: str) -> tuple[str, str]:
    """Take a provider reference apart into URN and id."""
    urn, _, id_ = provider.rpartition("::")
    return urn, id_
