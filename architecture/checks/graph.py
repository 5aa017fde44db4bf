"""What depends on each other must have an order, and one name must mean one thing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from architecture import ordering
from architecture.checks.problem import Problem, placed_services
from architecture.findings import shown
from architecture.links import Where, placed_resources
from architecture.model import Architecture, BigQueryTable, FirestoreCollection

_MOST_CYCLES = 20
"""As many are reported at once; whoever has more is helped enough by these."""


def service_order(arch: Architecture) -> Iterator[Problem]:
    """No service depends on itself; the director, which is up first, depends on none."""
    needs: dict[str, set[str]] = {}
    places: dict[str, Where] = {}
    for where, service in placed_services(arch):
        needs.setdefault(service.name, set()).update(service.dependencies)
        places.setdefault(service.name, (*where, "dependencies"))
    for path in _cycles(needs):
        yield _cycle("dependency-cycle", "services depend on each other", path, places[path[0]])
    if arch.director.dependencies:
        message = f"the director depends on {', '.join(map(shown, arch.director.dependencies))}"
        where = ("service_manager_spec", "dependencies")
        yield Problem("director-dependency", where, message, "remove it: the director is up first")


def dataflow_order(arch: Architecture) -> Iterator[Problem]:
    """Dataflows can be set up, and their services deployed, one after the other."""
    services = {service.name: set(service.dependencies) for service in arch.all_services()}
    graphs = {"use each other's resources": ordering.resource_needs(arch)}
    if not ordering.find_cycle(services):
        # Else the services' own circle is the better message.
        graphs["depend on each other's services"] = ordering.service_needs(arch)
    for what, graph in graphs.items():
        for path in _cycles(graph):
            where = ("dataflows", path[0])
            yield _cycle("dataflow-cycle", f"dataflows {what}", path, where)


def _cycles(graph: ordering.Graph) -> Iterator[tuple[str, ...]]:
    left = {name: set(needs) for name, needs in graph.items()}
    for _ in range(_MOST_CYCLES):
        path = ordering.find_cycle(left)
        if not path:
            return
        yield path
        for name, needed in pairwise(path):
            left[name].discard(needed)


def _cycle(rule: str, what: str, path: tuple[str, ...], where: Where) -> Problem:
    message = f"{what} in a circle: {' -> '.join(path)}"
    return Problem(rule, where, message, "remove one of these dependencies")


def unique_names(arch: Architecture) -> Iterator[Problem]:
    """No two services, and no two resources of a kind, have one name, in whatever dataflows."""
    seen: dict[tuple[str, str], str] = {}
    for where, service in placed_services(arch):
        yield from _once(seen, "service", service.name, where)
    for where, _, kind, resource in placed_resources(arch):
        match resource:
            case BigQueryTable(dataset=container) | FirestoreCollection(database=container):
                name = resource.name and f"{container}.{resource.name}"
            case _:
                name = resource.name
        yield from _once(seen, kind.removesuffix("s").replace("_", " "), name, where)


def _once(
    seen: dict[tuple[str, str], str], thing: str, name: str, where: Where
) -> Iterator[Problem]:
    if first := seen.get((thing, name)):
        message = f"there is a {thing} {shown(name)} in {first} already"
        yield Problem("duplicate-name", (*where, "name"), message, "rename one of the two")
    elif name:
        of_flow = len(where) > 1
        owner = f"dataflow {shown(str(where[1]))}" if of_flow else f"`{where[0]}`"
        seen[thing, name] = owner
