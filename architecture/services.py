"""The services of an architecture file, with the keys that a user writes.

A text below a field says what its key means; after an empty line, where its value goes.
"""

from __future__ import annotations

from pydantic import Field, JsonValue

from architecture.values import Model, ServiceMapping


class SecretEnvironmentVar(Model):
    """An environment variable whose value is a secret's."""

    name: str
    """The environment variable.

    Goes to the service's environment."""
    value_from: str
    """The secret in Secret Manager, by its short name; it must exist.

    Goes to the service's environment, and to the grant `secretmanager.secretAccessor` on it."""
    version: str = ""
    """The secret's version, a number. Without one, or with `latest`, two deployments of one file
    can differ: that is a warning.

    Goes to the service's environment."""


class Deployment(Model):
    """How a service is built and run."""

    source_path: str = ""
    """The folder of the source, relative to the architecture file; `--source-root` replaces it.

    Goes to the build."""
    buildable_module_path: str = ""
    """The service's folder in it.

    Goes to the build."""
    config_templates: dict[str, str] = Field({})
    """Files to copy into the service's folder before it is built: source to destination.

    Goes to the build."""
    image: str = ""
    """The image, as tools write it back; it is always built anew, and deployed by digest."""
    image_repo: str = ""
    """The Artifact Registry repository of its image; `cloud-deploy` when not given.

    Goes to the repository, and to the image's name."""
    service_url: str = ""
    """The service's address, as tools write it back; it is always asked for anew."""
    region: str = ""
    """Where it runs; the architecture's region when not given.

    Goes to the Cloud Run service's location."""
    platform: str = ""
    """What the image is built for, as in `linux/amd64`."""
    cpu: str = ""
    """The processors of one instance: `1`, `500m`; `1` when not given.

    Goes to the container's limits."""
    memory: str = ""
    """The memory of one instance: `512Mi`, `2Gi`; `512Mi` when not given.

    Goes to the container's limits."""
    min_instances: int | None = None
    """How many instances there always are, 0 to 1000; Google's default is 0. The director always
    has one.

    Goes to the service's scaling."""
    max_instances: int | None = None
    """How many instances there can be, 1 to 1000; Google's default is 100. The director always has
    one.

    Goes to the service's scaling."""
    cpu_always_on: bool | None = None
    """Whether instances have their processors between requests too, and are paid for by the time
    that they exist; else by request. When not given: where `min_instances` is one or more.

    Goes to the container's resources."""
    environment_vars: dict[str, str] = Field({})
    """Environment variables of the service's own; those that are injected win.

    Goes to the service's environment."""
    secret_environment_vars: tuple[SecretEnvironmentVar, ...] = ()
    """Environment variables whose values are secrets'."""


class HealthCheck(Model):
    """The route that says whether a service is ready."""

    port: int | None = None
    """The port to ask, 1 to 65535; the one that the service serves on when not given.

    Goes to the container's startup probe."""
    path: str
    """The route, as in `/health/ready`: 200 means ready.

    Goes to the container's startup probe."""


class Service(Model):
    """A program of the system, with an identity of its own."""

    name: str
    """The service's name, its key in the file when not given.

    Goes to the Cloud Run service, its image, and to itself as `SERVICE_NAME`."""
    description: str = ""
    """What it is for, for people."""
    service_account: str
    """The account that it runs as: its short name, or the whole e-mail.

    Goes to the account, the Cloud Run service, and every grant that the service gets."""
    deployment: Deployment | None = None
    """How it is built and run; without it the service has an account and rights, and runs
    elsewhere."""
    dependencies: tuple[str, ...] = ()
    """The services that it calls, of whatever dataflow; they are deployed before it.

    Goes to the grant `run.invoker` on each of them."""
    health_check: HealthCheck | None = None
    """The route that says whether it is ready; that it listens is enough when not given."""
    metadata: dict[str, JsonValue] = Field({})
    """Anything else. `settings` maps what the coordination engine may change, such as `batch_size`,
    to the environment variable that sets it. `preflight` is the command of its pre-flight test, run
    in its folder: a text such as `go test ./...`, or a list of words."""


class DirectorSpec(Service):
    """The director: the service that sets up dataflows when commanded over Pub/Sub."""

    command_topic: ServiceMapping
    """The topic that commands come on.

    Goes to the director's dataflow, with a subscription `<topic>-sub`, where none declares it."""
    completion_topic: ServiceMapping
    """The topic that the director answers on.

    Goes to the director's dataflow, where none declares it."""
