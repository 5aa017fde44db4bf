"""What holds data is protected, so that no slip deletes it."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Level, PlannedResource, Rule

DATA_TYPES = frozenset(
    {
        "gcp:bigquery/dataset:Dataset",
        "gcp:bigquery/table:Table",
        "gcp:firestore/database:Database",
        "gcp:secretmanager/secret:Secret",
        "gcp:storage/bucket:Bucket",
    }
)


def check(resource: PlannedResource) -> Iterator[str]:
    """Find data that the next `destroy` would delete, or a bucket that goes with its objects."""
    if resource.type in DATA_TYPES and not resource.is_protected:
        yield "holds data and is not protected"
    if resource.inputs.get("forceDestroy") is True:
        yield "is deleted with everything in it (forceDestroy)"


RULE = Rule(
    name="unprotected-data",
    level=Level.WARN,
    why="deleted data does not come back with the next `up`",
    instead="set `teardown_protection: true` on the resource",
    check=check,
)
