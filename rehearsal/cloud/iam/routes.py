"""Methods of the IAM API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Handler, Requirement
from rehearsal.cloud.iam import custom_roles, service_accounts

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    **service_accounts.REQUIREMENTS,
    **custom_roles.REQUIREMENTS,
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return {
        **cloud.part(service_accounts.ServiceAccounts).handlers(),
        **custom_roles.CustomRoles(cloud).handlers(),
    }
