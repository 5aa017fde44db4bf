"""Datasets, their access lists, and tables."""

from __future__ import annotations

from typing import Any

import pytest

DATASETS = "/bigquery/bigquery/v2/projects/local-proj/datasets"
DATASET = f"{DATASETS}/events"
TABLE = {
    "tableReference": {"tableId": "orders"},
    "schema": {"fields": [{"name": "id", "type": "STRING", "policyTags": {"names": []}}]},
}


@pytest.fixture(name="bigquery")
def bigquery_with_dataset(local_cloud: Any, expect: Any) -> Any:
    """A cloud with the dataset `events`."""
    body = {"datasetReference": {"datasetId": "events"}, "labels": {"v": "1"}, "location": "EU"}
    expect(local_cloud.deployer.post(DATASETS, json=body))
    return local_cloud


def test_full_update_without_access_keeps_it(bigquery: Any, expect: Any) -> None:
    """The provider leaves out an access list that it does not change."""
    before = expect(bigquery.deployer.get(DATASET))
    assert len(before["access"]) == 4
    body = {"datasetReference": {"datasetId": "events"}, "labels": {"v": "2"}, "location": "EU"}
    updated = expect(bigquery.deployer.put(DATASET, json=body))
    assert updated["access"] == before["access"]
    assert updated["labels"] == {"v": "2"}
    assert updated["creationTime"] == before["creationTime"]
    assert updated["etag"] != before["etag"]


def test_access_list_is_the_policy(bigquery: Any, expect: Any) -> None:
    """Roles are answered by their older names, and work on the dataset's tables."""
    expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE))
    email = bigquery.account("worker")
    worker = bigquery.client(f"serviceAccount:{email}")
    expect(worker.get(f"{DATASET}/tables/orders"), 403)
    access = expect(bigquery.deployer.get(DATASET))["access"]
    entry = {"role": "roles/bigquery.dataViewer", "userByEmail": email, "datasetId": "events"}
    patched = expect(bigquery.deployer.patch(DATASET, json={"access": [*access, entry]}))
    assert {"role": "READER", "userByEmail": email} in patched["access"]
    expect(worker.get(f"{DATASET}/tables/orders"))
    expect(worker.delete(f"{DATASET}/tables/orders"), 403)
    expect(bigquery.deployer.patch(DATASET, json={"access": access}))
    expect(worker.get(f"{DATASET}/tables/orders"), 403)
    ghost = {**entry, "userByEmail": "ghost@local-proj.iam.gserviceaccount.com"}
    expect(bigquery.deployer.patch(DATASET, json={"access": [ghost]}), 400)
    assert expect(bigquery.deployer.get(DATASET))["access"] == access


def test_table_lives_from_create_to_delete(bigquery: Any, expect: Any) -> None:
    """Create, replace, patch, list, delete; a dataset with tables stays."""
    created = expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE))
    assert (created["type"], created["numRows"], created["location"]) == ("TABLE", "0", "EU")
    expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE), 409)
    url = f"{DATASET}/tables/orders"
    replaced = expect(bigquery.deployer.put(url, json={**TABLE, "labels": {"v": "2"}}))
    assert (replaced["labels"], replaced["numRows"]) == ({"v": "2"}, "0")
    assert "labels" not in expect(bigquery.deployer.patch(url, json={"labels": None}))
    listed = expect(bigquery.deployer.get(f"{DATASET}/tables"))["tables"]
    assert [table["tableReference"]["tableId"] for table in listed] == ["orders"]
    in_use = expect(bigquery.deployer.delete(DATASET), 400)["error"]
    assert in_use["errors"][0]["reason"] == "resourceInUse"
    expect(bigquery.deployer.delete(url), 204)
    expect(bigquery.deployer.get(url), 404)
    expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE))
    expect(bigquery.deployer.delete(DATASET, params={"deleteContents": "true"}), 204)
    expect(bigquery.deployer.get(DATASET), 404)
    expect(bigquery.deployer.get(url), 404)
    expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE), 404)


def test_table_has_a_policy_of_its_own(bigquery: Any, expect: Any) -> None:
    """Read by POST with an empty body, as the provider does."""
    expect(bigquery.deployer.post(f"{DATASET}/tables", json=TABLE))
    member = f"serviceAccount:{bigquery.account('worker')}"
    url = f"{DATASET}/tables/orders"
    bigquery.grant(url, "roles/bigquery.dataEditor", member)
    expect(bigquery.client(member).get(url))
    expect(bigquery.client(member).get(DATASET), 403)
    expect(bigquery.deployer.post(f"{DATASET}/tables/none:getIamPolicy"), 404)


def test_impossible_ids_are_refused(bigquery: Any, expect: Any) -> None:
    """Ids have forms; a dataset exists once."""
    for dataset_id, code in (("a-b", 400), ("", 400), ("events", 409)):
        body = {"datasetReference": {"datasetId": dataset_id}}
        expect(bigquery.deployer.post(DATASETS, json=body), code)
    listed = expect(bigquery.deployer.get(DATASETS))["datasets"]
    assert [dataset["id"] for dataset in listed] == ["local-proj:events"]
