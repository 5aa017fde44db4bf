"""Every grant that an architecture needs, each with its reason: one value that all readers share.

Who applies them is `components`' business, who waits for them `orchestration.access`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from architecture.model import Layer


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


@dataclass(frozen=True, slots=True, order=True)
class GrantResource:
    """A resource by its short name; a table's is `dataset.table`, an account's its e-mail."""

    kind: ResourceKind
    name: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one member on one resource, and the stack that makes it."""

    member: str
    role: str
    resource: GrantResource
    layer: Layer
    dataflow: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class GrantPlan:
    """All grants: those the user's file asks for, and apart from them the harness's own."""

    application: tuple[Grant, ...]
    harness: tuple[Grant, ...]

    @property
    def all(self) -> tuple[Grant, ...]:
        """Every grant, in order."""
        return self.application + self.harness

    def for_layer(self, layer: Layer, dataflow: str | None = None) -> tuple[Grant, ...]:
        """Return the grants that one stack makes."""
        return tuple(g for g in self.all if (g.layer, g.dataflow) == (layer, dataflow))
