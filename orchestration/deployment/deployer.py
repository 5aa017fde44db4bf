"""Building every image and deploying services, with each failure collected by service.

What builds and deploys is injected (`ContainerDeployer`); the one that uses stacks is in
`stack_deployer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestration.conductor.state import (
    DirectorOutcome,
    ImagesOutcome,
    ServicesOutcome,
    StackOutcome,
)
from orchestration.deployment.health import HealthChecker
from orchestration.errors import BuildFailed, ServiceUnhealthy, UsageError

# The end of a log that is shown with an error; the whole of it is one command away.
LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What became of each image: a reference by digest, or why there is none."""

    images: Mapping[str, str]
    failures: Mapping[str, str]
    stack: StackOutcome


class ContainerDeployer(Protocol):
    """Builds images and runs services somewhere."""

    def build(self, services: tuple[str, ...]) -> BuildReport:
        """Build the images of these services side by side; none is abandoned for another."""
        ...

    def deploy_director(self) -> DirectorOutcome:
        """Build and run the director."""
        ...

    def deploy(self, dataflow: str) -> ServicesOutcome:
        """Run one dataflow's services side by side."""
        ...


class DeploymentManager:
    """Drives a deployer and aggregates what goes wrong (requirements 2.1 to 2.9)."""

    def __init__(
        self,
        deployer: ContainerDeployer,
        *,
        built: tuple[str, ...],
        dataflows: tuple[str, ...],
        health: HealthChecker,
        service_log: Callable[[str], str],
    ) -> None:
        self._deployer = deployer
        self._built = built
        self._dataflows = dataflows
        self._health = health
        self._service_log = service_log

    def build_all(self) -> ImagesOutcome:
        """Build every service's image; the director's belongs to its own deployment.

        Raises:
            BuildFailed: naming every image that failed.
        """
        report = self._deployer.build(self._built)
        if report.failures:
            names = ", ".join(sorted(report.failures))
            reasons = "\n".join(
                f"--- {name}\n{reason}" for name, reason in sorted(report.failures.items())
            )
            done = len(report.images)
            raise BuildFailed(
                f"{len(report.failures)} of {len(self._built)} images were not built: {names}"
                f" ({done} built)",
                details=reasons,
                hint="mend the sources and run `conductor up` again; what was built is kept",
            )
        missing = sorted(set(self._built) - set(report.images))
        if missing:
            raise BuildFailed(f"no image came of: {', '.join(missing)}")
        return ImagesOutcome(images=report.images, stack=report.stack)

    def deploy_director(self) -> DirectorOutcome:
        """Build and run the director."""
        return self._deployer.deploy_director()

    def deploy_services(self, dataflow: str) -> ServicesOutcome:
        """Run one dataflow's services.

        Raises:
            UsageError: there is no such dataflow.
        """
        if dataflow not in self._dataflows:
            raise UsageError(
                f"there is no dataflow {dataflow!r} (there are: {', '.join(self._dataflows)})"
            )
        return self._deployer.deploy(dataflow)

    def wait_until_healthy(self, service: str, url: str) -> None:
        """Wait until a service answers its health route.

        Raises:
            ServiceUnhealthy: it did not in time; carries the end of its log.
        """
        try:
            self._health.wait(service, url)
        except ServiceUnhealthy as error:
            # One that does not even start is told by Cloud Run, with its log.
            last = self._service_log(service).splitlines()[-LOG_LINES:]
            if last:
                error.details = "\n".join([f"--- the last lines of {service}'s log", *last])
            raise
