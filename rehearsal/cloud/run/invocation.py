"""Who may call a service: the invoker check on its URL."""

from collections.abc import Mapping, Sequence

from multidict import CIMultiDict

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.local_cloud import LocalCloud

_PERMISSION = "run.routes.invoke"
_SERVICE_ACCOUNT_DOMAIN = ".gserviceaccount.com"


# What a service sees of a checked token: enough to read, too little to use it elsewhere.
_REMOVED_SIGNATURE = "SIGNATURE_REMOVED_BY_GOOGLE"
# The latter leaves the former to the service; where both are sent it alone is checked.
_AUTHORIZATION = "Authorization"
_SERVERLESS = "X-Serverless-Authorization"


def is_public(cloud: LocalCloud, service: str) -> bool:
    """Return whether everybody may call a service: then nobody's token is looked at."""
    return cloud.iam.allows(ANONYMOUS, _PERMISSION, service)


def refused_with(
    cloud: LocalCloud, call: OpenCall, audiences: Sequence[str], headers: Mapping[str, str]
) -> int | None:
    """Return the HTTP status a call is refused with, or None where it may pass.

    Args:
        cloud: The local cloud.
        call: The call to the service; its line in the log tells who called, and what was decided.
        audiences: For whom an identity token may be meant: the service's URLs and its own.
        headers: The request's.
    """
    call.permission, call.decision = _PERMISSION, "denied"
    authorization = headers.get(_SERVERLESS) or headers.get(_AUTHORIZATION)
    if not authorization:
        return 403
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return 401
    try:
        claims = cloud.tokens.verify_identity_token(token.strip())
    except ApiError:
        return 401
    if not any(_is_meant_for(str(claims.get("aud")), audience) for audience in audiences):
        return 401
    call.principal = principal_of(str(claims.get("email")))
    if not cloud.iam.allows(call.principal, _PERMISSION, call.resource):
        return 403
    call.decision = "allowed"
    return None


def without_signature(headers: CIMultiDict[str]) -> None:
    """Take the signature from the token that was checked, as Cloud Run does."""
    for name in (_SERVERLESS, _AUTHORIZATION):
        if name in headers:
            scheme, _, token = headers[name].partition(" ")
            head, dot, _ = token.rpartition(".")
            if dot:
                headers[name] = f"{scheme} {head}.{_REMOVED_SIGNATURE}"
            return


def _is_meant_for(claimed: str, audience: str) -> bool:
    """Return whether a token is for a service; Pub/Sub names the whole push endpoint."""
    return claimed == audience or claimed.startswith(f"{audience}/")


def principal_of(email: str) -> str:
    """Return the principal an identity token's e-mail address names."""
    kind = "serviceAccount" if email.endswith(_SERVICE_ACCOUNT_DOMAIN) else "user"
    return f"{kind}:{email}"
