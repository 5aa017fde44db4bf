"""A service on Cloud Run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import cloudrunv2

from components.tokens import Area, token

# A service has four minutes to become healthy, the most that Cloud Run allows: the grants it needs
# may take that long to work. Asking every second makes a quick one quick.
PROBE_PERIOD_S = 1
PROBE_FAILURES = 240


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """An environment variable whose value is a secret's version."""

    name: str
    secret: str
    version: str


@dataclass(frozen=True, slots=True)
class Container:
    """What runs, and with what; the image is a reference by digest."""

    image: pulumi.Input[str]
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Sequence[SecretVariable] = ()
    cpu: str = "1"
    memory: str = "512Mi"
    health_path: str | None = None
    health_port: int | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances there are; None leaves Cloud Run's default.

    `cpu_always_on` is whether they work between requests too; None: if one is always there.
    """

    min_instances: int | None = None
    max_instances: int | None = None
    cpu_always_on: bool | None = None

    @property
    def is_always_on(self) -> bool:
        """Say whether instances have their processors between requests."""
        # An instance that is always there works between requests too: it pulls messages.
        return bool(self.min_instances) if self.cpu_always_on is None else self.cpu_always_on


class CloudRunService(pulumi.ComponentResource):
    """A Cloud Run service that runs one container as one service account.

    It is reachable from everywhere, by those who may invoke it: nobody is without a grant.
    """

    url: pulumi.Output[str]
    service_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        location: str,
        service_account: pulumi.Input[str],
        container: Container,
        scaling: Scaling,
        labels: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.SERVICE, "CloudRunService"), name, None, opts)
        service = cloudrunv2.Service(
            name,
            name=name,
            project=project,
            location=location,
            labels=labels,
            ingress="INGRESS_TRAFFIC_ALL",
            # A service holds no data: whatever it is made of can be deployed again.
            deletion_protection=False,
            template=cloudrunv2.ServiceTemplateArgs(
                service_account=service_account,
                labels=labels,
                scaling=_scaling(scaling),
                containers=[_container(container, scaling)],
            ),
            # A service that moves to another region is made there before the old one goes.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=False),
        )
        self.url = service.uri
        self.service_name = service.name
        self.register_outputs({"url": self.url, "serviceName": self.service_name})


def _scaling(scaling: Scaling) -> cloudrunv2.ServiceTemplateScalingArgs | None:
    if scaling.min_instances is None and scaling.max_instances is None:
        return None
    return cloudrunv2.ServiceTemplateScalingArgs(
        min_instance_count=scaling.min_instances, max_instance_count=scaling.max_instances
    )


def _container(container: Container, scaling: Scaling) -> cloudrunv2.ServiceTemplateContainerArgs:
    return cloudrunv2.ServiceTemplateContainerArgs(
        image=container.image,
        envs=_variables(container),
        resources=cloudrunv2.ServiceTemplateContainerResourcesArgs(
            limits={"cpu": container.cpu, "memory": container.memory},
            cpu_idle=not scaling.is_always_on,
        ),
        startup_probe=_startup_probe(container),
    )


def _variables(container: Container) -> list[cloudrunv2.ServiceTemplateContainerEnvArgs]:
    """Return the environment sorted by name: another order would be another revision."""
    variables: dict[str, cloudrunv2.ServiceTemplateContainerEnvArgs] = {
        name: cloudrunv2.ServiceTemplateContainerEnvArgs(name=name, value=value)
        for name, value in container.environment.items()
    }
    for secret in container.secrets:
        variables[secret.name] = cloudrunv2.ServiceTemplateContainerEnvArgs(
            name=secret.name,
            value_source=cloudrunv2.ServiceTemplateContainerEnvValueSourceArgs(
                secret_key_ref=cloudrunv2.ServiceTemplateContainerEnvValueSourceSecretKeyRefArgs(
                    secret=secret.secret, version=secret.version
                )
            ),
        )
    return [variables[name] for name in sorted(variables)]


def _startup_probe(
    container: Container,
) -> cloudrunv2.ServiceTemplateContainerStartupProbeArgs | None:
    """Ask the health route; without one, Cloud Run's own probe waits for the open port."""
    if container.health_path is None:
        return None
    return cloudrunv2.ServiceTemplateContainerStartupProbeArgs(
        http_get=cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs(
            path=container.health_path, port=container.health_port
        ),
        period_seconds=PROBE_PERIOD_S,
        timeout_seconds=PROBE_PERIOD_S,
        failure_threshold=PROBE_FAILURES,
    )
