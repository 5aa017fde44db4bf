"""The Google APIs that the system needs."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi
from pulumi_gcp import projects

from components.tokens import Area, token


class EnabledApis(pulumi.ComponentResource):
    """Google APIs that are switched on, and left on when the system goes.

    Other things in the project may need them, and switching an API off can delete data.
    """

    def __init__(
        self,
        name: str,
        *,
        project: str,
        apis: Iterable[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.PROJECT, "EnabledApis"), name, None, opts)
        enabled = [
            projects.Service(
                api,
                service=api,
                project=project,
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in sorted(set(apis))
        ]
        self.register_outputs({"apis": [service.service for service in enabled]})
