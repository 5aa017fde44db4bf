"""What points the official gcp provider at a local cloud, and keeps it there."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.automation.results import Json

# The provider's name for each endpoint, and the path under which the local cloud serves it. Names
# as the official provider reads them (pulumi-gcp 10: `iamBeta` serves service accounts,
# `resourceManager` projects).
PROVIDER_ENDPOINTS: Mapping[str, str] = {
    "artifactRegistryCustomEndpoint": "artifactregistry/v1",
    "bigQueryCustomEndpoint": "bigquery/bigquery/v2",
    "cloudBillingCustomEndpoint": "cloudbilling/v1",
    "cloudResourceManagerCustomEndpoint": "resourcemanager/v1",
    "cloudRunV2CustomEndpoint": "run/v2",
    "cloudSchedulerCustomEndpoint": "cloudscheduler/v1",
    "firestoreCustomEndpoint": "firestore/v1",
    "iamBetaCustomEndpoint": "iam/v1",
    "iamCredentialsCustomEndpoint": "iamcredentials/v1",
    "iamCustomEndpoint": "iam/v1",
    "pubsubCustomEndpoint": "pubsub/v1",
    "resourceManagerCustomEndpoint": "resourcemanager/v1",
    "resourceManagerV3CustomEndpoint": "resourcemanager/v3",
    "secretManagerCustomEndpoint": "secretmanager/v1",
    # Calls go to v1, their operations are polled on v1beta1.
    "serviceUsageCustomEndpoint": "serviceusage/v1beta1",
    "storageCustomEndpoint": "storage/storage/v1",
}
# Settings that spare the official provider its waits and its calls to the internet.
PROVIDER_SETTINGS: Mapping[str, Json] = {
    # By default it waits 3 s for more grants on a project before it sets any.
    "gcp:batching": {"enableBatching": True, "sendAfter": "1ms"},
    "gcp:pollInterval": "100ms",
    "gcp:skipRegionValidation": "true",
    "gcp:disableGlobalProjectWarning": "true",
    "gcp:addPulumiAttributionLabel": "false",
    "gcp:disableGooglePartnerName": "true",
    "gcp:userProjectOverride": "false",
}


def fence(base_url: str) -> dict[str, str]:
    """Give the variables that keep a process from the internet: the local cloud lets nothing out.

    The official provider asks Google who it is, whatever its endpoints are; without an answer it
    waits for minutes.
    """
    return {"HTTPS_PROXY": base_url, "NO_PROXY": "127.0.0.1,localhost"}
