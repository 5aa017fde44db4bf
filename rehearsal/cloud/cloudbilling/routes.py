"""Methods of the Cloud Billing API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

# Nobody pays for a rehearsal, but projects without billing cannot run services.
_ACCOUNT: Final = "billingAccounts/000000-000000-000000"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "cloudbilling.projects.getBillingInfo": Requirement(
        "resourcemanager.projects.get", "projects/{project}"
    ),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""

    async def get_billing_info(_call: Call) -> JsonObject:
        return {
            "name": f"{cloud.project}/billingInfo",
            "projectId": cloud.project_id,
            "billingAccountName": _ACCOUNT,
            "billingEnabled": True,
        }

    return {"cloudbilling.projects.getBillingInfo": get_billing_info}
