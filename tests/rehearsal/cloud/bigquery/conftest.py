"""A table with a column of every usual type, and rows in it."""

from __future__ import annotations

from typing import Any

import pytest

PROJECT = "/bigquery/bigquery/v2/projects/local-proj"
TABLES = f"{PROJECT}/datasets/shop/tables"
COLUMNS = [
    {"name": "Id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "n", "type": "INT64"},
    {"name": "f", "type": "FLOAT64"},
    {"name": "is_new", "type": "BOOL"},
    {"name": "at", "type": "TIMESTAMP"},
    {"name": "day", "type": "DATE"},
    {"name": "price", "type": "NUMERIC"},
    {"name": "tags", "type": "STRING", "mode": "REPEATED"},
    {"name": "place", "type": "RECORD", "fields": [{"name": "x", "type": "INT64"}]},
    {"name": "doc", "type": "JSON"},
]
ROWS: list[dict[str, Any]] = [
    {
        "Id": "a",
        "n": 1,
        "f": 1.5,
        "is_new": True,
        "at": "2026-01-02 03:04:05.5 UTC",
        "day": "2026-01-31",
        "price": "10.25",
        "tags": ["p", "q"],
        "place": {"x": 5},
        "doc": {"k": [1, {"z": "q"}]},
    },
    {"Id": "b", "n": "2", "is_new": "false", "price": 2},
    {"Id": "b", "n": 7, "f": 3, "at": 1_700_000_000},
]


class Warehouse:
    """The table `shop.orders`, and queries."""

    def __init__(self, cloud: Any, expect: Any) -> None:
        self.cloud = cloud
        self.client = cloud.deployer
        self.expect = expect
        cloud.enable("bigquery")
        body = {"datasetReference": {"datasetId": "shop"}}
        expect(self.client.post(f"{PROJECT}/datasets", json=body))
        self.make()

    def make(self) -> None:
        """Create the table."""
        table = {"tableReference": {"tableId": "orders"}, "schema": {"fields": COLUMNS}}
        self.expect(self.client.post(TABLES, json=table))

    def insert(self, *rows: dict[str, Any], **settings: Any) -> Any:
        """Insert rows and return the answer."""
        body = {"rows": [{"json": row} for row in rows], **settings}
        return self.expect(self.client.post(f"{TABLES}/orders/insertAll", json=body))

    def query(self, text: str, code: int = 200, **settings: Any) -> Any:
        """Run a query."""
        body = {
            "query": text,
            "useLegacySql": False,
            "defaultDataset": {"datasetId": "shop"},
            **settings,
        }
        return self.expect(self.client.post(f"{PROJECT}/queries", json=body), code)

    def found(self, text: str, **settings: Any) -> list[list[Any]]:
        """The cells that a query finds."""
        rows = self.query(text, **settings).get("rows", [])
        return [[cell["v"] for cell in row["f"]] for row in rows]


@pytest.fixture(name="empty")
def empty_fixture(local_cloud: Any, expect: Any) -> Warehouse:
    """The table without rows."""
    return Warehouse(local_cloud, expect)


@pytest.fixture(name="shop")
def shop_fixture(empty: Warehouse) -> Warehouse:
    """The table with its rows."""
    assert "insertErrors" not in empty.insert(*ROWS)
    return empty


@pytest.fixture(name="open_shop")
def open_shop_fixture() -> type[Warehouse]:
    """Make the table in a cloud that the test started itself."""
    return Warehouse
