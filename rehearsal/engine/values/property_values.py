"""Property values as the engine holds them, and the questions it asks of them.

How values travel is `wire` (to the program) and `codec` (to the state file); providers get plain
values and never see a secret's wrapper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from rehearsal.engine.provider import UNKNOWN, Properties, Unknown, Value

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker, no secret)
REFERENCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is encrypted in the state and never displayed."""

    value: EngineValue


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A resource passed as a value; `id` is None for a component, UNKNOWN in some previews."""

    urn: str
    id: str | Unknown | None = None
    package_version: str = ""


EngineValue: TypeAlias = (
    "bool | int | float | str | Unknown | Secret | ResourceReference"
    " | Sequence[EngineValue] | Mapping[str, EngineValue] | None"
)
EngineProperties: TypeAlias = dict[str, EngineValue]


def is_list(value: EngineValue) -> bool:
    """Tell a list from the other sequences, which are strings."""
    return isinstance(value, list | tuple)


def plain(value: EngineValue) -> Value:
    """Strip secrets' wrappers and turn resource references into ids, as a provider sees them."""
    match value:
        # First, as most values are one of these: the others are slow to tell.
        case None | bool() | int() | float() | str() | Unknown():
            return value
        case Secret():
            return plain(value.value)
        case ResourceReference():
            return value.urn if value.id is None else value.id
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return [plain(item) for item in value]


def plain_properties(properties: Mapping[str, EngineValue]) -> Properties:
    """Strip a whole resource's properties of secrets' wrappers."""
    return {key: plain(value) for key, value in properties.items()}


def has_unknowns(value: EngineValue) -> bool:
    """Tell whether any part of a value is not known yet."""
    match value:
        case Unknown():
            return True
        case Secret():
            return has_unknowns(value.value)
        case ResourceReference():
            return value.id is UNKNOWN
        case Mapping():
            return any(has_unknowns(item) for item in value.values())
        case list() | tuple():
            return any(has_unknowns(item) for item in value)
        case _:
            return False


def has_secrets(value: EngineValue) -> bool:
    """Tell whether any part of a value is secret."""
    match value:
        case None | bool() | str():
            return False
        case Secret():
            return True
        case Mapping():
            return any(has_secrets(item) for item in value.values())
        case list() | tuple():
            return any(has_secrets(item) for item in value)
        case _:
            return False


def as_secret(value: EngineValue) -> Secret:
    """Make a value secret; one that is secret already stays as it is."""
    return value if isinstance(value, Secret) else Secret(value)


def mark_secrets(
    answer: Mapping[str, EngineValue], asked: Mapping[str, EngineValue]
) -> EngineProperties:
    """Make those properties of a provider's answer secret whose question held a secret.

    Providers see plain values. Objects are compared key by key; of anything else the whole
    becomes secret when the input of the same name contains a secret.
    """
    return {key: _mark(value, asked.get(key)) for key, value in answer.items()}


def _mark(value: EngineValue, asked: EngineValue) -> EngineValue:
    if isinstance(value, Secret) or not has_secrets(asked):
        return value
    if isinstance(value, Mapping) and isinstance(asked, Mapping):
        return mark_secrets(value, asked)
    return Secret(value)


def differing_keys(
    old: Mapping[str, EngineValue], new: Mapping[str, EngineValue]
) -> tuple[str, ...]:
    """Name the top-level properties whose plain values differ."""
    keys = sorted(old.keys() | new.keys())
    return tuple(
        key
        for key in keys
        if (key in old) != (key in new) or plain(old.get(key)) != plain(new.get(key))
    )
