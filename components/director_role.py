"""The director's own role on the project."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_gcp import projects

from components.tokens import Area, token


class DirectorRole(pulumi.ComponentResource):
    """A custom role with exactly the permissions that the dataflow stacks need."""

    role_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        title: str,
        permissions: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.ACCESS, "DirectorRole"), name, None, opts)
        role = projects.IAMCustomRole(
            name,
            role_id=name,
            project=project,
            title=title,
            description="What the director may do: manage the kinds of resources there are.",
            permissions=sorted(set(permissions)),
            stage="GA",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.role_name = role.name
        self.register_outputs({"roleName": self.role_name})
