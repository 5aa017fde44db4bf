"""The labels of a stack's resources: the architecture's, the resource's own, and ours."""

from __future__ import annotations

from components.labels import resource_labels
from stacks.context import StackContext


def labels_of(
    context: StackContext, dataflow: str | None, own: dict[str, str] | None = None
) -> dict[str, str]:
    """Return a resource's labels; its own win over the architecture's, ours over both."""
    labels = {**context.architecture.labels, **(own or {})}
    return resource_labels(context.name.environment, dataflow, labels)
