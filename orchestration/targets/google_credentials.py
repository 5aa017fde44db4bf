"""Who deploys to Google's cloud: Application Default Credentials, or an account they take on.

Tokens go into requests and environments of processes, never into files, state or errors.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from orchestration.errors import CloudUnreachable, PrerequisitesMissing
from orchestration.tls import trusted_certificates

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
# The variable that the gcp provider and Terraform know, too.
IMPERSONATION_VARIABLE = "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"
LOGIN = (
    "gcloud auth application-default login --impersonate-service-account="
    "DEPLOYER@PROJECT.iam.gserviceaccount.com"
)
# Says whose a token is (https://developers.google.com/identity/sign-in/web/backend-auth).
TOKEN_INFO = "https://oauth2.googleapis.com/tokeninfo"  # noqa: S105 - an address
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, and what is known of whose they are without asking anybody."""

    credentials: Credentials
    # Empty for a person's own credentials, which do not say whose they are.
    account: str

    @property
    def is_service_account(self) -> bool:
        """Whether identity tokens can be had: Google gives them for service accounts."""
        return bool(self.account)


class GoogleCredentials:
    """The deployer's credentials; nothing is looked for before it is needed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._impersonated = environ.get(IMPERSONATION_VARIABLE, "")
        self._found: Found | None = None
        self._member = ""
        self._lock = threading.Lock()

    def find(self) -> Found:
        """Find the credentials; asks no cloud.

        Raises:
            PrerequisitesMissing: there are none, or they cannot be read.
        """
        with self._lock:
            if self._found is None:
                self._found = self._look()
            return self._found

    def access_token(self) -> str:
        """Give an access token that is valid for some minutes yet.

        Raises:
            CloudUnreachable: Google gives none.
        """
        import google.auth.exceptions  # noqa: PLC0415 - slow
        from google.auth.transport.requests import Request  # noqa: PLC0415

        credentials = self.find().credentials
        with self._lock:
            try:
                if not credentials.valid:
                    credentials.refresh(Request())  # type: ignore[no-untyped-call] # google-auth has no types
            except google.auth.exceptions.GoogleAuthError as error:
                raise CloudUnreachable(
                    f"Google gives the deployer no access token: {_gist(error)}", hint=LOGIN
                ) from error
            return str(credentials.token)

    def identity_token(self, audience: str) -> str:
        """Give an identity token for a private service.

        Raises:
            CloudUnreachable: Google gives none.
        """
        import google.auth.exceptions  # noqa: PLC0415 - slow
        from google.auth import impersonated_credentials  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
        from google.oauth2 import id_token  # noqa: PLC0415

        source = self.find().credentials
        try:
            if isinstance(source, impersonated_credentials.Credentials):
                token = impersonated_credentials.IDTokenCredentials(  # type: ignore[no-untyped-call] # google-auth has no types
                    source, target_audience=audience, include_email=True
                )
                token.refresh(Request())
                return str(token.token)
            return str(id_token.fetch_id_token(Request(), audience))  # type: ignore[no-untyped-call] # as above
        except google.auth.exceptions.GoogleAuthError as error:
            raise CloudUnreachable(
                f"Google gives the deployer no identity token: {_gist(error)}", hint=LOGIN
            ) from error

    def member(self) -> str:
        """Name the deployer as IAM does; people's credentials are asked whose they are.

        Raises:
            CloudUnreachable: Google does not say whose a token is.
        """
        account = self.find().account
        if account:
            return f"serviceAccount:{account}"
        if not self._member:
            token = self.access_token()
            try:
                answer = httpx.post(
                    TOKEN_INFO,
                    data={"access_token": token},
                    timeout=TIMEOUT_S,
                    verify=trusted_certificates(),
                )
                email = str(answer.json().get("email", ""))
            except (httpx.HTTPError, ValueError) as error:
                raise CloudUnreachable(f"{TOKEN_INFO} does not answer: {error}") from error
            if not email:
                raise CloudUnreachable("Google does not say whose the credentials are", hint=LOGIN)
            self._member = f"user:{email}"
        return self._member

    def _look(self) -> Found:
        import google.auth  # noqa: PLC0415 - slow
        import google.auth.exceptions  # noqa: PLC0415
        from google.auth import impersonated_credentials  # noqa: PLC0415

        try:
            # No quota project is asked for: calls name the project that they are about.
            found, _ = google.auth.default(scopes=SCOPES)
            if self._impersonated:
                found = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call] # google-auth has no types
                    source_credentials=found,
                    target_principal=self._impersonated,
                    target_scopes=list(SCOPES),
                )
        except (google.auth.exceptions.GoogleAuthError, OSError, ValueError) as error:
            raise PrerequisitesMissing(
                f"there are no credentials for Google Cloud: {_gist(error)}", hint=LOGIN
            ) from error
        account = getattr(found, "service_account_email", "") or ""
        # A machine of Google's own says `default` before it was asked.
        return Found(found, "" if account == "default" else str(account))


def _gist(error: Exception) -> str:
    """Give an error's first sentence: Google's go on with where to read."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line.partition(". ")[0].removesuffix(".")
