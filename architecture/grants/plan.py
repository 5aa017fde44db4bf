"""Grants as values: one role for one member on one resource, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from architecture.model import Layer

_LAYERS: Final[tuple[Layer, ...]] = ("foundation", "images", "director", "dataflow", "services")


class ResourceKind(StrEnum):
    """What a grant is on."""

    PROJECT = "project"
    SERVICE_ACCOUNT = "service-account"
    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    DATASET = "dataset"
    TABLE = "table"
    BUCKET = "bucket"
    SECRET = "secret"  # noqa: S105 - a kind, not a password
    REPOSITORY = "repository"
    SERVICE = "service"
    # A key of Cloud KMS, by its full path: it may be another project's.
    KEY = "key"


@dataclass(frozen=True, slots=True)
class GrantResource:
    """A resource by its short name; a table's is `dataset.table`, an account's its e-mail."""

    kind: ResourceKind
    name: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where the stacks' state is in Google's cloud: a bucket, and the key that secrets are behind.

    Both are there before the architecture is, and belong to no stack.
    """

    bucket: str
    key: str


GrantKey = tuple[str, str, GrantResource]


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one member on one resource, and the stack that makes it."""

    member: str
    role: str
    resource: GrantResource
    layer: Layer
    dataflow: str | None
    reason: str

    @property
    def key(self) -> GrantKey:
        """What makes two grants the same, whoever asks for them."""
        return self.member, self.role, self.resource


@dataclass(frozen=True, slots=True)
class GrantPlan:
    """All grants: those the user's file asks for, and apart from them the harness's own.

    `agents` are those that Google's own agents get, whose names only the project knows.
    """

    application: tuple[Grant, ...]
    harness: tuple[Grant, ...]
    agents: tuple[Grant, ...] = ()

    @property
    def all(self) -> tuple[Grant, ...]:
        """Every grant to a member that the file names, the application's first."""
        return self.application + self.harness

    def for_layer(self, layer: Layer, dataflow: str | None = None) -> tuple[Grant, ...]:
        """Return the grants that one stack makes."""
        return tuple(g for g in self.all if (g.layer, g.dataflow) == (layer, dataflow))


def merged(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return each grant once, with all of its reasons, whatever the order of the file.

    Two stacks that made the same grant would take it from each other: the one that is up first
    makes it.
    """
    same: dict[GrantKey, list[Grant]] = {}
    for grant in grants:
        same.setdefault(grant.key, []).append(grant)
    once = (
        replace(min(group, key=_order), reason="; ".join(sorted({g.reason for g in group})))
        for group in same.values()
    )
    return tuple(sorted(once, key=_order))


def _order(grant: Grant) -> tuple[int, str, str, str, str, str]:
    on = grant.resource
    layer = _LAYERS.index(grant.layer)
    return layer, grant.dataflow or "", on.kind, on.name, grant.role, grant.member
