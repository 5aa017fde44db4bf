"""What a rule reports, and the walks over the model that rules share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from architecture.findings import Severity
from architecture.links import Where
from architecture.model import Architecture, Service


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a rule objects to; `where` is in the model, not yet in the file."""

    rule: str
    where: Where
    message: str
    fix: str
    severity: Severity = Severity.ERROR


Rule = Callable[[Architecture], Iterator[Problem]]
"""Yields what is wrong; names that are empty were reported when they were read."""


def placed_services(arch: Architecture) -> Iterator[tuple[Where, Service]]:
    """Yield the director and every application service with its place."""
    yield ("service_manager_spec",), arch.director
    for flow_name, flow in arch.dataflows.items():
        for key, service in flow.services.items():
            yield ("dataflows", flow_name, "services", key), service
