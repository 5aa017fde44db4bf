"""Variables that links make must each hold one name, and be nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

from architecture.checks.problem import Problem, placed_services
from architecture.findings import Severity, shown
from architecture.links import Link, Where, links_by_service
from architecture.model import Architecture, Service
from architecture.variables import variable


def link_variables(arch: Architecture) -> Iterator[Problem]:
    """No two links of a service put different names into one variable."""
    links = links_by_service(arch)
    for where, service in placed_services(arch):
        holds: dict[str, str] = {}
        for link in links.get(service.name, ()):
            if link.method != "env":
                continue
            name = variable(link, arch.name_suffix)
            first = holds.setdefault(name, link.resource_name)
            if first != link.resource_name:
                yield _collision(link, name, first)
        yield from _overwritten(service, holds, where)


def _collision(link: Link, name: str, first: str) -> Problem:
    message = (
        f"the variable {shown(name)} of service {shown(link.mapping.name)} would hold both"
        f" {shown(first)} and {shown(link.resource_name)}"
    )
    fix = "give one of the two links a `lookup.key` of its own"
    return Problem("variable-collision", link.where, message, fix)


def _overwritten(service: Service, holds: dict[str, str], where: Where) -> Iterator[Problem]:
    declared = service.deployment.environment_vars if service.deployment else {}
    for name in sorted(declared.keys() & holds.keys()):
        if declared[name] != holds[name]:
            message = f"the variable {shown(name)} is set by a link, to {shown(holds[name])}"
            place = (*where, "deployment", "environment_vars", name)
            fix = "remove it, or give the link another `lookup.key`"
            yield Problem("variable-overwritten", place, message, fix, Severity.WARNING)
