"""Which kinds of resources the layers can declare.

An architecture with another kind is refused as a whole: leaving a bucket out silently would
deploy services that cannot work.
"""

from __future__ import annotations

from architecture.model import Architecture

SUPPORTED_KINDS = frozenset({"topics", "subscriptions"})


def unsupported_resources(architecture: Architecture) -> list[str]:
    """Name every resource of a kind that no layer declares, as `dataflow: kind name`."""
    return [
        f"{dataflow_name}: {kind} {resource.name}"
        for dataflow_name, dataflow in architecture.dataflows.items()
        for kind, resource in dataflow.resources.each()
        if kind not in SUPPORTED_KINDS
    ]
