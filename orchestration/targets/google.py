"""The Google target: a real project, the real engine, the official providers.

What it needs before a run can begin is in `google_needs`; who deploys is `google_credentials`'
matter. Nothing here has been run against Google: README says what was run, and where.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from architecture.grants import StatePlace
from orchestration.access.pacing import CONFIRM_S
from orchestration.automation.results import Json
from orchestration.environments import EnvironmentRecord, TargetName
from orchestration.errors import CloudUnreachable, PrerequisitesMissing, UsageError
from orchestration.targets.google_credentials import GoogleCredentials
from orchestration.tls import trusted_certificates

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

# Google's own hosts, each with the version that the local cloud serves too.
ENDPOINTS: Mapping[str, str] = {
    "artifactregistry": "https://artifactregistry.googleapis.com/v1",
    "bigquery": "https://bigquery.googleapis.com/bigquery/v2",
    "cloudbilling": "https://cloudbilling.googleapis.com/v1",
    "cloudkms": "https://cloudkms.googleapis.com/v1",
    "cloudscheduler": "https://cloudscheduler.googleapis.com/v1",
    "firestore": "https://firestore.googleapis.com/v1",
    "iam": "https://iam.googleapis.com/v1",
    "iamcredentials": "https://iamcredentials.googleapis.com/v1",
    "logging": "https://logging.googleapis.com/v2",
    "pubsub": "https://pubsub.googleapis.com/v1",
    "resourcemanager": "https://cloudresourcemanager.googleapis.com/v1",
    "run": "https://run.googleapis.com/v2",
    "secretmanager": "https://secretmanager.googleapis.com/v1",
    "serviceusage": "https://serviceusage.googleapis.com/v1",
    "storage": "https://storage.googleapis.com/storage/v1",
}
# https://cloud.google.com/storage/docs/buckets#naming
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
# https://www.pulumi.com/docs/iac/concepts/secrets/#google-key-management-service-kms
KEY_PROVIDER = re.compile(
    r"gcpkms://(?P<path>projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+)"
)
LOG_LINES = 50
TIMEOUT_S = 30.0


def bucket_name(asked: str) -> str:
    """Read `--state-bucket`, which is a bucket's name, with `gs://` or without.

    Raises:
        UsageError: it is neither.
    """
    name = asked.removeprefix("gs://").removesuffix("/")
    if not BUCKET_NAME.fullmatch(name):
        raise UsageError(
            f"--state-bucket {asked!r} is no name of a bucket",
            hint="write for example gs://my-state",
        )
    return name


def key_path(secrets_provider: str) -> str:
    """Give the resource name of the key that a secrets provider names.

    Raises:
        UsageError: it names none of Cloud KMS.
    """
    found = KEY_PROVIDER.fullmatch(secrets_provider)
    if found is None:
        raise UsageError(
            f"--secrets-provider {secrets_provider!r} names no key of Cloud KMS",
            hint="write gcpkms://projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY",
        )
    return found["path"]


def state_place(record: EnvironmentRecord) -> StatePlace | None:
    """Say where an environment's state is, for grants; None while that is not named."""
    if not (record.state_bucket and record.secrets_provider):
        return None
    return StatePlace(bucket=record.state_bucket, key=key_path(record.secrets_provider))


class GoogleTarget:
    """One environment in a project of Google's cloud."""

    name = TargetName.GOOGLE

    def __init__(
        self,
        record: EnvironmentRecord,
        *,
        region: str = "",
        credentials: GoogleCredentials | None = None,
        endpoints: Mapping[str, str] = ENDPOINTS,
    ) -> None:
        self.project_id = record.project_id
        self.record = record
        self.region = region
        self._credentials = credentials or GoogleCredentials(os.environ)
        self._endpoints = endpoints

    @property
    def deployer(self) -> str:
        """The member whose credentials these are."""
        return self._credentials.member()

    @property
    def confirm_grants_for_s(self) -> float:
        """As Google's own provider confirms what is eventually consistent."""
        return CONFIRM_S

    @property
    def state_place(self) -> StatePlace | None:
        """The bucket and the key."""
        return state_place(self.record)

    @property
    def own_credentials(self) -> GoogleCredentials:
        """The deployer's credentials, which may not have been looked for yet."""
        return self._credentials

    def prepare(self) -> None:
        """Find the credentials; what else is needed is phase 1's to look at.

        Raises:
            PrerequisitesMissing: there are none, or the environment's state has no place yet.
        """
        if state_place(self.record) is None:
            raise PrerequisitesMissing(
                f"environment {self.record.name!r} has no state bucket or no key yet",
                hint="name them with `conductor up … --state-bucket … --secrets-provider …`",
            )
        self._credentials.find()

    def require_reachable(self) -> None:
        """Do nothing: Google's APIs come back, and whoever calls them tries again."""

    def stack_config(self) -> Mapping[str, Json]:
        """Name project, region and deployer, and where the director finds the stacks' state."""
        place = state_place(self.record)
        held: dict[str, Json] = {} if place is None else {"bucket": place.bucket, "key": place.key}
        return {
            "gcp:project": self.project_id,
            "gcp:region": self.region,
            "conductor:deployer": self.deployer,
            "conductor:state": held,
        }

    def images_config(self) -> Mapping[str, Json]:
        """The official docker provider always builds with docker."""
        return {"conductor:builder": "docker"}

    def director_environment(self) -> Mapping[str, str]:
        """The director shares the bucket and the key; all else is in its image."""
        bucket = self.record.state_bucket
        return {
            "CONDUCTOR_ENVIRONMENT": self.record.name,
            "CONDUCTOR_TARGET": self.name.value,
            "CONDUCTOR_ENGINE": "pulumi",
            "CONDUCTOR_LEDGER": f"gs://{bucket}/.conductor/{self.record.name}/director",
            "CONDUCTOR_SECRETS_PROVIDER": self.record.secrets_provider,
            "PULUMI_BACKEND_URL": f"gs://{bucket}",
        }

    def credentials(self) -> Mapping[str, str]:
        """The deployer's token, for the providers, the state and the key."""
        return {"GOOGLE_OAUTH_ACCESS_TOKEN": self.access_token()}

    def access_token(self) -> str:
        """The deployer's token, renewed when it runs out."""
        return self._credentials.access_token()

    def identity_token(self, audience: str) -> str:
        """The deployer's identity, for calls to private services."""
        return self._credentials.identity_token(audience)

    def endpoints(self) -> Mapping[str, str]:
        """Google's own."""
        return self._endpoints

    def service_log(self, service: str) -> str:
        """Ask Cloud Logging; what it cannot say is no reason to fail."""
        chosen = f'resource.type="cloud_run_revision" AND resource.labels.service_name="{service}"'
        try:
            answer = httpx.post(
                f"{self._endpoints['logging']}/entries:list",
                json={
                    "resourceNames": [f"projects/{self.project_id}"],
                    "filter": chosen,
                    "orderBy": "timestamp desc",
                    "pageSize": LOG_LINES,
                },
                headers={"Authorization": f"Bearer {self.access_token()}"},
                timeout=TIMEOUT_S,
                verify=trusted_certificates(),
            )
        except (httpx.HTTPError, CloudUnreachable):
            return ""
        if answer.status_code != HTTPStatus.OK:
            return ""
        lines = [entry.get("textPayload", "") for entry in answer.json().get("entries", [])]
        return "\n".join(line for line in reversed(lines) if line)

    def publisher(self) -> PublisherClient:
        """A client with the deployer's credentials."""
        from google.cloud.pubsub_v1 import PublisherClient  # noqa: PLC0415 - slow

        return PublisherClient(credentials=self._credentials.find().credentials)

    def subscriber(self) -> SubscriberClient:
        """A client with the deployer's credentials."""
        from google.cloud.pubsub_v1 import SubscriberClient  # noqa: PLC0415 - slow

        return SubscriberClient(credentials=self._credentials.find().credentials)
