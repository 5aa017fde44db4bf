"""Which resources hold data, and are therefore never deleted by a rollback.

What a rollback deletes, nobody has asked to lose; a bucket with a day's messages in it does not
come back with the next `up`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestration.automation.results import HeldResource

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
    if resource.type == TOPIC_TYPE:
        return bool(resource.inputs.get(RETENTION_KEY))
    return resource.type in DATA_TYPES


def without_data(resources: Sequence[HeldResource]) -> tuple[str, ...]:
    """Give the URNs of all that may be deleted: neither data, nor what data hangs on."""
    kept = set(_with_parents(resources, (r for r in resources if bears_data(r))))
    return tuple(
        r.urn
        for r in resources
        if r.urn not in kept and not (kept and r.type.startswith(PROVIDER_PREFIX))
    )


def _with_parents(
    resources: Sequence[HeldResource], wanted: Iterable[HeldResource]
) -> Iterable[str]:
    by_urn = {resource.urn: resource for resource in resources}
    for resource in wanted:
        at: HeldResource | None = resource
        while at is not None:
            yield at.urn
            at = by_urn.get(at.parent)
