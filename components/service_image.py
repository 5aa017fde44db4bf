"""A service's container image."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.tokens import Area, token

# Cloud Run's machines, whatever the machine that builds is.
PLATFORM = "linux/amd64"


class ServiceImage(pulumi.ComponentResource):
    """An image built from a folder and pushed; others refer to it by its digest.

    The registry's credentials come from the environment or from docker's own configuration:
    a password among the inputs would be in the stack's state.
    """

    reference: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        image_name: str,
        build_context: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.SERVICE, "ServiceImage"), name, None, opts)
        image = docker.Image(
            name,
            image_name=image_name,
            build=docker.DockerBuildArgs(context=str(build_context), platform=PLATFORM),
            registry=docker.RegistryArgs(server=image_name.split("/", 1)[0]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.reference = image.repo_digest
        self.register_outputs({"reference": self.reference})
