"""Methods of the IAM Service Account Credentials API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
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
_ACCOUNT: Final = re.compile(r"projects/-/serviceAccounts/([^/]+)")


def _last_of_chain(call: Call) -> str:
    """Whose permission counts: the last delegate's, or the caller's where there is none."""
    delegates = _delegates(call)
    return delegates[-1] if delegates else call.principal


REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.generateAccessToken": Requirement(
        "iam.serviceAccounts.getAccessToken", "{name}", holder=_last_of_chain
    ),
    f"{_METHODS}.generateIdToken": Requirement(
        "iam.serviceAccounts.getOpenIdToken", "{name}", holder=_last_of_chain
    ),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    accounts = cloud.part(ServiceAccounts)

    def email_of(call: Call) -> str:
        _check_chain(cloud, call)
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
        tells_email = bool(call.body.get("includeEmail"))
        token = cloud.tokens.identity_token(email, audience, tells_email=tells_email)
        return {"token": token}

    return {
        f"{_METHODS}.generateAccessToken": generate_access_token,
        f"{_METHODS}.generateIdToken": generate_id_token,
    }


def _delegates(call: Call) -> list[str]:
    """The principals between the caller and the account.

    Raises:
        ApiError: 400.
    """
    principals = []
    for delegate in call.body.get("delegates") or ():
        match = _ACCOUNT.fullmatch(delegate)
        if match is None:
            raise invalid_argument(
                f"Invalid delegate {delegate!r}: it must be projects/-/serviceAccounts/EMAIL."
            )
        principals.append(f"serviceAccount:{match[1]}")
    return principals


def _check_chain(cloud: LocalCloud, call: Call) -> None:
    """Refuse unless everybody of the chain may delegate to the one behind.

    Raises:
        ApiError: 400, 403.
    """
    chain = [call.principal, *_delegates(call)]
    for giver, taker in pairwise(chain):
        email = taker.partition(":")[2]
        if not cloud.tokens.is_active(taker):
            raise failed_precondition(f"The service account {email} is disabled.")
        account = f"{cloud.project}/serviceAccounts/{email}"
        cloud.iam.require(giver, "iam.serviceAccounts.implicitDelegation", account)
