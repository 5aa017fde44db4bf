"""Rows: inserted, refused one by one, listed, kept, gone with their table."""

from __future__ import annotations

from typing import Any

PROJECT = "/bigquery/bigquery/v2/projects/local-proj"
ORDERS = f"{PROJECT}/datasets/shop/tables/orders"
DATA = f"{ORDERS}/data"


def test_rows_come_back_as_texts_in_pages(shop: Any, expect: Any) -> None:
    """Cells are texts; moments are seconds, or microseconds where the caller asks."""
    first = expect(shop.client.get(DATA, params={"maxResults": "1"}))
    assert first["totalRows"] == "3"
    cells = [cell["v"] for cell in first["rows"][0]["f"]]
    assert cells[:7] == ["a", "1", "1.5", "true", "1.7673230455E9", "2026-01-31", "10.25"]
    assert cells[7:] == [
        [{"v": "p"}, {"v": "q"}],
        {"f": [{"v": "5"}]},
        '{"k":[1,{"z":"q"}]}',
    ]
    params = {"pageToken": first["pageToken"], "selectedFields": "Id,at"}
    rest = expect(
        shop.client.get(DATA, params=params | {"formatOptions.useInt64Timestamp": "true"})
    )
    assert [[cell["v"] for cell in row["f"]] for row in rest["rows"]] == [
        ["b", None],
        ["b", "1700000000000000"],
    ]
    assert "pageToken" not in rest
    expect(shop.client.get(DATA, params={"pageToken": "other"}), 400)
    expect(shop.client.get(DATA, params={"selectedFields": "nope"}), 400)
    table = expect(shop.client.get(ORDERS))
    assert (table["numRows"], int(table["numBytes"]) > 0) == ("3", True)


_WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"Id": "x", "other": 1}, "other", "no such field: other."),
    ({"n": 1}, "Id", "Missing required field: Id."),
    ({"Id": "x", "n": "many"}, "n", "Cannot convert value to integer (bad value): many"),
    ({"Id": "x", "n": 2**63}, "n", "Cannot convert value to integer"),
    ({"Id": "x", "at": "soon"}, "at", "Could not parse 'soon' as a timestamp."),
    ({"Id": "x", "tags": "p"}, "tags", "Repeated field must be imported as a JSON array"),
    ({"Id": "x", "n": [1]}, "n", "Array specified for non-repeated field: n."),
    ({"Id": "x", "place": 5}, "place", "This field: place is not a record."),
    ({"Id": "x", "place": {"y": 1}}, "place.y", "no such field: place.y."),
]


def test_a_wrong_row_stops_the_others(empty: Any) -> None:
    """The error says where; the good row is not inserted, unless wrong ones are skipped."""
    good = {"Id": "good"}
    for row, location, message in _WRONG:
        wrong, stopped = empty.insert(row, good)["insertErrors"]
        assert (wrong["index"], wrong["errors"][0]["location"]) == (0, location)
        assert wrong["errors"][0]["message"].startswith(message)
        assert (stopped["index"], stopped["errors"][0]["reason"]) == (1, "stopped")
    assert empty.found("SELECT count(*) FROM orders") == [["0"]]
    assert len(empty.insert(_WRONG[0][0], good, skipInvalidRows=True)["insertErrors"]) == 1
    assert empty.found("SELECT id FROM orders") == [["good"]]


def test_unknown_values_may_be_ignored_and_repeated_rows_are_not_inserted_twice(
    local_cloud: Any, empty: Any, expect: Any
) -> None:
    """An insertion's id is remembered for a minute."""
    answer = empty.insert({"Id": "x", "other": 1}, ignoreUnknownValues=True)
    assert "insertErrors" not in answer
    body = {"rows": [{"insertId": "1", "json": {"Id": "y"}}]}
    for _ in range(2):
        expect(empty.client.post(f"{ORDERS}/insertAll", json=body))
    assert empty.found("SELECT count(*) FROM orders") == [["2"]]
    local_cloud.clock.ahead_s = 61.0
    expect(empty.client.post(f"{ORDERS}/insertAll", json=body))
    assert empty.found("SELECT count(*) FROM orders") == [["3"]]


def test_rows_survive_a_restart_and_go_with_their_table(
    start_cloud: Any, open_shop: Any, expect: Any
) -> None:
    """What was acknowledged is there; a table made anew is empty."""
    with start_cloud() as cloud:
        shop = open_shop(cloud, expect)
        shop.insert({"Id": "x"})
        job = shop.query("SELECT id FROM orders")["jobReference"]["jobId"]
    with start_cloud() as cloud:
        results = expect(cloud.deployer.get(f"{PROJECT}/queries/{job}"))
        assert results["rows"] == [{"f": [{"v": "x"}]}]
        assert expect(cloud.deployer.get(DATA))["totalRows"] == "1"
        expect(cloud.deployer.delete(ORDERS), 204)
        shop.client = cloud.deployer
        shop.make()
        assert expect(cloud.deployer.get(DATA))["totalRows"] == "0"


def test_reading_and_writing_rows_are_permissions_of_their_own(
    local_cloud: Any, shop: Any, expect: Any
) -> None:
    """A viewer reads, an editor writes as well, and who runs queries alone sees nothing."""
    project = "/resourcemanager/v1/projects/local-proj"
    member = "user:analyst@local.test"
    analyst = local_cloud.client(member)
    ask = {"query": "SELECT count(*) FROM shop.orders", "useLegacySql": False}
    row = {"rows": [{"json": {"Id": "x"}}]}
    expect(analyst.post(f"{PROJECT}/queries", json=ask), 403)
    local_cloud.grant(project, "roles/bigquery.jobUser", member)
    error = expect(analyst.post(f"{PROJECT}/queries", json=ask), 403)["error"]
    assert error["message"].startswith("Access Denied: Table local-proj:shop.orders")
    assert error["errors"][0]["reason"] == "accessDenied"
    local_cloud.grant(f"{ORDERS}", "roles/bigquery.dataViewer", member)
    expect(analyst.post(f"{PROJECT}/queries", json=ask))
    expect(analyst.get(DATA))
    expect(analyst.post(f"{ORDERS}/insertAll", json=row), 403)
    change = {"query": "DELETE FROM shop.orders WHERE true", "useLegacySql": False}
    expect(analyst.post(f"{PROJECT}/queries", json=change), 403)
    local_cloud.grant(f"{ORDERS}", "roles/bigquery.dataEditor", member)
    expect(analyst.post(f"{ORDERS}/insertAll", json=row))
    assert expect(analyst.post(f"{PROJECT}/queries", json=change))["numDmlAffectedRows"] == "4"
