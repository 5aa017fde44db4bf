"""The configuration of the gcp provider: project, region and the endpoints of the local cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rehearsal.engine.provider import CheckFailure, Properties, ProviderError
from rehearsal.providers.loopback import is_loopback_url
from rehearsal.providers.properties import optional_text

_SUFFIX = "CustomEndpoint"


class Api(StrEnum):
    """The APIs that resource types call, by the configuration key of their endpoint."""

    ARTIFACT_REGISTRY = "artifactRegistryCustomEndpoint"
    BIGQUERY = "bigQueryCustomEndpoint"
    CLOUD_BILLING = "cloudBillingCustomEndpoint"
    CLOUD_RUN = "cloudRunV2CustomEndpoint"
    CLOUD_SCHEDULER = "cloudSchedulerCustomEndpoint"
    FIRESTORE = "firestoreCustomEndpoint"
    IAM = "iamBetaCustomEndpoint"
    PUBSUB = "pubsubCustomEndpoint"
    RESOURCE_MANAGER = "resourceManagerCustomEndpoint"
    SECRET_MANAGER = "secretManagerCustomEndpoint"  # noqa: S105 - a key's name, no secret.
    SERVICE_USAGE = "serviceUsageCustomEndpoint"
    STORAGE = "storageCustomEndpoint"


@dataclass(frozen=True, slots=True)
class Settings:
    """What resources fall back to, and where their APIs are."""

    project: str = ""
    region: str = ""
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def base_url(self, api: Api) -> str:
        """Return where an API is served, with a slash at its end.

        Raises:
            ProviderError: it is not configured; the embedded provider never calls Google itself.
        """
        url = self.endpoints.get(api.value, "")
        if not url:
            raise ProviderError(
                f"gcp:{api.value} is not configured: "
                "the embedded engine talks to the local cloud only"
            )
        return url


def endpoint_problem(url: str) -> str | None:
    """Say why an endpoint is refused, if it is."""
    if not is_loopback_url(url):
        return (
            f"{url!r} is not on this machine: the embedded engine talks to the local cloud only; "
            "use a real pulumi for Google Cloud"
        )
    if not url.endswith("/"):
        return f"{url!r} must end with a slash"
    return None


def check_endpoints(inputs: Properties) -> tuple[CheckFailure, ...]:
    """Refuse every endpoint that is not on this machine."""
    return tuple(
        CheckFailure(problem, key)
        for key, value in inputs.items()
        if key.endswith(_SUFFIX)
        and isinstance(value, str)
        and (problem := endpoint_problem(value)) is not None
    )


def read_settings(inputs: Properties) -> Settings:
    """Read the provider's configuration.

    Raises:
        ProviderError: an endpoint is not on this machine.
    """
    if failures := check_endpoints(inputs):
        raise ProviderError(f"gcp:{failures[0].property}: {failures[0].reason}")
    return Settings(
        project=optional_text(inputs, "project"),
        region=optional_text(inputs, "region"),
        endpoints={
            key: value
            for key, value in inputs.items()
            if key.endswith(_SUFFIX) and isinstance(value, str)
        },
    )
