"""The architecture file as frozen values, with the keys that a user writes.

Which values are allowed is the business of `architecture.checks`; what is filled in where a user
wrote nothing, of `architecture.hydration`. A text that was not given is empty, as it is in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue


class DurationText:
    """Marks a text as a duration (`30s`, `24h`, `7d`); `architecture.durations` reads it."""


Duration = Annotated[str, DurationText()]
LookupMethod = Literal["env", "yaml", "db"]
Layer = Literal["foundation", "images", "director", "dataflow", "services"]

INFRA_SUFFIX: Final = "-infra"
"""What the director's own dataflow adds to the director's name when hydration makes it."""


class Model(BaseModel):
    """A frozen value that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookup(Model):
    """How a service learns the name of something it is linked to."""

    key: str = ""
    method: LookupMethod = "yaml"


class ServiceMapping(Model):
    """A link: the service's name, or for the director's topics the topic's, and how it is found."""

    name: str
    lookup: Lookup | None = None


class AccessPolicy(Model):
    """A role on a resource that the user asks for, beyond those that links imply."""

    name: str
    role: str
    type: Literal["service", "service-account"] = "service"


class LifecycleAction(Model):
    """What a lifecycle rule does."""

    type: str


class LifecycleCondition(Model):
    """When a lifecycle rule does it."""

    age_in_days: int | None = None


class LifecycleRule(Model):
    """One lifecycle rule of a resource."""

    action: LifecycleAction
    condition: LifecycleCondition = LifecycleCondition()


class Resource(Model):
    """What every resource can say."""

    name: str
    description: str = ""
    labels: dict[str, str] = {}
    iam_access_policy: tuple[AccessPolicy, ...] = ()
    lifecycle_rules: tuple[LifecycleRule, ...] = ()
    teardown_protection: bool | None = None


class LinkedResource(Resource):
    """A resource that services write to and read from."""

    producers: tuple[ServiceMapping, ...] = ()
    consumers: tuple[ServiceMapping, ...] = ()


class Topic(Resource):
    """A Pub/Sub topic."""

    producer_service: ServiceMapping | None = None
    message_retention_duration: Duration = ""


class RetryPolicy(Model):
    """How long Pub/Sub waits before it delivers again."""

    minimum_backoff: Duration = ""
    maximum_backoff: Duration = ""


class DeadLetterPolicy(Model):
    """Where messages go that nobody could handle."""

    topic: str
    max_delivery_attempts: int | None = None


class Subscription(Resource):
    """A Pub/Sub subscription."""

    topic: str
    consumer_service: ServiceMapping | None = None
    ack_deadline_seconds: int | None = None
    message_retention_duration: Duration = ""
    retry_policy: RetryPolicy | None = None
    dead_letter_policy: DeadLetterPolicy | None = None
    filter: str = ""
    enable_message_ordering: bool = False


class BigQueryDataset(Resource):
    """A BigQuery dataset."""

    location: str = ""


class BigQueryTable(LinkedResource):
    """A BigQuery table."""

    dataset: str
    schema_type: str = ""
    schema_import_path: str = ""
    schema_file: str = ""
    time_partitioning_field: str = ""
    time_partitioning_type: Literal["", "HOUR", "DAY", "MONTH", "YEAR"] = ""
    time_partitioning_expiration: Duration = ""
    clustering_fields: tuple[str, ...] = ()
    expiration: Duration = ""


class GcsBucket(LinkedResource):
    """A Cloud Storage bucket."""

    location: str = ""
    storage_class: str = ""
    versioning_enabled: bool = False


class FirestoreDatabase(LinkedResource):
    """A Firestore database."""

    location_id: str = ""
    type: Literal["", "NATIVE", "DATASTORE_MODE"] = ""


class FirestoreCollection(LinkedResource):
    """A collection of a Firestore database."""

    database: str


class CloudSchedulerJob(Resource):
    """A schedule on which a service is called."""

    schedule: str
    time_zone: str = ""
    target_service: str
    service_account: str = ""
    message_body: str = ""


class Resources(Model):
    """The resources of one dataflow, by kind."""

    topics: tuple[Topic, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    bigquery_datasets: tuple[BigQueryDataset, ...] = ()
    bigquery_tables: tuple[BigQueryTable, ...] = ()
    gcs_buckets: tuple[GcsBucket, ...] = ()
    firestore_databases: tuple[FirestoreDatabase, ...] = ()
    firestore_collections: tuple[FirestoreCollection, ...] = ()
    cloud_scheduler_jobs: tuple[CloudSchedulerJob, ...] = ()

    def each(self) -> Iterator[tuple[str, Resource]]:
        """Yield every resource with the key of its kind, in the file's order within a kind."""
        for kind in type(self).model_fields:
            for resource in getattr(self, kind):
                yield kind, resource


class SecretEnvironmentVar(Model):
    """An environment variable whose value is a secret's."""

    name: str
    value_from: str
    version: str = ""


class Deployment(Model):
    """How a service is built and run."""

    source_path: str = ""
    buildable_module_path: str = ""
    config_templates: dict[str, str] = {}
    image: str = ""
    image_repo: str = ""
    service_url: str = ""
    region: str = ""
    platform: str = ""
    cpu: str = ""
    memory: str = ""
    min_instances: int | None = None
    max_instances: int | None = None
    environment_vars: dict[str, str] = {}
    secret_environment_vars: tuple[SecretEnvironmentVar, ...] = ()


class HealthCheck(Model):
    """The route that says whether a service is ready; without a port, the one it serves on."""

    port: int | None = None
    path: str


class Service(Model):
    """A program of the system, with an identity of its own."""

    name: str
    description: str = ""
    service_account: str
    deployment: Deployment | None = None
    dependencies: tuple[str, ...] = ()
    health_check: HealthCheck | None = None
    metadata: dict[str, JsonValue] = {}


class DirectorSpec(Service):
    """The director: the service that sets up dataflows when commanded over Pub/Sub."""

    command_topic: ServiceMapping
    completion_topic: ServiceMapping


class Lifecycle(Model):
    """How long a dataflow is meant to live."""

    strategy: Literal["permanent", "ephemeral"] = "permanent"
    keep_resources_on_test: bool = False


class Dataflow(Model):
    """Services and resources that belong together; the file's key names it."""

    name: str = ""
    description: str = ""
    services: dict[str, Service] = {}
    resources: Resources = Resources()
    lifecycle: Lifecycle | None = None


class EnvironmentOverrides(Model):
    """What one environment has otherwise than the rest of the file says."""

    project_id: str = ""
    region: str = ""
    location: str = ""
    labels: dict[str, str] = {}
    teardown_protection: bool | None = None


class Architecture(Model):
    """A whole system; `name_suffix` is what the names of a test run end in already."""

    name: str
    project_id: str = ""
    region: str
    location: str = ""
    labels: dict[str, str] = {}
    teardown_protection: bool = False
    name_suffix: str = ""
    service_manager_spec: DirectorSpec
    dataflows: dict[str, Dataflow] = {}
    deployment_environments: dict[str, EnvironmentOverrides] = {}

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
