"""gcloud, where it is installed, against the local cloud: what people type works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.targets.local_clients import gcloud_variables
from orchestration.targets.local_provider import fence
from rehearsal.cloud.info import CloudInfo

GCLOUD = shutil.which("gcloud")
ACCOUNT = "worker-sa@local-proj.iam.gserviceaccount.com"
REGION = "--location=europe-west1"
# What a program needs of the user's environment; nothing that could lead to the user's account.
KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR")

# A command takes a second, several where the machine is busy.
pytestmark = pytest.mark.timeout(300)
Gcloud = Callable[..., Any]


def _variables(running: Any, folder: Path) -> Mapping[str, str]:
    cloud = running.cloud
    info = CloudInfo(
        pid=os.getpid(),
        port=cloud.port,
        pubsub_port=cloud.pubsub_port,
        project_id=cloud.project_id,
        project_number=cloud.project_number,
        deployer=cloud.deployer,
        deployer_token=cloud.tokens.access_token(cloud.deployer),
        data_dir=folder,
    )
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "HOME": str(folder),
        **gcloud_variables(running.base_url, info, folder),
        **fence(running.base_url),
    }


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    """Where gcloud runs, and its home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(name="gcloud")
def gcloud_fixture(local_cloud: Any, folder: Path) -> Gcloud:
    """Run a command, expect its exit code, and return its answer as JSON."""
    if GCLOUD is None:
        pytest.skip("gcloud is not on PATH")
    program = GCLOUD
    local_cloud.enable("storage", "bigquery")
    environ = _variables(local_cloud, folder)

    def run(*words: str, fails: str = "") -> Any:
        done = subprocess.run(
            [program, *words, "--format=json"],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert (done.returncode != 0) is bool(fails), done.stderr
        assert fails in done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_gclouds_environment_leads_nowhere_else(local_cloud: Any, tmp_path: Path) -> None:
    """Every address is loopback, every file in the test's folder, and HTTPS is fenced in."""
    found = _variables(local_cloud, tmp_path)
    addresses = [value for value in found.values() if "://" in value]
    assert len(addresses) > 10
    assert all(value.startswith(local_cloud.base_url) for value in addresses)
    for name in ("HOME", "CLOUDSDK_CONFIG", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"):
        assert Path(found[name]).is_relative_to(tmp_path)
    assert not any("CREDENTIALS" in name and "IAMCREDENTIALS" not in name for name in found)
    assert found["HTTPS_PROXY"] == local_cloud.base_url


@pytest.mark.long
def test_projects_and_services(gcloud: Gcloud) -> None:
    """The project is found, its policy changed; APIs are listed, disabled and enabled."""
    assert [found["projectId"] for found in gcloud("projects", "list")] == ["local-proj"]
    assert gcloud("projects", "describe", "local-proj")["projectNumber"] == "123456789012"
    grant = ("--member=user:a@local.test", "--role=roles/viewer")
    policy = gcloud("projects", "add-iam-policy-binding", "local-proj", *grant)
    assert {"members": ["user:a@local.test"], "role": "roles/viewer"} in policy["bindings"]
    policy = gcloud("projects", "remove-iam-policy-binding", "local-proj", *grant)
    assert "roles/viewer" not in [binding["role"] for binding in policy["bindings"]]
    gcloud("services", "disable", "run.googleapis.com")
    listed = [found["config"]["name"] for found in gcloud("services", "list", "--enabled")]
    assert "pubsub.googleapis.com" in listed
    assert "run.googleapis.com" not in listed
    gcloud("services", "enable", "run.googleapis.com")


@pytest.mark.long
def test_service_accounts_and_roles(gcloud: Gcloud) -> None:
    """Made, changed, granted and deleted."""
    accounts = ("iam", "service-accounts")
    assert gcloud(*accounts, "create", "worker-sa", "--display-name=W")["email"] == ACCOUNT
    assert gcloud(*accounts, "update", ACCOUNT, "--display-name=X")["displayName"] == "X"
    grant = ("--member=user:a@local.test", "--role=roles/iam.serviceAccountUser")
    assert gcloud(*accounts, "add-iam-policy-binding", ACCOUNT, *grant)["bindings"]
    gcloud(*accounts, "disable", ACCOUNT)
    assert gcloud(*accounts, "describe", ACCOUNT)["disabled"]
    gcloud(*accounts, "delete", ACCOUNT)
    gcloud(*accounts, "describe", ACCOUNT, fails="NOT_FOUND")
    roles, project = ("iam", "roles"), "--project=local-proj"
    gcloud(*roles, "create", "reader", project, "--permissions=pubsub.topics.get")
    role = gcloud(*roles, "update", "reader", project, "--add-permissions=pubsub.topics.list")
    assert role["includedPermissions"] == ["pubsub.topics.get", "pubsub.topics.list"]
    assert gcloud(*roles, "delete", "reader", project)["deleted"]


@pytest.mark.long
def test_topics_and_subscriptions(gcloud: Gcloud) -> None:
    """Made, changed by mask, published to, pulled from, granted and deleted."""
    gcloud("pubsub", "topics", "create", "orders", "--labels=a=b")
    gcloud("pubsub", "topics", "update", "orders", "--update-labels=c=d")
    assert gcloud("pubsub", "topics", "describe", "orders")["labels"] == {"a": "b", "c": "d"}
    gcloud("pubsub", "subscriptions", "create", "bill", "--topic=orders", "--ack-deadline=20")
    gcloud("pubsub", "subscriptions", "update", "bill", "--ack-deadline=30")
    assert gcloud("pubsub", "subscriptions", "describe", "bill")["ackDeadlineSeconds"] == 30
    gcloud("pubsub", "topics", "publish", "orders", "--message=hi", "--attribute=k=v")
    (received,) = gcloud("pubsub", "subscriptions", "pull", "bill", "--auto-ack")
    assert received["message"]["attributes"] == {"k": "v"}
    grant = ("--member=user:a@local.test", "--role=roles/pubsub.publisher")
    assert gcloud("pubsub", "topics", "add-iam-policy-binding", "orders", *grant)["bindings"]
    gcloud("pubsub", "subscriptions", "delete", "bill")
    gcloud("pubsub", "topics", "delete", "orders")
    gcloud("pubsub", "topics", "describe", "orders", fails="NOT_FOUND")


def test_secrets(gcloud: Gcloud, folder: Path) -> None:
    """Made with a version of a file, read, disabled, changed, granted and deleted."""
    payload = folder / "payload"
    payload.write_text("s3cret")
    gcloud("secrets", "create", "db-pass", "--labels=a=b", f"--data-file={payload}")
    version = gcloud("secrets", "versions", "access", "latest", "--secret=db-pass")
    assert version["payload"]["data"] == "czNjcmV0"
    gcloud("secrets", "versions", "disable", "1", "--secret=db-pass")
    refusal = "FAILED_PRECONDITION"
    gcloud("secrets", "versions", "access", "1", "--secret=db-pass", fails=refusal)
    gcloud("secrets", "update", "db-pass", "--update-labels=c=d")
    assert gcloud("secrets", "describe", "db-pass")["labels"] == {"a": "b", "c": "d"}
    grant = ("--member=user:a@local.test", "--role=roles/secretmanager.secretAccessor")
    assert gcloud("secrets", "add-iam-policy-binding", "db-pass", *grant)["bindings"]
    gcloud("secrets", "delete", "db-pass")


@pytest.mark.long
def test_jobs_and_repositories(gcloud: Gcloud) -> None:
    """A job is changed, paused and resumed; a repository is one of the standard mode."""
    schedule = ("--schedule=0 3 1 1 *", "--uri=http://127.0.0.1:9/x")
    gcloud("scheduler", "jobs", "create", "http", "tick", REGION, *schedule)
    gcloud("scheduler", "jobs", "update", "http", "tick", REGION, "--schedule=0 4 1 1 *")
    gcloud("scheduler", "jobs", "pause", "tick", REGION)
    job = gcloud("scheduler", "jobs", "describe", "tick", REGION)
    assert (job["schedule"], job["state"]) == ("0 4 1 1 *", "PAUSED")
    gcloud("scheduler", "jobs", "delete", "tick", REGION)
    repositories = ("artifacts", "repositories")
    gcloud(*repositories, "create", "images", REGION, "--repository-format=docker")
    assert gcloud(*repositories, "describe", "images", REGION)["mode"] == "STANDARD_REPOSITORY"
    gcloud(*repositories, "delete", "images", REGION)


@pytest.mark.long
def test_databases(gcloud: Gcloud) -> None:
    """Made, protected, freed and deleted."""
    databases, name = ("firestore", "databases"), "--database=appdb"
    gcloud(*databases, "create", name, "--location=eur3")
    gcloud(*databases, "update", name, "--delete-protection")
    gcloud(*databases, "delete", name, fails="FAILED_PRECONDITION")
    gcloud(*databases, "update", name, "--no-delete-protection")
    gcloud(*databases, "delete", name)
    assert gcloud(*databases, "list") == []


@pytest.mark.long
def test_buckets_and_objects(gcloud: Gcloud, folder: Path) -> None:
    """Made, filled, listed, read, moved and removed with all that is in it."""
    (folder / "there").write_bytes(b"content\r\n\n")
    gcloud("storage", "buckets", "create", "gs://reports", "--location=EU")
    gcloud("storage", "buckets", "update", "gs://reports", "--update-labels=a=b")
    assert gcloud("storage", "buckets", "describe", "gs://reports")["labels"] == {"a": "b"}
    gcloud("storage", "cp", "there", "gs://reports/a/there")
    gcloud("storage", "mv", "gs://reports/a/there", "gs://reports/b")
    gcloud("storage", "cp", "gs://reports/b", "back")
    assert (folder / "back").read_bytes() == b"content\r\n\n"
    grant = ("--member=user:a@local.test", "--role=roles/storage.objectViewer")
    gcloud("storage", "buckets", "add-iam-policy-binding", "gs://reports", *grant)
    gcloud("storage", "rm", "--recursive", "gs://reports")
    assert gcloud("storage", "buckets", "list") == []
