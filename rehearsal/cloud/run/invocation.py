"""Who may call a service: the invoker check on its URL."""

from collections.abc import Sequence

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.local_cloud import LocalCloud

_PERMISSION = "run.routes.invoke"
_SERVICE_ACCOUNT_DOMAIN = ".gserviceaccount.com"


def refused_with(
    cloud: LocalCloud, service: str, audiences: Sequence[str], authorization: str | None
) -> int | None:
    """Return the HTTP status a call is refused with, or None where it may pass.

    Args:
        cloud: The local cloud.
        service: The service's full resource name.
        audiences: For whom an identity token may be meant: the service's URLs and its own.
        authorization: The request's header.
    """
    if cloud.iam.allows(ANONYMOUS, _PERMISSION, service):
        return None
    if not authorization:
        return 403
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return 401
    try:
        claims = cloud.tokens.verify_identity_token(token.strip())
    except ApiError:
        return 401
    if not any(_is_meant_for(str(claims["aud"]), audience) for audience in audiences):
        return 401
    principal = principal_of(str(claims["email"]))
    return None if cloud.iam.allows(principal, _PERMISSION, service) else 403


def _is_meant_for(claimed: str, audience: str) -> bool:
    """Return whether a token is for a service; Pub/Sub names the whole push endpoint."""
    return claimed == audience or claimed.startswith(f"{audience}/")


def principal_of(email: str) -> str:
    """Return the principal an identity token's e-mail address names."""
    kind = "serviceAccount" if email.endswith(_SERVICE_ACCOUNT_DOMAIN) else "user"
    return f"{kind}:{email}"
