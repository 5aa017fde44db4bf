"""What costs money says whose it is."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule, mapping

LABELLED_TYPES = frozenset(
    {
        "gcp:bigquery/dataset:Dataset",
        "gcp:bigquery/table:Table",
        "gcp:cloudrunv2/service:Service",
        "gcp:pubsub/subscription:Subscription",
        "gcp:pubsub/topic:Topic",
        "gcp:storage/bucket:Bucket",
    }
)


def check(resource: PlannedResource) -> Iterator[str]:
    """Find resources without any label, of the kinds that can have them."""
    if resource.type in LABELLED_TYPES and not mapping(resource.inputs.get("labels")):
        yield "has no labels"


RULE = Rule(
    name="missing-labels",
    level=Level.WARN,
    why="without labels nobody can tell from the bill whose it is",
    instead="set `labels` on the resource, its dataflow, or the whole architecture",
    check=check,
)
