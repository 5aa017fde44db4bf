"""An architecture as nodes and edges, in the direction in which data and calls travel.

How they are drawn is the business of `mermaid`, `dot` and `svg` beside this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from architecture.links import Direction, Link, all_links
from architecture.model import (
    Architecture,
    BigQueryTable,
    CloudSchedulerJob,
    FirestoreCollection,
    Resource,
    Subscription,
)


class NodeKind(StrEnum):
    """What a node stands for, in words for people."""

    DIRECTOR = "director"
    SERVICE = "service"
    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    DATASET = "dataset"
    TABLE = "table"
    BUCKET = "bucket"
    DATABASE = "database"
    COLLECTION = "collection"
    SCHEDULE = "schedule"


class EdgeKind(StrEnum):
    """What an edge means, read from its source to its target."""

    WRITES = "writes to"
    READS = "is read by"
    DELIVERS = "delivers to"
    DEAD_LETTERS = "gives up to"
    CONTAINS = "contains"
    SCHEDULES = "calls on schedule"
    DEPENDS = "may call"

    @property
    def carries_data(self) -> bool:
        """Whether data travels along it; all others are calls, or mere order."""
        return self in {EdgeKind.WRITES, EdgeKind.READS, EdgeKind.DELIVERS}


@dataclass(frozen=True, slots=True)
class Node:
    """A service or a resource; `id` is unique, `note` what a reader may want to know besides."""

    id: str
    kind: NodeKind
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """One node's relation to another."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class Group:
    """A dataflow and what belongs to it."""

    name: str
    description: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class SystemGraph:
    """A whole system; edges are sorted and each is there once."""

    name: str
    groups: tuple[Group, ...]
    edges: tuple[Edge, ...]

    @property
    def nodes(self) -> Iterator[Node]:
        """Yield every node, group by group."""
        for group in self.groups:
            yield from group.nodes

    def summary(self) -> str:
        """Return in a sentence what there is to see."""
        counts = Counter(node.kind for node in self.nodes)
        counted = [_counted(len(self.groups), "dataflow")]
        counted += [_counted(counts[kind], kind) for kind in NodeKind if counts[kind]]
        return f"{', '.join(counted)}."

    def sentences(self) -> Iterator[str]:
        """Yield every edge in words: who writes to what, and so on."""
        names = {node.id: node for node in self.nodes}
        for edge in self.edges:
            yield described(names[edge.source], edge, names[edge.target])


_KINDS = {
    "topics": NodeKind.TOPIC,
    "subscriptions": NodeKind.SUBSCRIPTION,
    "bigquery_datasets": NodeKind.DATASET,
    "bigquery_tables": NodeKind.TABLE,
    "gcs_buckets": NodeKind.BUCKET,
    "firestore_databases": NodeKind.DATABASE,
    "firestore_collections": NodeKind.COLLECTION,
    "cloud_scheduler_jobs": NodeKind.SCHEDULE,
}


def graph_of(arch: Architecture) -> SystemGraph:
    """Return the graph of a hydrated architecture; the director is part of its own dataflow."""
    infra = arch.director_dataflow
    groups = []
    for name, flow in arch.dataflows.items():
        nodes = {_service_id(s): Node(_service_id(s), NodeKind.SERVICE, s) for s in flow.services}
        if name == infra:
            director = _service_id(arch.director.name)
            nodes[director] = Node(director, NodeKind.DIRECTOR, arch.director.name)
        for kind, resource in flow.resources.each():
            node = _node(kind, resource)
            nodes.setdefault(node.id, node)
        groups.append(Group(name, flow.description, tuple(nodes.values())))
    known = {node.id for group in groups for node in group.nodes}
    edges = {edge for edge in _edges(arch) if {edge.source, edge.target} <= known}
    in_order = sorted(edges, key=lambda edge: (edge.source, edge.target, edge.kind))
    return SystemGraph(arch.name, tuple(groups), tuple(in_order))


def described(source: Node, edge: Edge, target: Node) -> str:
    """Return an edge as a sentence."""
    return f"{source.kind} {source.name} {edge.kind} {target.kind} {target.name}"


def _edges(arch: Architecture) -> Iterator[Edge]:
    for link in all_links(arch):
        yield _link_edge(link)
    for service in arch.all_services():
        for target in service.dependencies:
            yield Edge(_service_id(service.name), _service_id(target), EdgeKind.DEPENDS)
    for flow in arch.dataflows.values():
        for kind, resource in flow.resources.each():
            yield from _resource_edges(_node(kind, resource).id, resource)


def _link_edge(link: Link) -> Edge:
    service, resource = _service_id(link.mapping.name), _node(link.kind, link.resource).id
    if link.direction is Direction.PRODUCES:
        return Edge(service, resource, EdgeKind.WRITES)
    return Edge(resource, service, EdgeKind.READS)


def _resource_edges(own_id: str, resource: Resource) -> Iterator[Edge]:
    match resource:
        case Subscription(topic=topic, dead_letter_policy=dead):
            yield Edge(_id(NodeKind.TOPIC, topic), own_id, EdgeKind.DELIVERS)
            if dead is not None:
                yield Edge(own_id, _id(NodeKind.TOPIC, dead.topic), EdgeKind.DEAD_LETTERS)
        case BigQueryTable(dataset=dataset):
            yield Edge(_id(NodeKind.DATASET, dataset), own_id, EdgeKind.CONTAINS)
        case FirestoreCollection(database=database):
            yield Edge(_id(NodeKind.DATABASE, database), own_id, EdgeKind.CONTAINS)
        case CloudSchedulerJob(target_service=target):
            yield Edge(own_id, _service_id(target), EdgeKind.SCHEDULES)


def _node(kind: str, resource: Resource) -> Node:
    name = resource.name
    if isinstance(resource, BigQueryTable):
        name = f"{resource.dataset}.{resource.name}"
    note = resource.schedule if isinstance(resource, CloudSchedulerJob) else ""
    return Node(_id(_KINDS[kind], name), _KINDS[kind], name, note)


def _service_id(name: str) -> str:
    return _id(NodeKind.SERVICE, name)


def _id(kind: NodeKind, name: str) -> str:
    return f"{kind}:{name}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
