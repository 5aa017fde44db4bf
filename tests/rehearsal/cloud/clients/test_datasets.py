"""BigQuery's datasets and tables, by the client made of Google's discovery document."""

from __future__ import annotations

from typing import Any

import pytest
from google_clients import READER, Clients, refused
from googleapiclient.errors import HttpError

DATASET = {"projectId": "local-proj", "datasetId": "sales"}
TABLE = DATASET | {"tableId": "orders"}
RESOURCE = "projects/local-proj/datasets/sales/tables/orders"
FIELDS = [{"name": "id", "type": "STRING", "mode": "REQUIRED"}]


@pytest.fixture(name="bigquery")
def bigquery_fixture(clients: Clients) -> Any:
    """The client, with one dataset."""
    bigquery = clients.document("bigquery", "v2")
    body = {"datasetReference": DATASET, "location": "EU"}
    bigquery.datasets().insert(projectId="local-proj", body=body).execute()
    return bigquery


def test_a_dataset_lives(bigquery: Any) -> None:
    """Patched and replaced, its access list kept where none is sent; deleted with its tables."""
    datasets = bigquery.datasets()
    before = datasets.get(**DATASET).execute()
    patched = datasets.patch(**DATASET, body={"description": "ours"}).execute()
    assert (patched["description"], patched["access"]) == ("ours", before["access"])
    body = {"datasetReference": DATASET, "labels": {"team": "x"}}
    replaced = datasets.update(**DATASET, body=body).execute()
    assert "description" not in replaced
    assert (replaced["labels"], replaced["access"]) == ({"team": "x"}, before["access"])
    entry = {"role": "READER", "userByEmail": "reader@local.test"}
    shared = datasets.patch(**DATASET, body={"access": [*before["access"], entry]}).execute()
    assert entry in shared["access"]
    bigquery.tables().insert(**DATASET, body={"tableReference": TABLE}).execute()
    with pytest.raises(HttpError, match=r"400.*still in use"):
        datasets.delete(**DATASET).execute()
    datasets.delete(**DATASET, deleteContents=True).execute()
    with refused("NOT_FOUND"):
        bigquery.tables().get(**TABLE).execute()


def test_a_table_lives(bigquery: Any) -> None:
    """Its columns grow, never shrink; it is listed, granted and deleted."""
    tables = bigquery.tables()
    body = {"tableReference": TABLE, "schema": {"fields": FIELDS}}
    created = tables.insert(**DATASET, body=body).execute()
    assert (created["type"], created["numRows"]) == ("TABLE", "0")
    wider = [*FIELDS, {"name": "sum", "type": "FLOAT"}]
    tables.patch(**TABLE, body={"schema": {"fields": wider}}).execute()
    names = [field["name"] for field in tables.get(**TABLE).execute()["schema"]["fields"]]
    assert names == ["id", "sum"]
    with refused("INVALID_ARGUMENT", "sum"):
        tables.patch(**TABLE, body={"schema": {"fields": FIELDS}}).execute()
    with refused("ALREADY_EXISTS"):
        tables.insert(**DATASET, body=body).execute()
    assert tables.list(**DATASET).execute()["totalItems"] == 1
    binding = {"role": "roles/bigquery.dataViewer", "members": [READER]}
    policy = tables.getIamPolicy(resource=RESOURCE, body={}).execute()
    granted = {"policy": policy | {"bindings": [binding]}}
    tables.setIamPolicy(resource=RESOURCE, body=granted).execute()
    assert tables.getIamPolicy(resource=RESOURCE, body={}).execute()["bindings"] == [binding]
    with refused("ABORTED"):
        tables.setIamPolicy(resource=RESOURCE, body=granted).execute()
    asked = {"permissions": ["bigquery.tables.getData"]}
    assert tables.testIamPermissions(resource=RESOURCE, body=asked).execute() == asked
    tables.delete(**TABLE).execute()
    with refused("NOT_FOUND"):
        tables.delete(**TABLE).execute()
    assert tables.list(**DATASET).execute()["totalItems"] == 0
