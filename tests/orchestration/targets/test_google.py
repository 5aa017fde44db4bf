"""The Google target, as far as it can be tried without an account: a local cloud plays Google's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from orchestration.automation.engines import EngineName
from orchestration.conductor.assembly import stack_home, stack_operations
from orchestration.environments import Environment, EnvironmentRecord, TargetName
from orchestration.errors import PrerequisitesMissing
from orchestration.settings import Settings
from orchestration.targets.google import ENDPOINTS, GoogleTarget
from orchestration.targets.google_credentials import Found, GoogleCredentials
from orchestration.targets.google_needs import google_prerequisites
from orchestration.targets.local import API_PATHS, LocalTarget, stop_cloud_of
from orchestration.targets.opening import target_of
from orchestration.targets.prerequisite import Standing, survey
from orchestration.targets.prerequisites import stack_config
from orchestration.targets.seeding import seed_secret

PROJECT = "local-proj"
DEPLOYER = "deployer@local-proj.iam.gserviceaccount.com"
KEY = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"
RECORD = EnvironmentRecord(
    name="prod",
    target=TargetName.GOOGLE,
    architecture_name="shop",
    project_id=PROJECT,
    state_bucket="shop-state",
    secrets_provider=f"gcpkms://{KEY}",
    made_at=datetime(2026, 1, 1, tzinfo=UTC),
)
TEXT = """
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: .}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      cart:
        service_account: cart-sa
        deployment:
          source_path: .
          secret_environment_vars: [{name: PASSWORD, value_from: password, version: "1"}]
"""


class Deployer(GoogleCredentials):
    """Credentials with a token of the local cloud."""

    def __init__(self, token: str) -> None:
        super().__init__({})
        self._token = token

    def find(self) -> Found:
        """Give no credentials of Google's: nobody here could use them."""
        return Found(None, DEPLOYER)  # type: ignore[arg-type] # only the account is looked at

    def access_token(self) -> str:
        """Give the token."""
        return self._token


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """A local cloud, which plays Google's."""
    environment = Environment("local", Settings(tmp_path_factory.mktemp("google")))
    target = LocalTarget(environment, project_id=PROJECT, region="", propagation="none")
    target.prepare()
    yield target
    stop_cloud_of(environment)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, on a machine without credentials."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def architecture(folder: Path) -> Architecture:
    """Hydrate the sample."""
    loaded = loads(TEXT, folder / "shop.yaml").architecture
    return hydrate(loaded, base_dir=folder, project_id=PROJECT)


def standing(cloud: LocalTarget, token: str, folder: Path) -> dict[str, tuple[Standing, str]]:
    """Look at everything that a run needs, as the holder of a token."""
    endpoints = {**cloud.endpoints(), "cloudkms": f"{cloud.base_url}/cloudkms/v1"}
    target = GoogleTarget(RECORD, credentials=Deployer(token), endpoints=endpoints)
    looked = map(survey, google_prerequisites(target, architecture(folder), folder))
    return {item.prerequisite.name: (item.seen.standing, item.seen.what) for item in looked}


def test_every_api_of_the_rehearsal_has_an_address_of_googles() -> None:
    """The same names, the same versions: what is called here is called there."""
    assert set(API_PATHS) <= set(ENDPOINTS)
    for api, path in API_PATHS.items():
        assert ENDPOINTS[api].startswith("https://")
        assert ENDPOINTS[api].endswith(f".googleapis.com/{path.partition('/')[2]}"), api


def test_what_the_cloud_has_is_ok_and_what_it_lacks_is_missing(
    cloud: LocalTarget, project: Path
) -> None:
    """Project, billing, APIs, bucket, roles and secrets are read, not guessed."""
    before = standing(cloud, cloud.access_token(), project)
    assert before[f"project {PROJECT}"] == (Standing.OK, f"project {PROJECT} is active")
    assert before["billing"][0] is Standing.OK
    assert before["pubsub.googleapis.com"][0] is Standing.OK
    assert before["cloudkms.googleapis.com"] == (
        Standing.MISSING,
        "cloudkms.googleapis.com is not enabled",
    )
    assert before["bucket gs://shop-state"] == (
        Standing.MISSING,
        "bucket shop-state does not exist",
    )
    assert before["secret password, version 1"][0] is Standing.MISSING
    assert {before[name][0] for name in before if name.startswith("roles/")} == {Standing.OK}
    # The local cloud has no keys at all.
    assert before[f"key {KEY}"] == (Standing.MISSING, f"key {KEY} does not exist")

    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    buckets = f"{cloud.endpoints()['storage']}/b"
    httpx.post(
        buckets, params={"project": PROJECT}, json={"name": "shop-state"}, headers=headers
    ).raise_for_status()
    half = standing(cloud, cloud.access_token(), project)
    assert half["bucket gs://shop-state"][0] is Standing.MISSING
    assert "no object versioning" in half["bucket gs://shop-state"][1]
    httpx.patch(
        f"{buckets}/shop-state",
        json={
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
        },
        headers=headers,
    ).raise_for_status()
    seed_secret(cloud, "password", b"x")
    after = standing(cloud, cloud.access_token(), project)
    for name in ("bucket gs://shop-state", "rights on the bucket", "secret password, version 1"):
        assert after[name][0] is Standing.OK, (name, after[name])


def test_somebody_without_rights_learns_which_are_missing(
    cloud: LocalTarget, project: Path
) -> None:
    """Every role in a line of its own, with the permissions that were tried and their absence."""
    headers = {"Authorization": f"Bearer {cloud.access_token()}"}
    accounts = f"{cloud.endpoints()['iam']}/projects/{PROJECT}/serviceAccounts"
    account = f"deployer@{PROJECT}.iam.gserviceaccount.com"
    body = {"bindings": [{"role": TOKEN_CREATOR, "members": [cloud.deployer]}]}
    services = f"{cloud.endpoints()['serviceusage']}/projects/{PROJECT}/services"
    for url, content in (
        (f"{services}/iam.googleapis.com:enable", {}),
        (f"{services}/iamcredentials.googleapis.com:enable", {}),
        (accounts, {"accountId": "deployer"}),
        (f"{accounts}/{account}:setIamPolicy", {"policy": body}),
    ):
        httpx.post(url, json=content, headers=headers).raise_for_status()
    minted = httpx.post(
        f"{cloud.endpoints()['iamcredentials']}/projects/-/serviceAccounts/{account}"
        ":generateAccessToken",
        json={"scope": ["https://www.googleapis.com/auth/cloud-platform"]},
        headers=headers,
    )
    seen = standing(cloud, minted.raise_for_status().json()["accessToken"], project)
    lacking = "run.services.create, run.services.setIamPolicy"
    assert seen["roles/run.admin"] == (
        Standing.MISSING,
        f"serviceAccount:{account} lacks {lacking} on project {PROJECT}",
    )
    # What may not be looked at is not taken for missing.
    assert seen["billing"][0] is Standing.UNKNOWN
    assert seen["pubsub.googleapis.com"] == (
        Standing.UNKNOWN,
        "you may not list the project's APIs",
    )


def credentials_file(folder: Path, content: Mapping[str, object]) -> str:
    """Write a file of Application Default Credentials."""
    path = folder / "adc.json"
    path.write_text(json.dumps(content))
    return str(path)


PERSON = {
    "type": "authorized_user",
    "client_id": "c",
    "client_secret": "s",
    "refresh_token": "r",
}


def test_credentials_say_whose_they_are(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's do not; an account that is taken on is known without asking anybody."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials_file(project, PERSON))
    assert not GoogleCredentials({}).find().is_service_account
    taken_on = GoogleCredentials({"GOOGLE_IMPERSONATE_SERVICE_ACCOUNT": DEPLOYER})
    assert taken_on.find().is_service_account
    assert taken_on.member() == f"serviceAccount:{DEPLOYER}"
    impersonated = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            f"{DEPLOYER}:generateAccessToken"
        ),
        "source_credentials": PERSON,
    }
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials_file(project, impersonated))
    assert GoogleCredentials({}).member() == f"serviceAccount:{DEPLOYER}"


@pytest.mark.parametrize("content", ["{", '{"type": "no-such-type"}'])
def test_credentials_that_cannot_be_read_are_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """One clear line, and how to get some."""
    (project / "adc.json").write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(project / "adc.json"))
    with pytest.raises(PrerequisitesMissing, match="no credentials for Google Cloud") as missing:
        GoogleCredentials({}).find()
    assert "application-default login" in missing.value.hint
    assert "\n" not in missing.value.message


def made(settings: Settings) -> Environment:
    """Make an environment on Google's cloud."""
    environment = Environment("prod", settings)
    environment.make(
        target=TargetName.GOOGLE,
        architecture_name="shop",
        project_id=PROJECT,
        state_bucket=RECORD.state_bucket,
        secrets_provider=RECORD.secrets_provider,
    )
    return environment


def test_state_is_in_the_bucket_and_secrets_are_behind_the_key(project: Path) -> None:
    """The engine is told so; there is no passphrase and no folder of state."""
    environment = made(Settings.from_environment())
    home = stack_home(environment, EngineName.PULUMI)
    assert home.environ() == {
        "PULUMI_BACKEND_URL": "gs://shop-state",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    assert home.secrets_provider == f"gcpkms://{KEY}"
    assert home.is_remote
    assert not environment.passphrase_file.exists()
    assert not environment.state_dir.exists()


def test_a_missing_engine_is_said_when_a_stack_is_touched(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phase 1 tells of it among other things, so that making the operations must not fail."""
    monkeypatch.setenv("PATH", str(project))
    environment = made(Settings.from_environment())
    target = GoogleTarget(RECORD, credentials=Deployer("token"))
    operations = stack_operations(environment, target, EngineName.AUTO)
    with pytest.raises(PrerequisitesMissing, match="no `pulumi` on PATH"):
        operations.create("prod.foundation")


def test_no_token_is_in_any_configuration(project: Path) -> None:
    """What is written for stacks names places and accounts, never secrets."""
    environment = made(Settings.from_environment())
    target = GoogleTarget(RECORD, region="europe-west1", credentials=Deployer("canary-token"))
    config = stack_config(environment, target)
    assert config["conductor:state"] == {"bucket": "shop-state", "key": KEY}
    assert config["conductor:deployer"] == f"serviceAccount:{DEPLOYER}"
    assert config["gcp:region"] == "europe-west1"
    assert "conductor:registry" not in config
    assert "canary" not in json.dumps(config)
    assert target.credentials() == {"GOOGLE_OAUTH_ACCESS_TOKEN": "canary-token"}


def test_the_director_shares_bucket_and_key_and_no_folder(project: Path) -> None:
    """What is in its environment leads to the bucket, all else is in its image."""
    variables = target_of(made(Settings.from_environment())).director_environment()
    assert variables["PULUMI_BACKEND_URL"] == "gs://shop-state"
    assert variables["CONDUCTOR_LEDGER"] == "gs://shop-state/.conductor/prod/director"
    assert variables["CONDUCTOR_SECRETS_PROVIDER"] == f"gcpkms://{KEY}"
    assert str(project) not in json.dumps(dict(variables))


def test_commands_need_a_place_of_state(project: Path) -> None:
    """`destroy` and the like on an environment that was never deployed say what to do."""
    environment = Environment("prod", Settings.from_environment())
    environment.make(target=TargetName.GOOGLE, architecture_name="shop", project_id=PROJECT)
    with pytest.raises(PrerequisitesMissing, match="no state bucket or no key yet") as missing:
        target_of(environment).prepare()
    assert "--state-bucket" in missing.value.hint
