"""Every name that refers to something must find it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from architecture.checks.problem import Problem, placed_services
from architecture.checks.safety import PUBLIC_PRINCIPALS
from architecture.findings import shown
from architecture.links import Where, all_links, placed_resources
from architecture.misspelling import nearest, suggestion
from architecture.model import (
    Architecture,
    BigQueryTable,
    CloudSchedulerJob,
    FirestoreCollection,
    Subscription,
)


def services_exist(arch: Architecture) -> Iterator[Problem]:
    """Links, schedules and explicit policies name services that there are."""
    known = {service.name for service in arch.all_services()}
    for link in all_links(arch):
        yield from _judge("service", link.mapping.name, known, (*link.where, "name"))
    for where, _, _, resource in placed_resources(arch):
        if isinstance(resource, CloudSchedulerJob):
            yield from _judge("service", resource.target_service, known, (*where, "target_service"))
        for index, policy in enumerate(resource.iam_access_policy):
            # Everybody is reported as what it is.
            if policy.type == "service" and policy.name not in PUBLIC_PRINCIPALS:
                place = (*where, "iam_access_policy", index, "name")
                yield from _judge("service", policy.name, known, place)


def dependencies_exist(arch: Architecture) -> Iterator[Problem]:
    """Services depend on services that there are."""
    known = {service.name for service in arch.all_services()}
    for where, service in placed_services(arch):
        for index, target in enumerate(service.dependencies):
            yield from _judge("dependency", target, known, (*where, "dependencies", index))


def topics_exist(arch: Architecture) -> Iterator[Problem]:
    """Subscriptions and dead-letter policies name topics that there are."""
    known = _declared(arch, "topics")
    known |= {arch.director.command_topic.name, arch.director.completion_topic.name}
    for where, _, _, resource in placed_resources(arch):
        if not isinstance(resource, Subscription):
            continue
        yield from _judge("topic", resource.topic, known, (*where, "topic"))
        if resource.dead_letter_policy:
            place = (*where, "dead_letter_policy", "topic")
            yield from _judge("topic", resource.dead_letter_policy.topic, known, place)


def datasets_exist(arch: Architecture) -> Iterator[Problem]:
    """Tables name datasets that there are; one that nothing resembles is added by hydration."""
    known = _declared(arch, "bigquery_datasets")
    for where, _, _, resource in placed_resources(arch):
        if not isinstance(resource, BigQueryTable) or resource.dataset in known:
            continue
        if nearest(resource.dataset, tuple(known)):
            yield from _judge("dataset", resource.dataset, known, (*where, "dataset"))


def databases_exist(arch: Architecture) -> Iterator[Problem]:
    """Collections name databases that there are."""
    known = _declared(arch, "firestore_databases")
    for where, _, _, resource in placed_resources(arch):
        if isinstance(resource, FirestoreCollection):
            yield from _judge("database", resource.database, known, (*where, "database"))


def _declared(arch: Architecture, kind: str) -> set[str]:
    return {resource.name for _, _, of, resource in placed_resources(arch) if of == kind}


def _judge(thing: str, name: str, known: Collection[str], where: Where) -> Iterator[Problem]:
    if name and name not in known:
        message = f"there is no {_WORDS.get(thing, thing)} {shown(name)}"
        yield Problem(f"dangling-{thing}", where, message, suggestion(name, tuple(known)))


_WORDS = {"dependency": "service"}
