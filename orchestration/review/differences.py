"""What becomes of each resource, property by property, from the steps of a preview."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.automation.results import Json, PlannedStep
from orchestration.releases.data import holds_data
from orchestration.review.model import AttributeChange, ResourceChange
from orchestration.review.paths import (
    contains_unknown,
    differing,
    overlap,
    property_of,
    value_at,
)
from orchestration.review.unknowns import source_of

# What a reader must know goes with a resource of a type, data or not.
LOSSES: Mapping[str, str] = {
    "gcp:bigquery/dataset:Dataset": "the dataset and every table in it",
    "gcp:bigquery/table:Table": "every row of the table",
    "gcp:firestore/database:Database": "every document of the database",
    "gcp:pubsub/subscription:Subscription": "messages that are not yet acknowledged",
    "gcp:pubsub/topic:Topic": "messages on the way, and the topic's own policy",
    "gcp:secretmanager/secret:Secret": "every version of the secret",
    "gcp:secretmanager/secretVersion:SecretVersion": "this version of the secret",
    "gcp:serviceaccount/account:Account": "every grant to the account, made by whomever",
    "gcp:storage/bucket:Bucket": "every object in the bucket",
    "gcp:artifactregistry/repository:Repository": "every image in the repository",
    "gcp:cloudrunv2/service:Service": "the service's URL and its revisions",
}


def resource_change(stack: str, step: PlannedStep) -> ResourceChange:
    """Describe what one step does to its resource."""
    attributes = tuple(attribute_changes(step))
    is_destructive = step.operation in {"delete", "replace"}
    return ResourceChange(
        stack=stack,
        operation=step.operation,
        urn=step.urn,
        type=step.type,
        name=step.name,
        attributes=attributes,
        because=tuple(a.path for a in attributes if a.replaces),
        warning=f"loses {LOSSES[step.type]}" if is_destructive and step.type in LOSSES else "",
        holds_data=is_destructive and holds_data(step.type, step.before),
        repairs_drift=step.repairs_drift,
    )


def attribute_changes(step: PlannedStep) -> Iterator[AttributeChange]:
    """Yield the properties that a step changes, sorted by path.

    The engine names the paths of updates and replacements, items of lists by their index: what it
    names is looked at again, so that a new item moves none of the others. Of what is created or
    deleted, every property is one.
    """
    if not step.changes:
        is_new = not step.before or not step.after
        found = list(differing(dict(step.before), dict(step.after), "", whole=is_new))
    else:
        found = [
            one
            for name in sorted({property_of(change.path) for change in step.changes})
            for one in _within(step, name)
        ]
    replacing = [change.path for change in step.changes if change.replaces]
    for path, before, after in sorted(found, key=lambda one: one[0]):
        yield AttributeChange(
            path=path,
            before=before,
            after=after,
            replaces=any(overlap(path, other) for other in replacing),
            unknown_from=source_of(step, path) if contains_unknown(after) else "",
        )


def _within(step: PlannedStep, name: str) -> Iterator[tuple[str, Json, Json]]:
    """Yield what differs in one property, as far as the engine says that it does."""
    paths = [change.path for change in step.changes if property_of(change.path) == name]
    seen = [
        one
        for one in differing(step.before.get(name), step.after.get(name), name)
        if any(overlap(one[0], path) for path in paths)
    ]
    # What the cloud has, and not what was asked for, may be what differs.
    yield from seen or [
        (path, value_at(step.before, path), value_at(step.after, path)) for path in paths
    ]
