"""`conductor up --dry-run` tells every prerequisite and why, and touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from orchestration.automation.plugins import required_plugins
from orchestration.cli.main import app
from orchestration.environments import Environment, TargetName
from orchestration.settings import Settings

GOLDEN = Path(__file__).parent / "golden"
KEY = "gcpkms://projects/p/locations/eu/keyRings/r/cryptoKeys/k"
TEXT = """
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: director}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services:
      cart:
        service_account: cart-sa
        deployment:
          source_path: cart
          secret_environment_vars: [{name: PASSWORD, value_from: cart-password, version: "3"}]
      mail:
        service_account: mail-sa
        deployment:
          source_path: mail
          secret_environment_vars: [{name: TOKEN, value_from: cart-password, version: "3"}]
    resources:
      topics: [{name: orders, producer_service: {name: cart}}]
      subscriptions: [{name: orders-sub, topic: orders, consumer_service: {name: mail}}]
      gcs_buckets: [{name: shop-receipts, producers: [{name: mail}]}]
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on a machine that has nothing: no engine, docker, home, credentials."""
    folder = tmp_path / "project"
    (folder / "director").mkdir(parents=True)
    (folder / "cart").mkdir()
    (folder / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    (folder / "shop.yaml").write_text(TEXT)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    for name in (
        "CLOUDSDK_CONFIG",
        "DOCKER_CONFIG",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
        "PULUMI_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    return folder


def dry_run(*words: str) -> Result:
    """Run `conductor up --dry-run` on the sample."""
    return CliRunner().invoke(app, ["up", "shop.yaml", "--dry-run", *words])


def listed(*words: str) -> dict[str, dict[str, Any]]:
    """Give the prerequisites that the command prints as JSON, by name."""
    found = json.loads(dry_run("--json", *words).stdout)
    return {item["name"]: item for item in found["prerequisites"]}


def up(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `conductor up` on the sample, in a process of its own."""
    command = [sys.executable, "-m", "orchestration.cli.main", "up", "shop.yaml", "--env", "prod"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("target", "code"),
    [("google", 3), ("local", 3)],
)
def test_report_is_the_recorded_one(target: str, code: int, project: Path) -> None:
    """Everything that a run needs, why, and what settles it; versions are those of the lock."""
    done = dry_run("--env", "prod", "--target", target)
    assert done.exit_code == code, done.output
    text = done.stdout
    for plugin in required_plugins():
        text = text.replace(plugin.version, f"<{plugin.name}>")
    assert text == (GOLDEN / f"dry-run.{target}.txt").read_text()
    assert sorted(item.name for item in project.iterdir()) == [
        "Pulumi.yaml",
        "cart",
        "director",
        "shop.yaml",
    ]


def test_nothing_missing_is_exit_0(project: Path) -> None:
    """A rehearsal needs no account; what only a running cloud can say is no obstacle."""
    (project / "mail").mkdir()
    done = dry_run("--env", "local")
    assert done.exit_code == 0, done.output
    assert " 0 missing" in done.stdout


def test_secrets_name_the_services_that_read_them() -> None:
    """One line per version, with every reader."""
    secret = listed("--env", "prod", "--target", "google")["secret cart-password, version 3"]
    assert secret["why"] == ("service cart reads it as PASSWORD; service mail reads it as TOKEN")
    assert secret["settled_by"] == "conductor secrets set cart-password --env prod"
    assert secret["standing"] == "cannot be checked here"


def test_places_of_state_are_read_from_options_and_the_environment() -> None:
    """Said once, they stay: a later report knows them."""
    words = ("--state-bucket", "gs://shop-state", "--secrets-provider", KEY)
    assert "bucket gs://shop-state" in listed("--env", "prod", "--target", "google", *words)
    Environment("prod", Settings.from_environment()).make(
        target=TargetName.GOOGLE,
        architecture_name="shop",
        project_id="shop-project",
        state_bucket="shop-state",
        secrets_provider=KEY,
    )
    later = listed("--env", "prod")
    assert later["bucket gs://shop-state"]["standing"] == "cannot be checked here"
    assert later[f"key {KEY.removeprefix('gcpkms://')}"]["standing"] == "cannot be checked here"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--state-bucket", "Not A Bucket"], 2, "no name of a bucket"),
        (["--secrets-provider", "passphrase"], 2, "names no key of Cloud KMS"),
        (["--engine", "embedded"], 2, "target google needs the real pulumi"),
        (["--target", "local", "--state-bucket", "b-1"], 2, "are for target google"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], code: int, said: str) -> None:
    """One clear line."""
    done = dry_run("--env", "prod", "--target", "google", *words)
    assert done.exit_code == code
    assert said in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "local"], "holds target 'google', not 'local'"),
        (["--state-bucket", "other-state"], "holds state bucket 'shop-state'"),
    ],
)
def test_another_place_for_an_environment_is_refused(words: list[str], said: str) -> None:
    """An environment lives where it was made, with its state where it was put."""
    Environment("prod", Settings.from_environment()).make(
        target=TargetName.GOOGLE,
        architecture_name="shop",
        project_id="shop-project",
        state_bucket="shop-state",
    )
    done = dry_run("--env", "prod", *words)
    assert done.exit_code == 3
    assert said in done.output


def test_a_run_without_prerequisites_stops_in_phase_1_with_all_findings(project: Path) -> None:
    """Exit 3, one report; no stack was made."""
    (project / "mail").mkdir()
    done = up("--target", "google", "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (error,) = (event for event in events if event["event"] == "error")
    assert error["code"] == "prerequisites-missing"
    said = " ".join(error["findings"])
    for what in (
        "no `pulumi`",
        "plugin gcp",
        "docker daemon",
        "credentials",
        "state bucket",
        "key",
    ):
        assert what in said
    assert not (project / "environments").exists()
    assert not (project / ".conductor" / "prod" / "state").exists()
    # Said later, the places are kept with the environment.
    environment = Environment("prod", Settings.from_environment())
    assert environment.require_record().state_bucket == ""
    assert up("--state-bucket", "shop-state").returncode == 3
    assert environment.require_record().state_bucket == "shop-state"
