"""Every grant that an architecture needs, each with its reason: one value that all readers share.

Who applies them is `components`' business, who waits for them `orchestration.access`'. What the
director's custom role permits is in `architecture.director_role`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from architecture import names
from architecture.director_role import director_permissions
from architecture.links import Direction, Link, all_links
from architecture.model import (
    AccessPolicy,
    Architecture,
    BigQueryTable,
    Layer,
    Resource,
    Service,
    Subscription,
)

__all__ = [
    "Grant",
    "GrantPlan",
    "GrantResource",
    "ResourceKind",
    "director_permissions",
    "plan_grants",
]


class ResourceKind(StrEnum):
    """What a grant is on."""

    PROJECT = "project"
    SERVICE_ACCOUNT = "service-account"
    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    DATASET = "dataset"
    TABLE = "table"
    BUCKET = "bucket"
    SECRET = "secret"  # noqa: S105 - a kind, not a password
    REPOSITORY = "repository"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class GrantResource:
    """A resource by its short name; a table's is `dataset.table`, an account's its e-mail."""

    kind: ResourceKind
    name: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one member on one resource, and the stack that makes it."""

    member: str
    role: str
    resource: GrantResource
    layer: Layer
    dataflow: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class GrantPlan:
    """All grants: those the user's file asks for, and apart from them the harness's own."""

    application: tuple[Grant, ...]
    harness: tuple[Grant, ...]

    @property
    def all(self) -> tuple[Grant, ...]:
        """Every grant, the application's first."""
        return self.application + self.harness

    def for_layer(self, layer: Layer, dataflow: str | None = None) -> tuple[Grant, ...]:
        """Return the grants that one stack makes."""
        return tuple(g for g in self.all if (g.layer, g.dataflow) == (layer, dataflow))


_LAYERS: Final[tuple[Layer, ...]] = ("foundation", "images", "director", "dataflow", "services")

_RESOURCE_KINDS: Final = {
    "topics": ResourceKind.TOPIC,
    "subscriptions": ResourceKind.SUBSCRIPTION,
    "bigquery_datasets": ResourceKind.DATASET,
    "bigquery_tables": ResourceKind.TABLE,
    "gcs_buckets": ResourceKind.BUCKET,
    # Google has no policies on these; a grant goes to the whole project.
    "firestore_databases": ResourceKind.PROJECT,
    "firestore_collections": ResourceKind.PROJECT,
}

_LINK_ROLES: Final = {
    ("topics", Direction.PRODUCES): ("roles/pubsub.publisher", "roles/pubsub.viewer"),
    ("subscriptions", Direction.CONSUMES): ("roles/pubsub.subscriber", "roles/pubsub.viewer"),
    ("bigquery_tables", Direction.PRODUCES): ("roles/bigquery.dataEditor",),
    ("bigquery_tables", Direction.CONSUMES): ("roles/bigquery.dataViewer",),
    ("gcs_buckets", Direction.PRODUCES): ("roles/storage.objectAdmin",),
    ("gcs_buckets", Direction.CONSUMES): ("roles/storage.objectViewer",),
    ("firestore_databases", Direction.PRODUCES): ("roles/datastore.user",),
    ("firestore_databases", Direction.CONSUMES): ("roles/datastore.viewer",),
    ("firestore_collections", Direction.PRODUCES): ("roles/datastore.user",),
    ("firestore_collections", Direction.CONSUMES): ("roles/datastore.viewer",),
}


def plan_grants(arch: Architecture, *, deployer: str | None = None) -> GrantPlan:
    """Return every grant of a hydrated architecture.

    Args:
        arch: the architecture, hydrated.
        deployer: the member that deploys; it may then take on each account's identity, so that
            waiting for a grant can try the grant itself.

    Raises:
        ValueError: the architecture names no project, so that nobody has an identity yet.
    """
    if not arch.project_id:
        raise ValueError("an architecture must be hydrated before its grants can be planned")
    planner = _Planner(arch)
    harness = [*planner.director_grants(), *planner.deployer_grants(deployer)]
    return GrantPlan(_merged(planner.application_grants()), _merged(harness))


def _merged(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return each grant once, with all of its reasons, whatever the order of the file."""
    same: dict[tuple[str, str, GrantResource], list[Grant]] = {}
    for grant in grants:
        same.setdefault((grant.member, grant.role, grant.resource), []).append(grant)
    merged = (
        replace(min(group, key=_order), reason="; ".join(sorted({g.reason for g in group})))
        for group in same.values()
    )
    return tuple(sorted(merged, key=_order))


def _order(grant: Grant) -> tuple[int, str, str, str, str, str]:
    on = grant.resource
    layer = _LAYERS.index(grant.layer)
    return layer, grant.dataflow or "", on.kind, on.name, grant.role, grant.member


class _Planner:
    """Derives grants from one architecture."""

    def __init__(self, arch: Architecture) -> None:
        self._arch = arch
        self._director = arch.director.name
        self._infra = arch.director_dataflow
        self._services = {service.name: service for service in arch.all_services()}
        self._flow_of_service = {service.name: flow for flow, service in arch.services()}
        self._flow_of_topic = {
            topic.name: name
            for name, flow in arch.dataflows.items()
            for topic in flow.resources.topics
        }

    def application_grants(self) -> Iterator[Grant]:
        """Yield what links, dependencies, secrets, schedules and explicit policies ask for."""
        for link in all_links(self._arch):
            if not self._is_directors(link):
                yield from self._link(link)
        for service in self._services.values():
            yield from self._dependencies(service)
            yield from self._secrets(service)
        yield from self._schedules()
        yield from self._explicit()

    def director_grants(self) -> Iterator[Grant]:
        """Yield the director's own: its custom role, its command and completion topics."""
        yield Grant(
            self._member(self._director),
            names.director_role(self._arch),
            self._project(),
            "foundation",
            None,
            f"the director {self._director} sets up the resources of every dataflow",
        )
        for link in all_links(self._arch):
            if self._is_directors(link):
                yield from self._link(link)

    def deployer_grants(self, deployer: str | None) -> Iterator[Grant]:
        """Yield what the deployer needs to try a grant as the account that has it."""
        for account in names.service_accounts(self._arch) if deployer else ():
            email = names.account_email(account, self._arch.project_id)
            yield Grant(
                deployer or "",
                "roles/iam.serviceAccountTokenCreator",
                GrantResource(ResourceKind.SERVICE_ACCOUNT, email),
                "foundation",
                None,
                f"waiting for grants of {account} tries them as {account}",
            )

    def _is_directors(self, link: Link) -> bool:
        return link.dataflow == self._infra and link.mapping.name == self._director

    def _link(self, link: Link) -> Iterator[Grant]:
        who = link.mapping.name
        reason = f"service {who} {link.direction} {_described(link.kind, link.resource)}"
        resource = self._resource(link.kind, link.resource)
        for role in _LINK_ROLES[link.kind, link.direction]:
            yield self._grant(who, role, resource, link.dataflow, reason)
        if isinstance(link.resource, Subscription):
            topic = link.resource.topic
            flow = self._flow_of_topic.get(topic, link.dataflow)
            on_topic = GrantResource(ResourceKind.TOPIC, topic)
            yield self._grant(who, "roles/pubsub.viewer", on_topic, flow, f"{reason} of {topic}")

    def _dependencies(self, service: Service) -> Iterator[Grant]:
        for target in service.dependencies:
            reason = f"service {service.name} depends on service {target}"
            yield from self._invocation(self._member(service.name), target, reason)

    def _schedules(self) -> Iterator[Grant]:
        for flow in self._arch.dataflows.values():
            for job in flow.resources.cloud_scheduler_jobs:
                reason = f"schedule {job.name} calls service {job.target_service}"
                yield from self._invocation(
                    self._account(job.service_account), job.target_service, reason
                )

    def _invocation(self, member: str, target: str, reason: str) -> Iterator[Grant]:
        """Yield the right to call a service, made where that service is: after it exists."""
        deployment = self._services[target].deployment
        if deployment is None:
            return
        location = deployment.region or self._arch.region
        resource = GrantResource(ResourceKind.SERVICE, target, location)
        flow = self._flow_of_service.get(target)
        layer: Layer = "director" if flow is None else "services"
        yield Grant(member, "roles/run.invoker", resource, layer, flow, reason)

    def _secrets(self, service: Service) -> Iterator[Grant]:
        secrets = service.deployment.secret_environment_vars if service.deployment else ()
        for variable in secrets:
            yield self._grant(
                service.name,
                "roles/secretmanager.secretAccessor",
                GrantResource(ResourceKind.SECRET, variable.value_from),
                self._flow_of_service.get(service.name),
                f"service {service.name} reads secret {variable.value_from} as {variable.name}",
            )

    def _explicit(self) -> Iterator[Grant]:
        for name, flow in self._arch.dataflows.items():
            for kind, resource in flow.resources.each():
                for policy in resource.iam_access_policy:
                    yield self._placed(
                        self._policy_member(policy),
                        policy.role,
                        self._resource(kind, resource),
                        name,
                        f"iam_access_policy of {_described(kind, resource)} names {policy.name}",
                    )

    def _policy_member(self, policy: AccessPolicy) -> str:
        if policy.type == "service":
            return self._member(policy.name)
        return self._account(policy.name)

    def _grant(
        self, service: str, role: str, resource: GrantResource, flow: str | None, reason: str
    ) -> Grant:
        return self._placed(self._member(service), role, resource, flow, reason)

    def _placed(
        self, member: str, role: str, resource: GrantResource, flow: str | None, reason: str
    ) -> Grant:
        """Return the grant in the layer that its resource belongs to."""
        if resource.kind is ResourceKind.PROJECT:
            return Grant(member, role, resource, "foundation", None, reason)
        if flow is None or flow == self._infra:
            return Grant(member, role, resource, "director", None, reason)
        return Grant(member, role, resource, "dataflow", flow, reason)

    def _resource(self, kind: str, resource: Resource) -> GrantResource:
        on = _RESOURCE_KINDS[kind]
        if on is ResourceKind.PROJECT:
            return self._project()
        if isinstance(resource, BigQueryTable):
            return GrantResource(on, f"{resource.dataset}.{resource.name}")
        return GrantResource(on, resource.name)

    def _project(self) -> GrantResource:
        return GrantResource(ResourceKind.PROJECT, self._arch.project_id)

    def _member(self, service: str) -> str:
        return self._account(self._services[service].service_account)

    def _account(self, account: str) -> str:
        return names.member(names.account_email(account, self._arch.project_id))


def _described(kind: str, resource: Resource) -> str:
    """Return a resource as a sentence names it: `topic tracer-topic`."""
    return f"{kind.removesuffix('s').replace('_', ' ')} {resource.name}"
