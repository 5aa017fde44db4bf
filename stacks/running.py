"""Declares an architecture's service as a Cloud Run service."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from architecture import names
from architecture.model import Deployment, Service
from components.service import CloudRunService, Container, Scaling, SecretVariable
from stacks.context import StackContext
from stacks.labelling import labels_of


def declare_service(
    context: StackContext,
    service: Service,
    deployment: Deployment,
    *,
    image: pulumi.Input[str],
    environment: Mapping[str, pulumi.Input[str]],
    scaling: Scaling | None = None,
    opts: pulumi.ResourceOptions | None = None,
) -> CloudRunService:
    """Declare a service with its image and its whole environment.

    Args:
        context: The stack that the service belongs to.
        service: Who it is and how it tells its health.
        deployment: How it is deployed.
        image: The reference of the image, by digest.
        environment: The variables it runs with, besides its secrets.
        scaling: How many instances; the deployment's own numbers when not given.
        opts: What the service comes after.
    """
    health = service.health_check
    return CloudRunService(
        service.name,
        project=context.project,
        location=deployment.region or context.region,
        service_account=names.account_email(service.service_account, context.project),
        container=Container(
            image=image,
            environment=environment,
            secrets=tuple(
                SecretVariable(secret.name, secret.value_from, str(secret.version or "latest"))
                for secret in deployment.secret_environment_vars
            ),
            cpu=deployment.cpu,
            memory=deployment.memory,
            health_path=health.path if health else None,
            health_port=health.port if health else None,
        ),
        scaling=scaling
        or Scaling(deployment.min_instances, deployment.max_instances, deployment.cpu_always_on),
        labels=labels_of(context, context.name.dataflow, _marks(service)),
        opts=opts,
    )


def _marks(service: Service) -> dict[str, str]:
    """Label what only stands in for a service, so that nobody takes it for the service."""
    return {"placeholder": "true"} if service.metadata.get("placeholder") is True else {}
