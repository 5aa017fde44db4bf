"""Every kind of resource that an architecture file can say, deployed, settled and taken down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from end_to_end.project import Rehearsal

pytestmark = pytest.mark.timeout(360)

PROJECT = "local-proj"
SHARED = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
VALUE = "a-value-that-nobody-may-see"
SECRET = "every-kind-db-password"
ROOT = f"projects/{PROJECT}"
DATASET = f"bigquery/bigquery/v2/{ROOT}/datasets/shop_events"
# One thing of every kind, by where the cloud has it.
MADE = {
    "topic": f"pubsub/v1/{ROOT}/topics/orders-dead",
    "subscription": f"pubsub/v1/{ROOT}/subscriptions/orders-sub",
    "dataset": DATASET,
    "table": f"{DATASET}/tables/order_events",
    "bucket": "storage/storage/v1/b/every-kind-reports",
    "protected bucket": "storage/storage/v1/b/every-kind-invoices",
    "database": f"firestore/v1/{ROOT}/databases/shop-db",
    "schedule": f"cloudscheduler/v1/{ROOT}/locations/europe-west1/jobs/nightly-report",
    "service elsewhere": f"run/v2/{ROOT}/locations/europe-north1/services/order-store",
}


class Cloud:
    """The local cloud of an environment, over REST as its owner."""

    def __init__(self, rehearsal: Rehearsal, env: str) -> None:
        folder = rehearsal.folder / ".conductor" / env / "cloud"
        info = json.loads((folder / "cloud.json").read_text())
        self._url = f"http://127.0.0.1:{info['port']}"
        self._headers = {"Authorization": f"Bearer {info['deployer_token']}"}

    def get(self, path: str) -> dict[str, Any] | None:
        """Read a resource; None when there is none."""
        answer = httpx.get(f"{self._url}/{path}", headers=self._headers)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, method: str, url: str) -> dict[str, Any]:
        """Call a service with an identity token."""
        minted = self.get(f"_local/identity-token?audience={url.partition('/links')[0]}")
        assert minted is not None
        headers = {"Authorization": f"Bearer {minted['token']}"}
        answer = httpx.request(method, url, headers=headers, timeout=30)
        assert answer.is_success, answer.text
        assert answer.headers["X-Conductor-Placeholder"]
        found: dict[str, Any] = answer.json()
        return found

    def there(self) -> set[str]:
        """Name what there is of what the sample makes."""
        return {what for what, path in MADE.items() if self.get(path) is not None}


def up(rehearsal: Rehearsal, file: Path, env: str) -> subprocess.CompletedProcess[str]:
    """Bring a file up with placeholders."""
    words = ["--target", "local", "--placeholders", "--propagation", "none"]
    return rehearsal.run("up", str(file), *words, env=env)


def files_with_the_value(folder: Path) -> list[Path]:
    """Find the files of a project that hold the secret's value."""
    wanted = VALUE.encode()
    return [path for path in folder.rglob("*") if path.is_file() and wanted in path.read_bytes()]


def test_every_kind_comes_up_settles_and_goes(rehearsal: Rehearsal) -> None:
    """Step 3, item 1: deployed whole; a second up changes nothing; what is protected stays."""
    file = rehearsal.folder / "testdata" / "architectures" / "every-kind.yaml"
    early = up(rehearsal, file, "kinds")
    assert early.returncode == 3, early.stdout + early.stderr
    assert f"conductor secrets set {SECRET} --env kinds" in early.stderr
    said = rehearsal.set_secret(SECRET, VALUE, env="kinds")
    assert "version: 1" in said
    assert VALUE not in said

    first = up(rehearsal, file, "kinds")
    assert first.returncode == 0, first.stdout + first.stderr
    cloud = Cloud(rehearsal, "kinds")
    assert cloud.there() == set(MADE)
    running = {service["name"] for service in rehearsal.status("kinds")["services"]}
    assert running == {"every-kind-director", "orders-api", "order-store", "reporter"}
    assert files_with_the_value(rehearsal.folder) == []

    again = up(rehearsal, file, "kinds")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 changes in 7 stacks" in again.stdout

    gone = rehearsal.run("destroy", "--yes", env="kinds")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "kept Bucket every-kind-invoices in stack kinds.dataflow.ordering" in gone.stdout
    assert cloud.there() == {"protected bucket"}

    # The next up goes on with it: everything is made anew but the bucket.
    words = ["--placeholders", "--json"]
    preview = rehearsal.run("preview", str(file), *words, env="kinds")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    steps = [step for one in json.loads(preview.stdout)["stacks"] for step in one["changes"]]
    buckets = {step["name"] for step in steps if step["type"] == "gcp:storage/bucket:Bucket"}
    assert buckets == {"every-kind-reports"}


@pytest.mark.skipif(SHARED is None, reason="CONDUCTOR_SHARED_TESTDATA is not set")
def test_a_real_file_without_its_sources_comes_up_whole(rehearsal: Rehearsal) -> None:
    """Step 3, item 1: the real file, its secret seeded, placeholders for its services."""
    file = Path(str(SHARED)) / "real" / "bigquery.services.yaml"
    rehearsal.set_secret("SERVICE_PASS", VALUE, env="bq")
    done = up(rehearsal, file, "bq")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "schema_file" in done.stdout
    assert "service ingestion-service: its source folder does not exist" in done.stdout
    cloud = Cloud(rehearsal, "bq")
    table = f"{ROOT}/datasets/iot_data_bq/tables/ingested_payloads_bq"
    assert cloud.get(f"bigquery/bigquery/v2/{table}") is not None
    urls = {service["name"]: service["url"] for service in rehearsal.status("bq")["services"]}
    for name in ("ingestion-service", "bigquery-service"):
        links = cloud.ask("GET", f"{urls[name]}/links")["links"]
        assert links
        assert all(link["works"] for link in links), links
    (sent,) = cloud.ask("POST", urls["ingestion-service"])["produced"]
    assert sent["outcome"] == "published"


def test_a_schema_that_cannot_be_read_stops_before_the_cloud(rehearsal: Rehearsal) -> None:
    """Phase 0 names the table and the file, and not one call has reached a cloud."""
    folder = rehearsal.folder / "testdata" / "architectures"
    shutil.rmtree(folder / "every-kind")
    done = up(rehearsal, folder / "every-kind.yaml", "kinds")
    assert done.returncode == 2, done.stdout
    assert "error[usage]" in done.stderr
    assert not (rehearsal.folder / ".conductor" / "kinds" / "cloud").exists()
