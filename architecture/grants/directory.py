"""Who has which identity, and where a grant is made: in the stack of the resource it is on."""

from __future__ import annotations

from typing import Final

from architecture import names
from architecture.grants.plan import Grant, GrantResource, ResourceKind
from architecture.links import Link
from architecture.model import Architecture, BigQueryTable, Resource, Service

RESOURCE_KINDS: Final = {
    "topics": ResourceKind.TOPIC,
    "subscriptions": ResourceKind.SUBSCRIPTION,
    "bigquery_datasets": ResourceKind.DATASET,
    "bigquery_tables": ResourceKind.TABLE,
    "gcs_buckets": ResourceKind.BUCKET,
    # Google has no policies on these; a grant goes to the whole project.
    "firestore_databases": ResourceKind.PROJECT,
    "firestore_collections": ResourceKind.PROJECT,
}


class Directory:
    """Looks up members, resources and stacks of one architecture."""

    def __init__(self, arch: Architecture) -> None:
        self.arch = arch
        self.director = arch.director.name
        self._infra = arch.director_dataflow
        self.services: dict[str, Service] = {item.name: item for item in arch.all_services()}
        self._flow_of_service = {service.name: flow for flow, service in arch.services()}
        self._flow_of_topic = {
            topic.name: name
            for name, flow in arch.dataflows.items()
            for topic in flow.resources.topics
        }

    def member(self, service: str) -> str:
        """Return the member that a service is."""
        return self.account(self.services[service].service_account)

    def account(self, account: str) -> str:
        """Return the member that a service account is."""
        return names.member(self.email(account))

    def email(self, account: str) -> str:
        """Return a service account's e-mail."""
        return names.account_email(account, self.arch.project_id)

    def dataflow_of(self, service: str) -> str | None:
        """Return the dataflow of a service; the director has none."""
        return self._flow_of_service.get(service)

    def dataflow_of_topic(self, topic: str, otherwise: str) -> str:
        """Return the dataflow that declares a topic."""
        return self._flow_of_topic.get(topic, otherwise)

    def is_directors(self, link: Link) -> bool:
        """Return whether a link is one of the director's own, to its command or completions."""
        return link.dataflow == self._infra and link.mapping.name == self.director

    def project(self) -> GrantResource:
        """Return the project."""
        return GrantResource(ResourceKind.PROJECT, self.arch.project_id)

    def resource(self, kind: str, resource: Resource) -> GrantResource:
        """Return what a grant for a resource is on."""
        on = RESOURCE_KINDS[kind]
        if on is ResourceKind.PROJECT:
            return self.project()
        if isinstance(resource, BigQueryTable):
            return GrantResource(on, f"{resource.dataset}.{resource.name}")
        return GrantResource(on, resource.name)

    def placed(
        self, member: str, role: str, resource: GrantResource, flow: str | None, reason: str
    ) -> Grant:
        """Return the grant in the layer that its resource belongs to."""
        if resource.kind is ResourceKind.PROJECT:
            return Grant(member, role, resource, "foundation", None, reason)
        if flow is None or flow == self._infra:
            return Grant(member, role, resource, "director", None, reason)
        return Grant(member, role, resource, "dataflow", flow, reason)
