"""What the user's file asks for: each role follows from one line of it.

producer of a topic                  pubsub.publisher, pubsub.viewer on the topic
consumer of a subscription           pubsub.subscriber, pubsub.viewer on it; viewer on its topic
producer, consumer of a table        bigquery.dataEditor, bigquery.dataViewer on the table
producer, consumer of a bucket       storage.objectAdmin, storage.objectViewer on the bucket
producer, consumer in Firestore      datastore.user, datastore.viewer on the project
`dependencies`, `target_service`     run.invoker on the service that is called
`secret_environment_vars`            secretmanager.secretAccessor on the secret
`iam_access_policy`                  the role that it names, on the resource that it is part of
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from architecture.grants.directory import RESOURCE_KINDS, Directory
from architecture.grants.plan import Grant, GrantResource, ResourceKind
from architecture.links import Direction, Link, all_links
from architecture.model import AccessPolicy, BigQueryTable, Layer, Resource, Service, Subscription

LINK_ROLES: Final = {
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


def application_grants(directory: Directory) -> Iterator[Grant]:
    """Yield what links, dependencies, secrets, schedules and explicit policies ask for."""
    for link in all_links(directory.arch):
        if not directory.is_directors(link):
            yield from link_grants(directory, link)
    for service in directory.services.values():
        yield from _dependencies(directory, service)
        yield from _secrets(directory, service)
    yield from _schedules(directory)
    yield from _explicit(directory)


def link_grants(directory: Directory, link: Link) -> Iterator[Grant]:
    """Yield what one link asks for."""
    who = link.mapping.name
    member = directory.member(who)
    reason = f"service {who} {link.direction} {_described(link.kind, link.resource)}"
    resource = directory.resource(link.kind, link.resource)
    for role in LINK_ROLES[link.kind, link.direction]:
        yield directory.placed(member, role, resource, link.dataflow, reason)
    if isinstance(link.resource, Subscription):
        topic = link.resource.topic
        flow = directory.dataflow_of_topic(topic, link.dataflow)
        on = GrantResource(ResourceKind.TOPIC, topic)
        yield directory.placed(member, "roles/pubsub.viewer", on, flow, f"{reason} of {topic}")


def _dependencies(directory: Directory, service: Service) -> Iterator[Grant]:
    for target in service.dependencies:
        reason = f"service {service.name} depends on service {target}"
        yield from _invocation(directory, directory.member(service.name), target, reason)


def _schedules(directory: Directory) -> Iterator[Grant]:
    for flow in directory.arch.dataflows.values():
        for job in flow.resources.cloud_scheduler_jobs:
            member = directory.account(job.service_account)
            reason = f"schedule {job.name} calls service {job.target_service}"
            yield from _invocation(directory, member, job.target_service, reason)


def _invocation(directory: Directory, member: str, target: str, reason: str) -> Iterator[Grant]:
    """Yield the right to call a service, made where that service is: after it exists."""
    deployment = directory.services[target].deployment
    if deployment is None:
        return
    location = deployment.region or directory.arch.region
    resource = GrantResource(ResourceKind.SERVICE, target, location)
    flow = directory.dataflow_of(target)
    layer: Layer = "director" if flow is None else "services"
    yield Grant(member, "roles/run.invoker", resource, layer, flow, reason)


def _secrets(directory: Directory, service: Service) -> Iterator[Grant]:
    secrets = service.deployment.secret_environment_vars if service.deployment else ()
    for variable in secrets:
        yield directory.placed(
            directory.member(service.name),
            "roles/secretmanager.secretAccessor",
            GrantResource(ResourceKind.SECRET, variable.value_from),
            directory.dataflow_of(service.name),
            f"service {service.name} reads secret {variable.value_from} as {variable.name}",
        )


def _explicit(directory: Directory) -> Iterator[Grant]:
    for name, flow in directory.arch.dataflows.items():
        for kind, resource in flow.resources.each():
            # Schedules have no policies: `checks` refuses one, so that it is not silently lost.
            for policy in resource.iam_access_policy if kind in RESOURCE_KINDS else ():
                yield directory.placed(
                    _policy_member(directory, policy),
                    policy.role,
                    directory.resource(kind, resource),
                    name,
                    f"iam_access_policy of {_described(kind, resource)} names {policy.name}",
                )


def _policy_member(directory: Directory, policy: AccessPolicy) -> str:
    if policy.type == "service":
        return directory.member(policy.name)
    return directory.account(policy.name)


def _described(kind: str, resource: Resource) -> str:
    """Return a resource as a sentence names it: `topic orders`, `bigquery table sales.invoices`."""
    within = f"{resource.dataset}." if isinstance(resource, BigQueryTable) else ""
    return f"{kind.removesuffix('s').replace('_', ' ')} {within}{resource.name}"
