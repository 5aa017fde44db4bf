"""What the layers declare of an architecture with every kind of resource."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from architecture.apis import required_apis
from architecture.loading import loads
from architecture.model import Resources

if TYPE_CHECKING:
    from tests.components.conftest import Recording
    from tests.stacks.conftest import Layers

FILE = Path(__file__).parents[2] / "testdata" / "architectures" / "every-kind.yaml"
UPSTREAM = {
    "organization/conductor/test.images": {
        "images": {name: f"r/{name}@sha256:1" for name in ("orders-api", "order-store", "reporter")}
    },
    "organization/conductor/test.director": {"directorUrl": "https://director.test"},
    "organization/conductor/test.services.ordering": {
        "urls": {"order-store": "https://order-store.test"}
    },
}


@pytest.fixture
def shop(layers: Layers, tmp_path: Path) -> Layers:
    """The layers of the sample with every kind, its schema beside it."""
    text = FILE.read_text().replace("name: every-kind\n", "name: shop\nproject_id: shop-project\n")
    folder = tmp_path / "every-kind"
    folder.mkdir()
    schema = FILE.parent / "every-kind" / "order-events.json"
    (folder / schema.name).write_bytes(schema.read_bytes())
    layers.write(text)
    return layers


def inputs_of(recording: Recording, type_: str, name: str | None = None) -> dict[str, Any]:
    """Return what a resource was declared with."""
    return recording.one(type_, name).inputs


def test_the_sample_has_every_kind() -> None:
    """What is tested with it is tested for all kinds."""
    arch = loads(FILE.read_text(), FILE).architecture
    kinds = {kind for flow in arch.dataflows.values() for kind, _ in flow.resources.each()}
    assert kinds == set(Resources.model_fields)


def test_every_kind_has_its_api_enabled() -> None:
    """A call of an API that is not enabled is refused."""
    apis = required_apis(loads(FILE.read_text(), FILE).architecture)
    for api in ("bigquery", "storage", "firestore", "cloudscheduler", "secretmanager", "pubsub"):
        assert f"{api}.googleapis.com" in apis


def test_a_dataflows_data_is_declared_as_the_file_says(shop: Layers) -> None:
    """Buckets, databases and collections, with the file's settings and the defaults."""
    recording = shop.declare("test.dataflow.ordering")
    bucket = recording.one("gcp:storage/bucket:Bucket")
    assert bucket.protect is True
    assert bucket.inputs["location"] == "EUROPE-WEST1"
    assert bucket.inputs["storageClass"] == "NEARLINE"
    assert bucket.inputs["versioning"] == {"enabled": True}
    assert [rule["condition"] for rule in bucket.inputs["lifecycleRules"]] == [
        {"age": 3650},
        {"age": 7},
    ]
    assert bucket.inputs["labels"] == {
        "content": "invoices",
        "dataflow": "ordering",
        "environment": "test",
        "managed-by": "conductor",
        "team": "shop",
    }
    database = inputs_of(recording, "gcp:firestore/database:Database")
    assert (database["type"], database["locationId"]) == ("FIRESTORE_NATIVE", "europe-west1")
    assert recording.outputs["collections"] == {
        "shop-db.orders": "projects/shop-project/databases/shop-db/documents/orders"
    }
    subscription = inputs_of(recording, "gcp:pubsub/subscription:Subscription")
    assert subscription["filter"] == 'attributes.source = "every-kind"'
    assert subscription["enableMessageOrdering"] is True


def test_a_table_gets_the_columns_of_its_file(shop: Layers) -> None:
    """And its partitions and clusters; one without a file gets none."""
    recording = shop.declare("test.dataflow.reporting")
    table = inputs_of(recording, "gcp:bigquery/table:Table", "shop_events.order_events")
    columns = json.loads(table["schema"])
    assert [column["name"] for column in columns] == [
        "order_id",
        "customer",
        "happened_at",
        "total",
        "lines",
    ]
    assert table["timePartitioning"]["expirationMs"] == 7_776_000_000
    assert table["clusterings"] == ["customer", "order_id"]
    scratch = recording.one("gcp:bigquery/table:Table", "shop_events.scratch")
    assert "schema" not in scratch.inputs
    assert scratch.inputs["expirationTime"] > 0
    dataset = inputs_of(recording, "gcp:bigquery/dataset:Dataset")
    assert dataset["location"] == "EU"


def test_a_dataflow_that_may_go_takes_its_contents_along(shop: Layers) -> None:
    """`lifecycle.strategy: ephemeral` empties what it deletes; a permanent one never does."""
    reports = shop.declare("test.dataflow.reporting")
    assert inputs_of(reports, "gcp:storage/bucket:Bucket")["forceDestroy"] is True
    assert inputs_of(reports, "gcp:bigquery/dataset:Dataset")["deleteContentsOnDestroy"] is True
    orders = shop.declare("test.dataflow.ordering")
    assert inputs_of(orders, "gcp:storage/bucket:Bucket")["forceDestroy"] is False


def test_explicit_policies_are_granted_on_what_they_are_part_of(shop: Layers) -> None:
    """On datasets, buckets and tables; each after what it is on."""
    recording = shop.declare("test.dataflow.reporting")
    on_dataset = inputs_of(recording, "gcp:bigquery/datasetIamMember:DatasetIamMember")
    assert on_dataset["role"] == "roles/bigquery.dataViewer"
    assert on_dataset["datasetId"] == "shop_events"
    on_table = {
        member.inputs["tableId"]: member.inputs["role"]
        for member in recording.of("gcp:bigquery/iamMember:IamMember")
    }
    assert on_table == {
        "order_events": "roles/bigquery.dataEditor",
        "scratch": "roles/bigquery.dataViewer",
    }
    members = recording.of("gcp:storage/bucketIAMMember:BucketIAMMember")
    assert len(members) == 3
    for member in members:
        component = next(r for r in recording.resources if r.urn == member.parent)
        needed = member.dependencies | component.dependencies
        assert any(urn.endswith("::every-kind-reports") for urn in needed)


def test_schedules_call_services_wherever_they_are(shop: Layers) -> None:
    """One of the same dataflow, one of another; both after the right to call."""
    recording = shop.declare("test.services.reporting", stacks=UPSTREAM)
    type_ = "gcp:cloudscheduler/job:Job"
    nightly = inputs_of(recording, type_, "nightly-report")["httpTarget"]
    assert nightly["uri"] == "https://reporter.test"
    assert nightly["oidcToken"] == {
        "audience": "https://reporter.test",
        "serviceAccountEmail": "nightly-report-sa@shop-project.iam.gserviceaccount.com",
    }
    sweep = inputs_of(recording, type_, "hourly-sweep")["httpTarget"]
    assert sweep["uri"] == "https://order-store.test"
    component = recording.one("conductor:service:SchedulerJob", "nightly-report")
    job = recording.one(type_, "nightly-report")
    needed = component.dependencies | job.dependencies
    assert any("ServiceIamMember" in urn for urn in needed)
    assert recording.outputs["schedules"] == {
        "nightly-report": "nightly-report",
        "hourly-sweep": "hourly-sweep",
    }


def test_a_services_deployment_is_declared_as_the_file_says(shop: Layers) -> None:
    """Region, instances, size, probe, and secrets by reference with their versions."""
    recording = shop.declare("test.services.ordering", stacks=UPSTREAM)
    service = inputs_of(recording, "gcp:cloudrunv2/service:Service", "order-store")
    assert service["location"] == "europe-north1"
    template = service["template"]
    assert template["scaling"] == {"minInstanceCount": 1, "maxInstanceCount": 1}
    (container,) = template["containers"]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz/deep"
    variables = {variable["name"]: variable for variable in container["envs"]}
    assert variables["ORDERS_SUBSCRIPTION"]["value"] == "orders-sub"
    assert variables["DB_PASSWORD"]["valueSource"] == {
        "secretKeyRef": {"secret": "every-kind-db-password", "version": "1"}
    }
    assert "value" not in variables["DB_PASSWORD"]


def test_a_schema_that_is_none_stops_the_stack(shop: Layers, tmp_path: Path) -> None:
    """The message names the table, the file and what is wrong."""
    (tmp_path / "every-kind" / "order-events.json").write_text('[{"name": "customer"}]')
    with pytest.raises(pulumi.RunError, match=r"table shop_events.order_events.*'customer'"):
        shop.declare("test.dataflow.reporting")


@pytest.mark.parametrize("dataflow", ["ordering", "reporting"])
def test_a_preview_declares_what_an_up_does(shop: Layers, dataflow: str) -> None:
    """Also where the project's number is unknown."""
    stack = f"test.dataflow.{dataflow}"
    assert shop.declare(stack, preview=True).urns == shop.declare(stack).urns
