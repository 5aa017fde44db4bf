"""How far a change reaches: the architecture's graph, from what changes onwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from architecture.graph import SystemGraph
from orchestration.automation.results import Json, PlannedStep
from orchestration.review.model import Impact, ResourceChange

# What a resource is called in the graph: its kind there, and the inputs that make its name.
NODE_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gcp:bigquery/dataset:Dataset": ("dataset", ("datasetId",)),
    "gcp:bigquery/table:Table": ("table", ("datasetId", "tableId")),
    "gcp:cloudrunv2/service:Service": ("service", ("name",)),
    "gcp:cloudscheduler/job:Job": ("schedule", ("name",)),
    "gcp:firestore/database:Database": ("database", ("name",)),
    "gcp:pubsub/subscription:Subscription": ("subscription", ("name",)),
    "gcp:pubsub/topic:Topic": ("topic", ("name",)),
    "gcp:storage/bucket:Bucket": ("bucket", ("name",)),
}
SERVICE = "service:"


def impact_of(
    graphs: Sequence[SystemGraph],
    steps: Iterable[PlannedStep],
    changes: Iterable[ResourceChange],
) -> Impact:
    """Say what a change reaches; what only repairs drift is no part of it.

    Args:
        graphs: the system as it shall be, and as it was where that is known: what is deleted is
            only in the latter.
        steps: all planned steps.
        changes: the same as changes, for what they put at risk, whatever for.
    """
    changed = {
        node
        for step in steps
        if not step.is_quiet and not step.repairs_drift
        for node in _node_of(step)
    }
    edges = {edge for graph in graphs for edge in graph.edges}
    beside = {
        end
        for edge in edges
        if changed & {edge.source, edge.target}
        for end in (edge.source, edge.target)
        if end.startswith(SERVICE)
    }
    # Data that comes through what changes; calls and mere order do not carry it on.
    reached, ahead = set(changed), list(changed)
    follow: dict[str, set[str]] = {}
    for edge in edges:
        if edge.kind.carries_data:
            follow.setdefault(edge.source, set()).add(edge.target)
    while ahead:
        for onwards in follow.get(ahead.pop(), set()) - reached:
            reached.add(onwards)
            ahead.append(onwards)
    own = _services(changed)
    touched = _services(beside) - own
    return Impact(
        changed_services=tuple(sorted(own)),
        touched_services=tuple(sorted(touched)),
        downstream_services=tuple(sorted(_services(reached) - own - touched)),
        dataflows=tuple(
            sorted(
                {
                    group.name
                    for graph in graphs
                    for group in graph.groups
                    if any(node.id in changed for node in group.nodes)
                }
            )
        ),
        data_at_risk=tuple(
            sorted(
                {f"{kind_of(change.type)} {change.name}" for change in changes if change.holds_data}
            )
        ),
    )


def kind_of(type_: str) -> str:
    """Give a type's last word as people write it: `gcp:storage/bucket:Bucket` is a bucket."""
    return NODE_KINDS[type_][0] if type_ in NODE_KINDS else type_.rpartition(":")[2]


def _node_of(step: PlannedStep) -> set[str]:
    if step.type not in NODE_KINDS:
        return set()
    kind, keys = NODE_KINDS[step.type]
    return {
        f"{kind}:{name}" for inputs in (step.before, step.after) if (name := _name(inputs, keys))
    }


def _name(inputs: Mapping[str, Json], keys: tuple[str, ...]) -> str:
    parts = [inputs.get(key) for key in keys]
    return ".".join(part for part in parts if isinstance(part, str))


def _services(nodes: Iterable[str]) -> set[str]:
    return {node.removeprefix(SERVICE) for node in nodes if node.startswith(SERVICE)}
