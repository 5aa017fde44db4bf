"""A service has a bound: on instances, on memory and on processors."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule, items, mapping

SERVICE_TYPE = "gcp:cloudrunv2/service:Service"


def check(resource: PlannedResource) -> Iterator[str]:
    """Find Cloud Run services that may grow, or eat, without end."""
    if resource.type != SERVICE_TYPE:
        return
    template = mapping(resource.inputs.get("template"))
    if not mapping(template.get("scaling")).get("maxInstanceCount"):
        yield "has no greatest number of instances"
    for container in items(template.get("containers")):
        limits = mapping(mapping(container.get("resources")).get("limits"))
        missing = [name for name in ("cpu", "memory") if not limits.get(name)]
        if missing:
            yield f"has no limit of {' and '.join(missing)}"


RULE = Rule(
    name="no-limits",
    level=Level.WARN,
    why="a service without bounds turns a flood of messages into a bill",
    instead="set `max_instances`, `cpu` and `memory` in the service's deployment",
    check=check,
)
