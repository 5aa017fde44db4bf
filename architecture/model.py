"""The architecture file as frozen values, with the keys that a user writes.

Which values are allowed is the business of `architecture.checks`; what is filled in where a user
wrote nothing, of `architecture.hydration`. A text that was not given is empty, as it is in a file.
A text below a field says what its key means; after an empty line, where its value goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from architecture.environments import EnvironmentOverrides
from architecture.resources import (
    BigQueryDataset,
    BigQueryTable,
    CloudSchedulerJob,
    DeadLetterPolicy,
    FirestoreCollection,
    FirestoreDatabase,
    GcsBucket,
    LifecycleAction,
    LifecycleCondition,
    LifecycleRule,
    LinkedResource,
    Resource,
    Resources,
    RetryPolicy,
    Subscription,
    Topic,
)
from architecture.services import (
    Deployment,
    DirectorSpec,
    HealthCheck,
    SecretEnvironmentVar,
    Service,
)
from architecture.values import (
    AccessPolicy,
    Duration,
    DurationText,
    Lookup,
    LookupMethod,
    Model,
    ServiceMapping,
)

# Readers import the whole vocabulary from here.
__all__ = [
    "INFRA_SUFFIX",
    "AccessPolicy",
    "Architecture",
    "BigQueryDataset",
    "BigQueryTable",
    "CloudSchedulerJob",
    "Dataflow",
    "DeadLetterPolicy",
    "Deployment",
    "DirectorSpec",
    "Duration",
    "DurationText",
    "EnvironmentOverrides",
    "FirestoreCollection",
    "FirestoreDatabase",
    "GcsBucket",
    "HealthCheck",
    "Layer",
    "Lifecycle",
    "LifecycleAction",
    "LifecycleCondition",
    "LifecycleRule",
    "LinkedResource",
    "Lookup",
    "LookupMethod",
    "Model",
    "Resource",
    "Resources",
    "RetryPolicy",
    "SecretEnvironmentVar",
    "Service",
    "ServiceMapping",
    "Subscription",
    "Topic",
]

Layer = Literal["foundation", "images", "director", "dataflow", "services"]

INFRA_SUFFIX: Final = "-infra"
"""What the director's own dataflow adds to the director's name when hydration makes it."""


class Lifecycle(Model):
    """How long a dataflow is meant to live."""

    strategy: Literal["permanent", "ephemeral"] = "permanent"
    """Whether it stays until it is destroyed, or is made for one test."""
    keep_resources_on_test: bool = False
    """Whether its resources survive a test run: `conductor destroy` of an environment that has a
    suffix leaves the dataflow's stack as it is. Without a suffix it means nothing."""


class Dataflow(Model):
    """Services and resources that belong together; the file's key names it."""

    name: str = ""
    """The dataflow's name, its key in the file when not given.

    Goes to its stacks' names, its labels, and its services as `DATAFLOW_NAME`."""
    description: str = ""
    """What it is for, for people."""
    services: dict[str, Service] = Field({})
    """Its services, by name."""
    resources: Resources = Resources()
    """Its resources, by kind."""
    lifecycle: Lifecycle | None = None
    """How long it is meant to live; permanently when not given."""


class Architecture(Model):
    """A whole system; `name_suffix` is what the names of a test run end in already."""

    name: str
    """The system's name; an environment holds one system.

    Goes to the director's custom role."""
    project_id: str = ""
    """The Google Cloud project; `--project`, or for a rehearsal `local-proj`, when not given.

    Goes to every resource, and to services as `PROJECT_ID`."""
    region: str
    """The region of services, images and schedules that name none.

    Goes to their locations."""
    location: str = ""
    """The location of buckets, datasets and databases that name none; the region when not given.

    Goes to their locations."""
    labels: dict[str, str] = Field({})
    """Labels of everything that can have labels.

    Goes to every resource's labels."""
    teardown_protection: bool = False
    """Whether what holds data survives `conductor destroy`, where it does not say so itself.

    Goes to Pulumi's `protect` of what holds data."""
    name_suffix: str = ""
    """What all names of a test run end in already; `--suffix` writes it, so that it is never added
    twice."""
    service_manager_spec: DirectorSpec
    """The director."""
    dataflows: dict[str, Dataflow] = Field({})
    """The dataflows, by name."""
    deployment_environments: dict[str, EnvironmentOverrides] = Field({})
    """What single environments have otherwise, by the environment's name (`--env`)."""

    @property
    def director(self) -> DirectorSpec:
        """The director; the file calls it `service_manager_spec`."""
        return self.service_manager_spec

    @property
    def director_dataflow(self) -> str | None:
        """The dataflow that declares both of the director's topics, whatever its name."""
        wanted = {self.director.command_topic.name, self.director.completion_topic.name}
        for name, dataflow in self.dataflows.items():
            if wanted <= {topic.name for topic in dataflow.resources.topics}:
                return name
        return None

    def application_dataflows(self) -> dict[str, Dataflow]:
        """Return the dataflows without the director's own."""
        infra = self.director_dataflow
        return {name: flow for name, flow in self.dataflows.items() if name != infra}

    def services(self) -> Iterator[tuple[str, Service]]:
        """Yield every application service with its dataflow's name."""
        for name, dataflow in self.dataflows.items():
            for service in dataflow.services.values():
                yield name, service

    def all_services(self) -> Iterator[Service]:
        """Yield the director, then every application service."""
        yield self.director
        for _, service in self.services():
            yield service

    def service(self, name: str) -> Service:
        """Return the service of that name, the director among them.

        Raises:
            KeyError: there is none.
        """
        for service in self.all_services():
            if service.name == name:
                return service
        raise KeyError(name)
