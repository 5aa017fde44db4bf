"""The registry of the system's images."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import artifactregistry

from components.tokens import Area, token


class Repository(pulumi.ComponentResource):
    """An Artifact Registry repository for container images."""

    repository_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        location: str,
        labels: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.PROJECT, "Repository"), name, None, opts)
        repository = artifactregistry.Repository(
            name,
            repository_id=name,
            project=project,
            location=location,
            format="DOCKER",
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.repository_path = repository.id
        self.register_outputs({"repositoryPath": self.repository_path})
