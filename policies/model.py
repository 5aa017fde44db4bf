"""What a rule is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pydantic import JsonValue


class Level(StrEnum):
    """Whether a violation stops a run."""

    DENY = "deny"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """A resource as a stack's program declares it.

    `inputs` are its properties as Pulumi names them, in camel case; what is not known before the
    cloud is asked is absent.
    """

    stack: str
    type: str
    name: str
    inputs: Mapping[str, JsonValue]
    is_protected: bool = False


Check: TypeAlias = Callable[[PlannedResource], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its check yields one sentence for each violation of a resource.

    `why` is the reason that a reader is given, `instead` what to do.
    """

    name: str
    level: Level
    why: str
    instead: str
    check: Check


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a resource breaks; `waived` has the reason of a waiver that still holds."""

    rule: str
    level: Level
    stack: str
    resource: str
    message: str
    why: str
    instead: str
    waived: str = ""

    @property
    def stops(self) -> bool:
        """Whether it must be mended, or waived, before anything is applied."""
        return self.level is Level.DENY and not self.waived


def mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    """Give a mapping, empty where there is none."""
    return value if isinstance(value, dict) else {}


def items(value: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    """Yield the mappings of a list; none where there is no list."""
    yield from (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
