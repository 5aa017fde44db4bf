"""The identity of one or more services."""

from __future__ import annotations

import pulumi
from pulumi_gcp import serviceaccount

from components.tokens import Area, token


class ServiceAccount(pulumi.ComponentResource):
    """A service account; it has no keys, services run as it."""

    email: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        display_name: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.ACCESS, "ServiceAccount"), name, None, opts)
        account = serviceaccount.Account(
            name,
            account_id=name,
            project=project,
            display_name=display_name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.email = account.email
        self.register_outputs({"email": self.email})
