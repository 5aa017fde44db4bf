"""What a service is told about its resources: `resources.yaml`, and what a pre-flight test expects.

Writing the file and running the tests are `orchestration.artifacts`' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from architecture import names
from architecture.links import Link, all_links
from architecture.model import (
    Architecture,
    BigQueryTable,
    FirestoreCollection,
    Resource,
    Resources,
)
from architecture.rendering import plain

_EXPECTED: Final = {
    "topics": "EXPECTED_TOPIC_NAME",
    "subscriptions": "EXPECTED_SUBSCRIPTION_NAME",
    "gcs_buckets": "EXPECTED_GCS_BUCKET",
    "bigquery_tables": "EXPECTED_BQ_TABLE",
    "bigquery_datasets": "EXPECTED_BQ_DATASET",
    "firestore_collections": "EXPECTED_FS_COLLECTION",
}


def resources_for(arch: Architecture, service_name: str) -> dict[str, JsonValue]:
    """Return the content of a service's `resources.yaml`: exactly its linked resources.

    A link whose lookup is `env` or `db` is found there, not in the file.
    """
    linked = _linked(arch, service_name)
    return {kind: [_entry(resource) for resource in resources] for kind, resources in linked}


def preflight_expectations(arch: Architecture, service_name: str) -> dict[str, str]:
    """Return the variables that tell a service's pre-flight test which names to find."""
    expected: dict[str, str] = {}
    for kind, resources in _linked(arch, service_name):
        if kind in _EXPECTED:
            expected[_EXPECTED[kind]] = ",".join(sorted({item.name for item in resources}))
    if service_name == arch.director.name:
        expected |= _director_expectations(arch)
    return expected


def _director_expectations(arch: Architecture) -> dict[str, str]:
    return {
        "EXPECTED_COMMAND_TOPIC": arch.director.command_topic.name,
        "EXPECTED_COMPLETION_TOPIC": arch.director.completion_topic.name,
        "EXPECTED_COMMAND_SUBSCRIPTION": names.command_subscription(arch),
    }


def _linked(arch: Architecture, service_name: str) -> Iterator[tuple[str, list[Resource]]]:
    """Yield the service's resources by kind, in the order of the file's keys."""
    found: dict[str, dict[str, Resource]] = {}
    for link in all_links(arch):
        if link.mapping.name == service_name and link.method == "yaml":
            found.setdefault(link.kind, {}).setdefault(link.resource_name, link.resource)
            for kind, container in _containers(arch, link):
                found.setdefault(kind, {}).setdefault(container.name, container)
    for kind in Resources.model_fields:
        if kind in found:
            yield kind, list(found[kind].values())


def _containers(arch: Architecture, link: Link) -> Iterator[tuple[str, Resource]]:
    """Yield what the link's resource lives in: a table's dataset, a collection's database."""
    match link.resource:
        case BigQueryTable(dataset=wanted):
            kind = "bigquery_datasets"
        case FirestoreCollection(database=wanted):
            kind = "firestore_databases"
        case _:
            return
    for dataflow in arch.dataflows.values():
        for container in getattr(dataflow.resources, kind):
            if container.name == wanted:
                yield kind, container


def _entry(resource: Resource) -> dict[str, JsonValue]:
    entry = plain(resource)
    if isinstance(resource, BigQueryTable) and resource.schema_type:
        # Programs written for the upstream tool read this key even when it is empty.
        return _with_key_in_order(resource, entry, "schema_import_path")
    return entry


def _with_key_in_order(
    resource: Resource, entry: dict[str, JsonValue], key: str
) -> dict[str, JsonValue]:
    complete = {**entry, key: getattr(resource, key)}
    return {name: complete[name] for name in type(resource).model_fields if name in complete}
