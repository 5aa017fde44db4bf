"""Which resources hold data, and are therefore never deleted by a rollback.

What a rollback deletes, nobody has asked to lose; a bucket with a day's messages in it does not
come back with the next `up`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from orchestration.automation.results import (
    HeldResource,
    Json,
    OnStackEvent,
    StackResult,
    ignore_event,
)
from orchestration.automation.stacks import StackOperations

# Design 4: buckets, tables, databases, secrets; topics only where they retain messages.
DATA_TYPES = frozenset(
    {
        "gcp:bigquery/dataset:Dataset",
        "gcp:bigquery/table:Table",
        "gcp:firestore/database:Database",
        "gcp:secretmanager/secret:Secret",
        "gcp:secretmanager/secretVersion:SecretVersion",
        "gcp:storage/bucket:Bucket",
    }
)
TOPIC_TYPE = "gcp:pubsub/topic:Topic"
RETENTION_KEY = "messageRetentionDuration"
PROVIDER_PREFIX = "pulumi:providers:"


def bears_data(resource: HeldResource) -> bool:
    """Say whether deleting the resource would delete data."""
    return holds_data(resource.type, resource.inputs)


def holds_data(type_: str, inputs: Mapping[str, Json]) -> bool:
    """Say whether deleting a resource of a type, with these inputs, would delete data."""
    if type_ == TOPIC_TYPE:
        return bool(inputs.get(RETENTION_KEY))
    return type_ in DATA_TYPES


def without_data(resources: Sequence[HeldResource]) -> tuple[str, ...]:
    """Give the URNs of all that may be deleted: neither data, nor what data hangs on."""
    kept = set(_with_parents(resources, (r for r in resources if bears_data(r))))
    return tuple(
        r.urn
        for r in resources
        if r.urn not in kept and not (kept and r.type.startswith(PROVIDER_PREFIX))
    )


def take_down(
    operations: StackOperations, stack: str, on_event: OnStackEvent = ignore_event
) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Delete what of a stack holds no data; a stack that is empty then is removed.

    Returns:
        The names of what is kept, and how many resources each operation concerned.

    Raises:
        StackFailed: it failed.
    """
    operations.refresh(stack, on_event=on_event)
    resources = operations.resources(stack)
    data = tuple(resource.name for resource in resources if bears_data(resource))
    if not data:
        changes = operations.destroy(stack, on_event=on_event).changes
        operations.remove(stack)
        return (), changes
    going = without_data(resources)
    if not going:
        return data, {}
    return data, operations.destroy(stack, only=going, on_event=on_event).changes


def bring_back(
    operations: StackOperations, stack: str, on_event: OnStackEvent = ignore_event
) -> tuple[tuple[str, ...], StackResult]:
    """Bring a stack up as its inputs say now, except that no data is deleted or replaced.

    Returns:
        The names of what is kept as it is, and what was done.

    Raises:
        StackFailed: it failed.
    """
    bearing = {r.urn: r.name for r in operations.resources(stack) if bears_data(r)}
    doomed = [
        step.urn
        for step in operations.preview(stack, refresh=True).steps
        if "delete" in step.operation or "replace" in step.operation
    ]
    spared = {urn: bearing[urn] for urn in doomed if urn in bearing}
    result = operations.up(stack, refresh=True, spared=tuple(spared), on_event=on_event)
    return tuple(spared.values()), result


def _with_parents(
    resources: Sequence[HeldResource], wanted: Iterable[HeldResource]
) -> Iterable[str]:
    by_urn = {resource.urn: resource for resource in resources}
    for resource in wanted:
        at: HeldResource | None = resource
        while at is not None:
            yield at.urn
            at = by_urn.get(at.parent)
