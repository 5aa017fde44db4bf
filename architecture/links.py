"""Links: which service writes to or reads from which resource, and how it learns its name.

What a link means for rights is in `architecture.grants`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from architecture.model import (
    Architecture,
    BigQueryTable,
    LinkedResource,
    LookupMethod,
    Resource,
    Resources,
    ServiceMapping,
    Subscription,
    Topic,
)

Where = tuple[str | int, ...]
"""The keys and list positions that lead from the root of a file to a place in it."""


class Direction(StrEnum):
    """Which way data flows between service and resource."""

    PRODUCES = "produces"
    CONSUMES = "consumes"


@dataclass(frozen=True, slots=True)
class Link:
    """One service's use of one resource.

    `kind` is the resource's key in the file, `where` the path from the root to the link.
    """

    dataflow: str
    kind: str
    resource: Resource
    direction: Direction
    mapping: ServiceMapping
    where: Where

    @property
    def method(self) -> LookupMethod:
        """How the service learns the name; `resources.yaml` unless the link says otherwise."""
        return self.mapping.lookup.method if self.mapping.lookup else "yaml"

    @property
    def resource_name(self) -> str:
        """The resource's name as programs use it; a table's is `dataset.table`."""
        if isinstance(self.resource, BigQueryTable):
            return f"{self.resource.dataset}.{self.resource.name}"
        return self.resource.name


def all_links(arch: Architecture) -> Iterator[Link]:
    """Yield every link of every dataflow, in the file's order."""
    for where, dataflow, kind, resource in placed_resources(arch):
        for direction, mapping, steps in _mappings(resource):
            yield Link(dataflow, kind, resource, direction, mapping, where + steps)


def placed_resources(arch: Architecture) -> Iterator[tuple[Where, str, str, Resource]]:
    """Yield every resource with its place, its dataflow and its kind."""
    for dataflow, flow in arch.dataflows.items():
        for kind in Resources.model_fields:
            root = ("dataflows", dataflow, "resources", kind)
            for index, resource in enumerate(getattr(flow.resources, kind)):
                yield (*root, index), dataflow, kind, resource


def links_by_service(arch: Architecture) -> dict[str, list[Link]]:
    """Return every service's links by the service's name."""
    links: dict[str, list[Link]] = {}
    for link in all_links(arch):
        links.setdefault(link.mapping.name, []).append(link)
    return links


def _mappings(resource: Resource) -> Iterator[tuple[Direction, ServiceMapping, Where]]:
    match resource:
        case Topic(producer_service=ServiceMapping() as producer):
            yield Direction.PRODUCES, producer, ("producer_service",)
        case Subscription(consumer_service=ServiceMapping() as consumer):
            yield Direction.CONSUMES, consumer, ("consumer_service",)
        case LinkedResource():
            for index, mapping in enumerate(resource.producers):
                yield Direction.PRODUCES, mapping, ("producers", index)
            for index, mapping in enumerate(resource.consumers):
                yield Direction.CONSUMES, mapping, ("consumers", index)
        case _:
            pass
