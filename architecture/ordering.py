"""In which order the dataflows' stacks can go up: levels, each of which can go up at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter

from architecture.model import Architecture, Dataflow

Levels = tuple[tuple[str, ...], ...]
Graph = Mapping[str, AbstractSet[str]]
"""Names, each with those that must come before it."""


def service_levels(arch: Architecture) -> Levels:
    """Return the dataflows with services or schedules; those they call come first."""
    return levels(service_needs(arch))


def resource_levels(arch: Architecture) -> Levels:
    """Return the dataflows so that those whose topics and datasets others use come first."""
    return levels(resource_needs(arch))


def service_needs(arch: Architecture) -> Graph:
    """Return for each dataflow with services or schedules the dataflows that must run first."""
    flow_of = {service.name: flow for flow, service in arch.services()}

    def needs(dataflow: Dataflow) -> set[str]:
        targets = {name for service in dataflow.services.values() for name in service.dependencies}
        targets |= {job.target_service for job in dataflow.resources.cloud_scheduler_jobs}
        return {flow_of[name] for name in targets if name in flow_of}

    flows = arch.application_dataflows()
    return _graph({name: flow for name, flow in flows.items() if _has_callers(flow)}, needs)


def _has_callers(dataflow: Dataflow) -> bool:
    return bool(dataflow.services or dataflow.resources.cloud_scheduler_jobs)


def resource_needs(arch: Architecture) -> Graph:
    """Return for each dataflow the dataflows whose resources its own resources use."""
    flows = arch.application_dataflows()
    flow_of = {
        (kind, resource.name): name
        for name, flow in flows.items()
        for kind, resource in flow.resources.each()
    }

    def needs(dataflow: Dataflow) -> set[str]:
        return {flow_of[used] for used in _used_resources(dataflow) if used in flow_of}

    return _graph(flows, needs)


def _used_resources(dataflow: Dataflow) -> set[tuple[str, str]]:
    resources = dataflow.resources
    used = {("topics", subscription.topic) for subscription in resources.subscriptions}
    used |= {
        ("topics", subscription.dead_letter_policy.topic)
        for subscription in resources.subscriptions
        if subscription.dead_letter_policy
    }
    used |= {("bigquery_datasets", table.dataset) for table in resources.bigquery_tables}
    return used | {("firestore_databases", c.database) for c in resources.firestore_collections}


def _graph(flows: Mapping[str, Dataflow], needs: Callable[[Dataflow], set[str]]) -> Graph:
    return {name: (needs(flow) & flows.keys()) - {name} for name, flow in flows.items()}


def levels(graph: Graph) -> Levels:
    """Return the names in topological levels, sorted within each.

    Raises:
        CycleError: there is no such order; `find_cycle` names the names in the way.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    found: list[tuple[str, ...]] = []
    while sorter.is_active():
        ready = tuple(sorted(sorter.get_ready()))
        sorter.done(*ready)
        found.append(ready)
    return tuple(found)


def find_cycle(graph: Graph) -> tuple[str, ...]:
    """Return a cycle as the path that closes it; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The sorter's path runs from what is needed to who needs it.
        return tuple(reversed(error.args[1]))
    return ()
