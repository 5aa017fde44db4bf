"""What BigQuery refuses of a table, new or changed, and when a table ends."""

from __future__ import annotations

from typing import Any

import pytest

DATASETS = "/bigquery/bigquery/v2/projects/local-proj/datasets"
TABLES = f"{DATASETS}/events/tables"
COLUMNS = [
    {"name": "id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "at", "type": "timestamp"},
    {"name": "n", "type": "INT64"},
]


@pytest.fixture(name="bigquery")
def bigquery_with_dataset(local_cloud: Any, expect: Any) -> Any:
    """A client of a cloud with an empty dataset."""
    local_cloud.enable("bigquery")
    make_dataset(local_cloud, expect, "events")
    return local_cloud.deployer


def make_dataset(cloud: Any, expect: Any, name: str, **settings: Any) -> Any:
    """Create a dataset."""
    body = {"datasetReference": {"datasetId": name}, "location": "EU", **settings}
    return expect(cloud.deployer.post(DATASETS, json=body))


def table(name: str = "orders", columns: Any = COLUMNS, **settings: Any) -> dict[str, Any]:
    """Return a table's body."""
    return {"tableReference": {"tableId": name}, "schema": {"fields": columns}, **settings}


def test_types_come_back_by_their_older_names(bigquery: Any, expect: Any) -> None:
    """Whatever a type is called when it is sent, BigQuery answers with one name."""
    nested = {"name": "r", "type": "STRUCT", "fields": [{"name": "b", "type": "bool"}]}
    made = expect(bigquery.post(TABLES, json=table(columns=[*COLUMNS, nested])))
    columns = made["schema"]["fields"]
    assert [column["type"] for column in columns] == ["STRING", "TIMESTAMP", "INTEGER", "RECORD"]
    assert columns[3]["fields"][0]["type"] == "BOOLEAN"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": {"fields": [{"name": "1x", "type": "STRING"}]}}, "Invalid field name"),
        ({"schema": {"fields": [*COLUMNS, COLUMNS[0] | {"name": "ID"}]}}, "already exists"),
        ({"schema": {"fields": [{"name": "x", "type": "text"}]}}, "type"),
        ({"schema": {"fields": [{"name": "x", "type": "DATE", "mode": "some"}]}}, "mode"),
        ({"schema": {"fields": [{"name": "x", "type": "RECORD"}]}}, "has no schema"),
        ({"timePartitioning": {"type": "WEEK"}}, "timePartitioning.type"),
        ({"timePartitioning": {"type": "DAY", "field": "then"}}, "cannot be found"),
        ({"timePartitioning": {"type": "DAY", "field": "id"}}, "not supported on field id"),
        ({"clustering": {"fields": ["nothing"]}}, "cannot be found"),
        ({"clustering": {"fields": ["id", "n", "at", "id", "n"]}}, "At most 4"),
    ],
)
def test_impossible_tables_are_refused(
    bigquery: Any, expect: Any, change: dict[str, Any], message: str
) -> None:
    """Columns, partitions and clustering must fit each other."""
    error = expect(bigquery.post(TABLES, json=table() | change), 400)["error"]
    assert message in error["message"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (COLUMNS[:2], "Field n is missing in new schema"),
        ([*COLUMNS[:2], {"name": "n", "type": "STRING"}], "from INTEGER to STRING"),
        ([*COLUMNS[:2], {"name": "n", "type": "INT64", "mode": "REQUIRED"}], "to REQUIRED"),
        ([*COLUMNS, {"name": "x", "type": "INT64", "mode": "REQUIRED"}], "Cannot add required"),
    ],
)
def test_columns_only_come_and_only_get_looser(
    bigquery: Any, expect: Any, columns: Any, message: str
) -> None:
    """An update that loses or tightens a column is refused; one that adds or loosens is not."""
    expect(bigquery.post(TABLES, json=table()))
    error = expect(bigquery.put(f"{TABLES}/orders", json=table(columns=columns)), 400)["error"]
    assert message in error["message"]
    looser = [{"name": "id", "type": "STRING"}, *COLUMNS[1:], {"name": "x", "type": "JSON"}]
    expect(bigquery.put(f"{TABLES}/orders", json=table(columns=looser)))


def test_partitions_stay_and_clustering_may_change(bigquery: Any, expect: Any) -> None:
    """How a table is partitioned is fixed; the life of its partitions and clustering are not."""
    by_day = {"type": "DAY", "field": "at"}
    expect(bigquery.post(TABLES, json=table(timePartitioning=by_day)))
    url = f"{TABLES}/orders"
    changed = {"timePartitioning": by_day | {"type": "HOUR"}}
    error = expect(bigquery.patch(url, json=changed), 400)["error"]
    assert "Cannot change partitioning spec" in error["message"]
    allowed = {
        "timePartitioning": by_day | {"expirationMs": "86400000"},
        "clustering": {"fields": ["id"]},
    }
    patched = expect(bigquery.patch(url, json=allowed))
    assert patched["timePartitioning"]["expirationMs"] == "86400000"
    assert patched["clustering"] == {"fields": ["id"]}


def test_columns_are_dropped_by_a_statement(bigquery: Any, expect: Any) -> None:
    """The provider's way of dropping columns works; legacy SQL names itself unmodelled."""
    expect(bigquery.post(TABLES, json=table()))
    queries = "/bigquery/bigquery/v2/projects/local-proj/queries"
    drop = "ALTER TABLE `local-proj.events.orders` DROP COLUMN n, DROP COLUMN at"
    assert expect(bigquery.post(queries, json={"query": drop, "useLegacySql": False}))[
        "jobComplete"
    ]
    left = expect(bigquery.get(f"{TABLES}/orders"))["schema"]["fields"]
    assert [column["name"] for column in left] == ["id"]
    expect(bigquery.post(queries, json={"query": drop}), 400)
    refused = expect(bigquery.post(queries, json={"query": "SELECT 1"}), 400)["error"]
    assert refused["errors"][0]["reason"] == "invalidQuery"
    assert "legacy SQL" in refused["message"]


def test_a_table_ends_when_its_time_is_up(local_cloud: Any, bigquery: Any, expect: Any) -> None:
    """A table inherits its dataset's expiration and is gone after it."""
    make_dataset(local_cloud, expect, "short", defaultTableExpirationMs="3600000")
    tables = f"{DATASETS}/short/tables"
    made = expect(bigquery.post(tables, json=table()))
    assert int(made["expirationTime"]) == int(made["creationTime"]) + 3_600_000
    lasting = table("lasting", timePartitioning={"type": "DAY"}, expirationTime="99999999999999")
    expect(bigquery.post(tables, json=lasting))
    local_cloud.clock.ahead_s += 3601
    expect(bigquery.get(f"{tables}/orders"), 404)
    listed = expect(bigquery.get(tables))["tables"]
    assert [entry["tableReference"]["tableId"] for entry in listed] == ["lasting"]


def test_partitions_inherit_their_datasets_expiration(
    local_cloud: Any, bigquery: Any, expect: Any
) -> None:
    """A partitioned table takes the partitions' default, and no end of its own."""
    make_dataset(
        local_cloud,
        expect,
        "short",
        defaultTableExpirationMs="3600000",
        defaultPartitionExpirationMs="7200000",
    )
    body = table(timePartitioning={"type": "DAY"})
    made = expect(bigquery.post(f"{DATASETS}/short/tables", json=body))
    assert made["timePartitioning"]["expirationMs"] == "7200000"
    assert "expirationTime" not in made


def test_too_short_defaults_are_refused(local_cloud: Any, bigquery: Any, expect: Any) -> None:
    """A default expiration is at least an hour."""
    del bigquery
    body = {"datasetReference": {"datasetId": "x"}, "defaultTableExpirationMs": "1000"}
    expect(local_cloud.deployer.post(DATASETS, json=body), 400)
