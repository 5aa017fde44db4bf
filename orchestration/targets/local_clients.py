"""How other people's clients are pointed at a local cloud: the variables that they read.

For Google's client libraries, gcloud, and the official provider run by hand. Our own runs need none
of it: `local` puts what the provider needs into the stacks' configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestration.targets.local_provider import PROVIDER_ENDPOINTS, fence

if TYPE_CHECKING:
    from rehearsal.cloud.control import CloudInfo

# What gcloud calls each API, and what it puts its own paths behind: the address of the API, of the
# two older ones with the path and version that gcloud leaves out.
GCLOUD_ENDPOINTS: Final[Mapping[str, str]] = {
    "ARTIFACTREGISTRY": "artifactregistry/",
    "BIGQUERY": "bigquery/bigquery/v2/",
    "CLOUDBILLING": "cloudbilling/",
    "CLOUDRESOURCEMANAGER": "resourcemanager/",
    "CLOUDSCHEDULER": "cloudscheduler/",
    "FIRESTORE": "firestore/",
    "IAM": "iam/",
    "IAMCREDENTIALS": "iamcredentials/",
    "PUBSUB": "pubsub/",
    "SECRETMANAGER": "secretmanager/",
    "SERVICEUSAGE": "serviceusage/",
    "STORAGE": "storage/storage/v1/",
}
_OVERRIDE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"
# gcloud must neither ask nor look around.
_GCLOUD_SETTINGS: Final[Mapping[str, str]] = {
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
}


def client_variables(info: CloudInfo, cloud_dir: Path) -> dict[str, str]:
    """Give the variables of the deployer's clients; gcloud's folder and token are the cloud's own.

    Args:
        info: The running local cloud.
        cloud_dir: Its folder, where gcloud's are made.
    """
    base_url = f"http://127.0.0.1:{info.port}"
    return {
        "GOOGLE_CLOUD_PROJECT": info.project_id,
        "GOOGLE_OAUTH_ACCESS_TOKEN": info.deployer_token,
        "LOCALCLOUD_ENDPOINT": base_url,
        "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{info.pubsub_port}",
        **{
            f"GOOGLE_{_upper(key)}": f"{base_url}/{path}/"
            for key, path in PROVIDER_ENDPOINTS.items()
        },
        **gcloud_variables(base_url, info, cloud_dir),
        **fence(base_url),
    }


def gcloud_variables(base_url: str, info: CloudInfo, cloud_dir: Path) -> dict[str, str]:
    """Give what gcloud reads: endpoints, who calls, and a folder that is not the user's."""
    folder = cloud_dir / "gcloud"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = folder / "access-token"
    token.touch(mode=0o600)
    token.write_text(info.deployer_token, encoding="ascii")
    return {
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CORE_PROJECT": info.project_id,
        **_GCLOUD_SETTINGS,
        **{
            _OVERRIDE.format(api=api): f"{base_url}/{path}"
            for api, path in GCLOUD_ENDPOINTS.items()
        },
    }


def _upper(key: str) -> str:
    """The provider's variable of one of its settings: `iamBetaX` is `IAM_BETA_X`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).upper()
