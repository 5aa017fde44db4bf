"""Which resources of a system lie within which, so that conflicts see through the names.

Recommendations name resources of an environment as `services/<name>`, `dataflows/<name>`,
`topics/<name>` and so on. Who changes a dataflow touches everything in it, and who changes a
topic its subscriptions; names that the architecture does not have stay opaque.
"""

from __future__ import annotations

from collections.abc import Iterator

from architecture.model import Architecture, Dataflow, Resources
from orchestration.coordination.rules import ResourceTree


def resource_tree(architecture: Architecture) -> ResourceTree:
    """Give what contains each service and resource of an architecture."""
    parents: dict[str, tuple[str, ...]] = {}
    for dataflow_name, dataflow in architecture.dataflows.items():
        for resource, inner_parent in _contents(dataflow):
            # Two dataflows may declare one name, and then both contain it.
            known = parents.get(resource, ())
            found = (f"dataflows/{dataflow_name}", *([inner_parent] if inner_parent else []))
            parents[resource] = tuple(dict.fromkeys([*known, *found]))
    return ResourceTree(parents)


def _contents(dataflow: Dataflow) -> Iterator[tuple[str, str | None]]:
    """Yield what lies in a dataflow, each with the resource that it lies in, if it does."""
    for service in dataflow.services.values():
        yield f"services/{service.name}", None
    yield from _resources(dataflow.resources)


def _resources(resources: Resources) -> Iterator[tuple[str, str | None]]:
    for topic in resources.topics:
        yield f"topics/{topic.name}", None
    for subscription in resources.subscriptions:
        yield f"subscriptions/{subscription.name}", f"topics/{subscription.topic}"
    for bucket in resources.gcs_buckets:
        yield f"buckets/{bucket.name}", None
    for dataset in resources.bigquery_datasets:
        yield f"datasets/{dataset.name}", None
    for table in resources.bigquery_tables:
        yield f"tables/{table.name}", f"datasets/{table.dataset}"
    for database in resources.firestore_databases:
        yield f"databases/{database.name}", None
    for collection in resources.firestore_collections:
        yield f"collections/{collection.name}", f"databases/{collection.database}"
    for schedule in resources.cloud_scheduler_jobs:
        yield f"schedules/{schedule.name}", None
