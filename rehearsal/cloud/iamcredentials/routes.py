"""Methods of the IAM Service Account Credentials API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import failed_precondition, invalid_argument
from rehearsal.cloud.iam.service_accounts import ServiceAccounts
from rehearsal.cloud.times import rfc3339
from rehearsal.cloud.tokens import LIFETIME_S

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "iamcredentials.projects.serviceAccounts"
_DURATION: Final = re.compile(r"(\d+)(?:\.\d+)?s")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.generateAccessToken": Requirement("iam.serviceAccounts.getAccessToken", "{name}"),
    f"{_METHODS}.generateIdToken": Requirement("iam.serviceAccounts.getOpenIdToken", "{name}"),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    accounts = cloud.part(ServiceAccounts)

    def email_of(call: Call) -> str:
        if call.body.get("delegates"):
            raise failed_precondition("Delegation chains are not modelled in the local cloud.")
        account = accounts.get(call.params["name"])
        if account.get("disabled"):
            raise failed_precondition("This service account is disabled.")
        return str(account["email"])

    async def generate_access_token(call: Call) -> JsonObject:
        email = email_of(call)
        if not call.body.get("scope"):
            raise invalid_argument("The request is missing scopes.")
        lifetime = _DURATION.fullmatch(call.body.get("lifetime") or f"{LIFETIME_S}s")
        if lifetime is None or not 0 < int(lifetime[1]) <= LIFETIME_S:
            raise invalid_argument(f"The lifetime must be between 1s and {LIFETIME_S}s.")
        seconds = int(lifetime[1])
        token = cloud.tokens.access_token(f"serviceAccount:{email}", lifetime_s=seconds)
        return {"accessToken": token, "expireTime": rfc3339(cloud.clock() + seconds)}

    async def generate_id_token(call: Call) -> JsonObject:
        email = email_of(call)
        audience = call.body.get("audience")
        if not audience:
            raise invalid_argument("The request is missing an audience.")
        return {"token": cloud.tokens.identity_token(email, audience)}

    return {
        f"{_METHODS}.generateAccessToken": generate_access_token,
        f"{_METHODS}.generateIdToken": generate_id_token,
    }
