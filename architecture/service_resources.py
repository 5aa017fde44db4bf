"""What a service is told about its resources: `resources.yaml`, and what a pre-flight test expects.

Writing the file and running the tests are `orchestration.artifacts`' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
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

EXPECTED: Final = {
    "topics": "EXPECTED_TOPIC_NAME",
    "subscriptions": "EXPECTED_SUBSCRIPTION_NAME",
    "gcs_buckets": "EXPECTED_GCS_BUCKET",
    "bigquery_tables": "EXPECTED_BQ_TABLE",
    "bigquery_datasets": "EXPECTED_BQ_DATASET",
    "firestore_collections": "EXPECTED_FS_COLLECTION",
}
_CONTAINERS: Final = ("bigquery_datasets", "firestore_databases")

_ByName = dict[str, Resource]


class ServiceResources:
    """What each service of one hydrated architecture is told, all found in one pass.

    A link whose lookup is `env` or `db` is found there, not in `resources.yaml`.
    """

    def __init__(self, arch: Architecture) -> None:
        self._arch = arch
        self._containers = {kind: _declared(arch, kind) for kind in _CONTAINERS}
        self._linked: dict[str, dict[str, _ByName]] = {}
        for link in all_links(arch):
            if link.method == "yaml":
                self._add(link)

    def content(self, service_name: str) -> dict[str, JsonValue]:
        """Return the content of a service's `resources.yaml`: exactly its linked resources."""
        return {
            kind: [_entry(resource) for resource in resources.values()]
            for kind, resources in self._of(service_name)
        }

    def expectations(self, service_name: str) -> dict[str, str]:
        """Return the variables that tell a service's pre-flight test which names to find."""
        expected = {
            EXPECTED[kind]: ",".join(sorted({item.name for item in resources.values()}))
            for kind, resources in self._of(service_name)
            if kind in EXPECTED
        }
        if service_name == self._arch.director.name:
            expected |= _director_expectations(self._arch)
        return expected

    def _of(self, service_name: str) -> Iterator[tuple[str, _ByName]]:
        """Yield the service's resources by kind, in the order of the file's keys."""
        found = self._linked.get(service_name, {})
        for kind in Resources.model_fields:
            if kind in found:
                yield kind, found[kind]

    def _add(self, link: Link) -> None:
        found = self._linked.setdefault(link.mapping.name, {})
        found.setdefault(link.kind, {}).setdefault(link.resource_name, link.resource)
        match link.resource:
            case BigQueryTable(dataset=wanted):
                kind = "bigquery_datasets"
            case FirestoreCollection(database=wanted):
                kind = "firestore_databases"
            case _:
                return
        if container := self._containers[kind].get(wanted):
            found.setdefault(kind, {}).setdefault(wanted, container)


def _declared(arch: Architecture, kind: str) -> _ByName:
    """Return the resources of a kind by their names."""
    return {
        resource.name: resource
        for dataflow in arch.dataflows.values()
        for resource in getattr(dataflow.resources, kind)
    }


def _director_expectations(arch: Architecture) -> dict[str, str]:
    return {
        "EXPECTED_COMMAND_TOPIC": arch.director.command_topic.name,
        "EXPECTED_COMPLETION_TOPIC": arch.director.completion_topic.name,
        "EXPECTED_COMMAND_SUBSCRIPTION": names.command_subscription(arch),
    }


def _entry(resource: Resource) -> dict[str, JsonValue]:
    entry = plain(resource)
    if isinstance(resource, BigQueryTable) and resource.schema_file:
        # Its folder is one of whoever deploys: it says nothing to a service, and would make
        # another image in every checkout.
        entry["schema_file"] = PurePath(resource.schema_file).name
    if isinstance(resource, BigQueryTable) and resource.schema_type:
        # Programs written for the upstream tool read this key even when it is empty.
        return _with_key_in_order(resource, entry, "schema_import_path")
    return entry


def _with_key_in_order(
    resource: Resource, entry: dict[str, JsonValue], key: str
) -> dict[str, JsonValue]:
    complete = {**entry, key: getattr(resource, key)}
    return {name: complete[name] for name in type(resource).model_fields if name in complete}
