"""What points the official provider, gcloud and Google's clients at a local cloud."""

from __future__ import annotations

import re
import stat
from importlib import metadata
from pathlib import Path

import pytest

from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.local import LocalTarget
from orchestration.targets.local_clients import GCLOUD_ENDPOINTS, client_variables
from orchestration.targets.local_provider import fence
from rehearsal.cloud.discovery.documents import DOCUMENTS
from rehearsal.cloud.info import CloudInfo

BASE_URL = "http://127.0.0.1:8080"


@pytest.fixture(name="info")
def info_fixture(tmp_path: Path) -> CloudInfo:
    """A local cloud, as its file describes it."""
    return CloudInfo(
        pid=1,
        port=8080,
        pubsub_port=8081,
        project_id="shop",
        project_number="1",
        deployer="user:developer@local.test",
        deployer_token="ya29.local.secret",
        data_dir=tmp_path,
    )


@pytest.fixture(name="target")
def target_fixture(info: CloudInfo, tmp_path: Path) -> LocalTarget:
    """The target of that cloud."""
    environment = Environment("local", Settings(tmp_path))
    target = LocalTarget(environment, project_id="shop", region="europe-west1")
    target._info = info
    return target


def _provider_settings() -> set[str]:
    """The names that the installed SDK's configuration has; importing it takes seconds."""
    (file,) = (
        one for one in metadata.files("pulumi-gcp") or () if str(one) == "pulumi_gcp/config/vars.py"
    )
    found = re.findall(r"__config__\.get\w*\('(\w+)'\)", file.read_text())
    assert len(found) > 100
    return set(found)


def test_every_setting_is_one_of_the_official_provider(target: LocalTarget) -> None:
    """A name that the provider does not know would leave an API pointed at Google."""
    config = target.stack_config()
    keys = {key.removeprefix("gcp:") for key in config if key.startswith("gcp:")}
    assert keys <= _provider_settings()
    assert config["gcp:batching"] == {"enableBatching": True, "sendAfter": "1ms"}
    assert config["gcp:pollInterval"] == "100ms"
    assert config["gcp:skipRegionValidation"] == "true"
    assert {"iamBetaCustomEndpoint", "cloudBillingCustomEndpoint"} <= keys
    assert config["gcp:serviceUsageCustomEndpoint"] == f"{BASE_URL}/serviceusage/v1beta1/"


def test_every_endpoint_ends_with_a_version_that_is_served(target: LocalTarget) -> None:
    """The provider's clients take the last segment for the version and put their own there."""
    endpoints = {k: str(v) for k, v in target.stack_config().items() if "CustomEndpoint" in k}
    for key, endpoint in endpoints.items():
        assert endpoint.startswith(f"{BASE_URL}/"), key
        prefix, *_, version, end = endpoint.removeprefix(f"{BASE_URL}/").split("/")
        assert end == "", key
        names = {name for name, ours in DOCUMENTS.items() if ours == prefix}
        assert version in {name.rpartition(".")[2] for name in names}, key


def test_the_engine_is_fenced_in(target: LocalTarget) -> None:
    """The provider asks Google who it is, at an address that nothing configures."""
    assert target.credentials() == {
        "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.local.secret",
        "HTTPS_PROXY": BASE_URL,
        "NO_PROXY": "127.0.0.1,localhost",
    }


def test_clients_find_the_local_cloud_by_variables(info: CloudInfo, tmp_path: Path) -> None:
    """Endpoints for whoever reads them, in the forms that each wants, and nothing elsewhere."""
    found = client_variables(info, tmp_path)
    assert found["PUBSUB_EMULATOR_HOST"] == "127.0.0.1:8081"
    assert found["GOOGLE_IAM_BETA_CUSTOM_ENDPOINT"] == f"{BASE_URL}/iam/v1/"
    assert found["GOOGLE_CLOUD_RUN_V2_CUSTOM_ENDPOINT"] == f"{BASE_URL}/run/v2/"
    assert found["GOOGLE_BIG_QUERY_CUSTOM_ENDPOINT"] == f"{BASE_URL}/bigquery/bigquery/v2/"
    assert found["CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"] == f"{BASE_URL}/storage/storage/v1/"
    assert found["CLOUDSDK_CORE_PROJECT"] == found["GOOGLE_CLOUD_PROJECT"] == "shop"
    assert {name: found[name] for name in fence(BASE_URL)} == fence(BASE_URL)
    addresses = [value for value in found.values() if "://" in value]
    assert all(value.startswith(BASE_URL) for value in addresses)


def test_gcloud_touches_nothing_of_the_users(info: CloudInfo, tmp_path: Path) -> None:
    """Its folder and the token are the local cloud's own, and nobody else reads them."""
    found = client_variables(info, tmp_path)
    folder, token = (
        Path(found[name]) for name in ("CLOUDSDK_CONFIG", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE")
    )
    assert tmp_path in folder.parents
    assert token.read_text() == "ya29.local.secret"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.split("/")[0] for path in GCLOUD_ENDPOINTS.values()} < set(DOCUMENTS.values())
