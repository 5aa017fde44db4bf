"""The services of an environment as plans see them: where each one runs, and with what.

What counts is the live release with all that is recorded above it, not a file that somebody may
be editing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from architecture.model import Architecture, Deployment, Service
from architecture.names import stack_name
from architecture.recorded import RecordedOverrides, setting_variable, with_recorded
from orchestration.coordination.rules import SERVICE_PREFIX
from orchestration.environments import Environment
from orchestration.overriding import OverrideStore
from orchestration.releases.store import ReleaseStore

# How many instances Cloud Run lets a service have that says nothing.
DEFAULT_MAX_INSTANCES: Final = 100


@dataclass(frozen=True, slots=True)
class DeployedService:
    """A service of the live release, with what is recorded above it."""

    name: str
    dataflow: str
    stack: str
    service: Service
    deployment: Deployment

    @property
    def max_instances(self) -> int:
        """How many instances there can be."""
        return self.deployment.max_instances or DEFAULT_MAX_INSTANCES

    @property
    def min_instances(self) -> int:
        """How many instances there always are."""
        return self.deployment.min_instances or 0

    @property
    def is_always_on(self) -> bool:
        """Whether its instances have processors between requests."""
        said = self.deployment.cpu_always_on
        return self.min_instances > 0 if said is None else said

    def variable(self, setting: str) -> str | None:
        """Give the environment variable of a setting; None where the service has no such."""
        return setting_variable(self.service, setting)

    def setting(self, setting: str) -> str | None:
        """Give a setting's value as the architecture knows it; the program may have a default."""
        variable = self.variable(setting)
        return None if variable is None else self.deployment.environment_vars.get(variable)


Services = Mapping[str, DeployedService]


def services_of(architecture: Architecture, environment: str) -> Services:
    """List an architecture's deployed services by name; the director is none of them."""
    return {
        service.name: DeployedService(
            name=service.name,
            dataflow=dataflow,
            stack=stack_name(environment, "services", dataflow),
            service=service,
            deployment=service.deployment,
        )
        for dataflow, service in architecture.services()
        if service.deployment is not None
    }


def named_services(resources: Iterable[str]) -> tuple[str, ...] | None:
    """Give the names of services that resources name; None if one of them is something else."""
    names = []
    for resource in resources:
        if not resource.startswith(SERVICE_PREFIX):
            return None
        names.append(resource.removeprefix(SERVICE_PREFIX))
    return tuple(dict.fromkeys(names)) or None


class ServiceDirectory:
    """Reads what services an environment has; remembers it until something changes."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._releases = ReleaseStore(environment)
        self._overrides = OverrideStore(environment)
        self._read: tuple[str, Architecture | None] | None = None

    def architecture(self) -> Architecture | None:
        """Give the live release's architecture, without what is recorded; None before the first."""
        release = self._releases.current()
        if release is None:
            return None
        if self._read is None or self._read[0] != release.release_id:
            self._read = release.release_id, self._releases.architecture_of(release)
        return self._read[1]

    def services(self, *, without_step: str | None = None) -> Services:
        """List the services as they are deployed, or as they were if not for one step."""
        architecture = self.architecture()
        if architecture is None:
            return {}
        recorded: RecordedOverrides = self._overrides.read()
        if without_step is not None:
            recorded = recorded.without_step(without_step)
        return services_of(with_recorded(architecture, recorded), self._environment.name)
