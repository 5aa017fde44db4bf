"""What becomes of each resource, property by property, from the steps of a preview."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from orchestration.automation.results import UNKNOWN_OUTPUT, Json, PlannedStep
from orchestration.releases.data import DATA_TYPES, RETENTION_KEY, TOPIC_TYPE
from orchestration.review.model import AttributeChange, ResourceChange
from orchestration.review.unknowns import source_of

# A step of a property path: `.name`, `name`, `[0]` or `["a name"]` (pulumi property-paths).
PATH_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')

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


def holds_data(type_: str, inputs: Mapping[str, Json]) -> bool:
    """Say whether deleting such a resource deletes data (design.md 4)."""
    if type_ == TOPIC_TYPE:
        return bool(inputs.get(RETENTION_KEY))
    return type_ in DATA_TYPES


def attribute_changes(step: PlannedStep) -> Iterator[AttributeChange]:
    """Yield the properties that a step changes, sorted by path.

    The engine names the paths of updates and replacements; of what is created or deleted, every
    property is one.
    """
    replacing = {change.path for change in step.changes if change.replaces}
    paths = {change.path for change in step.changes} or {
        path
        for path in {*leaves(step.before), *leaves(step.after)}
        if value_at(step.before, path) != value_at(step.after, path)
    }
    for path in sorted(paths):
        after = value_at(step.after, path)
        yield AttributeChange(
            path=path,
            item=_item_name(step.after, path) or _item_name(step.before, path),
            before=value_at(step.before, path),
            after=after,
            replaces=path in replacing,
            unknown_from=source_of(step, path) if contains_unknown(after) else "",
        )


def _item_name(properties: Mapping[str, Json], path: str) -> str:
    """Name the innermost list item on a path, if it has a name."""
    item, bracket, rest = path.rpartition("]")
    name = value_at(properties, f"{item}].name") if bracket and rest else None
    return name if isinstance(name, str) else ""


def value_at(properties: Mapping[str, Json], path: str) -> Json:
    """Look a property path up; None where there is nothing."""
    at: Json = dict(properties)
    for match in PATH_STEP.finditer(path):
        name, index, quoted = match.groups()
        if index is not None:
            at = at[int(index)] if isinstance(at, list) and int(index) < len(at) else None
        else:
            key = name if name is not None else quoted.replace('\\"', '"')
            at = at.get(key) if isinstance(at, dict) else None
    return at


def leaves(properties: Mapping[str, Json], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all values that are no mappings; lists are values."""
    for name, value in properties.items():
        path = f"{prefix}.{name}" if prefix else name
        if not name.isidentifier():
            path = f'{prefix}["{name}"]'
        if isinstance(value, dict) and value and value != UNKNOWN_OUTPUT:
            yield from leaves(value, path)
        else:
            yield path


def contains_unknown(value: Json) -> bool:
    """Say whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return value == UNKNOWN_OUTPUT or any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return False
