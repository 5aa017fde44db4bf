"""Names of a test run: one suffix on every cloud name that the architecture makes.

So a copy of a system can stand beside another one in a project. The suffix is recorded in the
hydrated architecture (`name_suffix`), which is how it is never added twice. As they are stay:

- the architecture and its dataflows, which are no cloud names;
- secrets and other projects' accounts, which are not made here;
- tables, and collections of a database with a suffix: what they live in has it;
- Firestore's `(default)` database, which cannot have another name: its collections get the suffix;
- keys, variables and paths, which programs are written for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from architecture import names
from architecture.checks import naming
from architecture.findings import Finding, InvalidArchitecture, Severity, shown
from architecture.model import (
    AccessPolicy,
    Architecture,
    BigQueryDataset,
    BigQueryTable,
    CloudSchedulerJob,
    Dataflow,
    DirectorSpec,
    FirestoreCollection,
    FirestoreDatabase,
    GcsBucket,
    LinkedResource,
    Resource,
    Resources,
    Service,
    ServiceMapping,
    Subscription,
    Topic,
)

SUFFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?")
"""What every kind of Google's names can end in, after a hyphen."""
SUFFIX_DEMAND: Final = "lower-case letters, digits and hyphens, no hyphen first or last, at most 20"
DEFAULT_DATABASE: Final = "(default)"

_NAMING: Final = (naming.service_names, naming.resource_names)

S = TypeVar("S", bound=Service)


def with_suffix(arch: Architecture, suffix: str, file: Path) -> Architecture:
    """Return a hydrated architecture with the suffix on every name that it makes, once.

    Args:
        arch: the architecture, hydrated but for environment variables.
        suffix: what names shall end in; none leaves everything as it is.
        file: what findings are about.

    Raises:
        InvalidArchitecture: the suffix cannot be one, another one is on the names already, or a
            name would be one that Google refuses.
    """
    if not suffix or suffix == arch.name_suffix:
        return arch
    if problem := _unusable(arch, suffix):
        raise InvalidArchitecture([_finding(file, *problem)])
    renamed = _Renaming(arch, suffix).architecture()
    if problems := [_finding(file, *problem) for problem in _refused_names(renamed, suffix)]:
        raise InvalidArchitecture(problems)
    return renamed


def kept_dataflows(arch: Architecture) -> frozenset[str]:
    """Return the dataflows whose resources outlive their test run (`keep_resources_on_test`).

    Only an architecture with a suffix is a test run's.
    """
    return frozenset(
        name
        for name, flow in arch.application_dataflows().items()
        if arch.name_suffix and flow.lifecycle and flow.lifecycle.keep_resources_on_test
    )


class _Renaming:
    """Renames what one architecture makes, wherever it is named."""

    def __init__(self, arch: Architecture, suffix: str) -> None:
        self._arch = arch
        self._suffix = suffix
        self._services = {service.name for service in arch.all_services()}
        self._accounts = set(names.service_accounts(arch))

    def architecture(self) -> Architecture:
        """Return the architecture with its new names."""
        director = self._arch.director
        spec: DirectorSpec = self._service(director).model_copy(
            update={
                "command_topic": self._mapping(director.command_topic),
                "completion_topic": self._mapping(director.completion_topic),
            }
        )
        flows = {name: self._dataflow(flow) for name, flow in self._arch.dataflows.items()}
        return self._arch.model_copy(
            update={
                "name_suffix": self._suffix,
                "service_manager_spec": spec,
                "dataflows": flows,
            }
        )

    def _new(self, name: str) -> str:
        return names.suffixed(name, self._suffix)

    def _called(self, service: str) -> str:
        return self._new(service) if service in self._services else service

    def _account(self, account: str) -> str:
        account = names.account_id(account, self._arch.project_id)
        return self._new(account) if account in self._accounts else account

    def _dataset(self, name: str) -> str:
        # BigQuery allows no hyphens.
        return f"{name}_{self._suffix.replace('-', '_')}"

    def _database(self, name: str) -> str:
        return name if name == DEFAULT_DATABASE else self._new(name)

    def _mapping(self, topic: ServiceMapping) -> ServiceMapping:
        return topic.model_copy(update={"name": self._new(topic.name)})

    def _link(self, link: ServiceMapping) -> ServiceMapping:
        return link.model_copy(update={"name": self._called(link.name)})

    def _service(self, service: S) -> S:
        deployment = service.deployment and service.deployment.model_copy(
            update={"image_repo": self._new(service.deployment.image_repo)}
        )
        return service.model_copy(
            update={
                "name": self._new(service.name),
                "service_account": self._account(service.service_account),
                "deployment": deployment,
                "dependencies": tuple(map(self._called, service.dependencies)),
            }
        )

    def _dataflow(self, flow: Dataflow) -> Dataflow:
        services = {self._new(key): self._service(item) for key, item in flow.services.items()}
        resources = {
            kind: tuple(map(self._resource, getattr(flow.resources, kind)))
            for kind in Resources.model_fields
        }
        return flow.model_copy(
            update={"services": services, "resources": flow.resources.model_copy(update=resources)}
        )

    def _resource(self, resource: Resource) -> Resource:
        policies = tuple(map(self._policy, resource.iam_access_policy))
        update: dict[str, object] = {"name": self._new(resource.name)}
        if isinstance(resource, LinkedResource):
            update["producers"] = tuple(map(self._link, resource.producers))
            update["consumers"] = tuple(map(self._link, resource.consumers))
        update |= self._references(resource)
        return resource.model_copy(update=update | {"iam_access_policy": policies})

    def _policy(self, policy: AccessPolicy) -> AccessPolicy:
        rename = self._called if policy.type == "service" else self._account
        return policy.model_copy(update={"name": rename(policy.name)})

    def _references(self, resource: Resource) -> dict[str, object]:
        """Return what else changes: what the resource refers to, and names of another form."""
        update: dict[str, object] = {}
        match resource:
            case Topic(producer_service=ServiceMapping() as producer):
                update["producer_service"] = self._link(producer)
            case Subscription():
                update |= self._subscription(resource)
            case BigQueryDataset():
                update["name"] = self._dataset(resource.name)
            case BigQueryTable():
                update |= {"name": resource.name, "dataset": self._dataset(resource.dataset)}
            case FirestoreDatabase():
                update["name"] = self._database(resource.name)
            case FirestoreCollection(database=database) if database != DEFAULT_DATABASE:
                update |= {"name": resource.name, "database": self._new(database)}
            case CloudSchedulerJob():
                update["target_service"] = self._called(resource.target_service)
                update["service_account"] = self._account(resource.service_account)
            case _:
                pass
        return update

    def _subscription(self, subscription: Subscription) -> Iterator[tuple[str, object]]:
        yield "topic", self._new(subscription.topic)
        if subscription.consumer_service:
            yield "consumer_service", self._link(subscription.consumer_service)
        if dead := subscription.dead_letter_policy:
            yield "dead_letter_policy", dead.model_copy(update={"topic": self._new(dead.topic)})


def _unusable(arch: Architecture, suffix: str) -> tuple[str, str, str] | None:
    if arch.name_suffix:
        message = f"the names end in {shown(arch.name_suffix)} already, not in {shown(suffix)}"
        return "suffix-recorded", message, "leave --suffix out, or start from the original file"
    if not SUFFIX.fullmatch(suffix):
        return "suffix-not-usable", f"{shown(suffix)} is no suffix", SUFFIX_DEMAND
    return None


def _refused_names(arch: Architecture, suffix: str) -> Iterator[tuple[str, str, str]]:
    """Yield the names that Google refuses now that they have the suffix."""
    for rule in _NAMING:
        for problem in rule(arch):
            message = f"with the suffix {shown(suffix)}, {problem.message}"
            yield problem.rule, message, f"shorten the name or the suffix: {problem.fix}"
    for flow in arch.dataflows.values():
        for bucket in flow.resources.gcs_buckets:
            yield from _domain(bucket, suffix)


def _domain(bucket: GcsBucket, suffix: str) -> Iterator[tuple[str, str, str]]:
    if "." in bucket.name:
        message = f"with the suffix {shown(suffix)}, {shown(bucket.name)} is no domain any more"
        yield "bad-bucket-name", message, "name the bucket without dots"


def _finding(file: Path, rule: str, message: str, fix: str) -> Finding:
    return Finding(rule, Severity.ERROR, file, 0, 0, message, fix)
