"""Queries over rows: what is covered is right, and what is not says so."""

from __future__ import annotations

from typing import Any

PROJECT = "/bigquery/bigquery/v2/projects/local-proj"


def test_queries_find_what_they_ask_for(shop: Any) -> None:
    """Filters, groups, orders, joins, windows, dates, decimals, records and JSON."""
    for text, rows in {
        "SELECT ID, n FROM `local-proj.shop.orders` WHERE n > 1 ORDER BY n DESC LIMIT 1": [
            ["b", "7"]
        ],
        "SELECT id, COUNT(*), SUM(n) AS total FROM orders GROUP BY id HAVING total > 1": [
            ["b", "2", "9"]
        ],
        "SELECT COUNT(DISTINCT id), COUNTIF(is_new), AVG(f), MAX(day) FROM orders": [
            ["2", "1", "2.25", "2026-01-31"]
        ],
        "SELECT SUM(price), MIN(price), price * 2 > 20 FROM orders WHERE price > 2"
        " GROUP BY price": [["10.25", "10.25", "true"]],
        "SELECT n / 2, DIV(n, 2), MOD(n, 2), SAFE_DIVIDE(n, 0) FROM orders WHERE n = 7": [
            ["3.5", "3", "1", None]
        ],
        "SELECT DATE(at), EXTRACT(HOUR FROM at), FORMAT_TIMESTAMP('%Y-%m', at) FROM orders"
        " WHERE at > '2025-01-01'": [["2026-01-02", "3", "2026-01"]],
        "SELECT DATE_ADD(day, INTERVAL 1 MONTH), DATE_TRUNC(day, MONTH),"
        " DATE_DIFF(day, DATE '2025-12-30', MONTH) FROM orders WHERE day IS NOT NULL": [
            ["2026-02-28", "2026-01-01", "1"]
        ],
        "SELECT TIMESTAMP_DIFF(at, TIMESTAMP '2026-01-01', HOUR),"
        " UNIX_MILLIS(TIMESTAMP_TRUNC(at, DAY)) FROM orders WHERE place.x = 5": [
            ["27", "1767312000000"]
        ],
        "WITH one AS (SELECT id, ROW_NUMBER() OVER (PARTITION BY id ORDER BY n DESC) AS r, n"
        " FROM orders) SELECT id, n FROM one WHERE r = 1 ORDER BY id": [["a", "1"], ["b", "7"]],
        "SELECT id FROM orders QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY n) = 1"
        " ORDER BY 1": [["a"], ["b"]],
        "SELECT a.n, b.n FROM orders a LEFT JOIN orders b ON a.id = b.id AND b.n > 5"
        " ORDER BY 1, 2": [["1", None], ["2", "7"], ["7", "7"]],
        "SELECT CASE WHEN n > 1 THEN 'big' ELSE 'small' END AS size, COUNT(1) FROM orders"
        " GROUP BY size ORDER BY size": [["big", "2"], ["small", "1"]],
        "SELECT IFNULL(f, 0), UPPER(id) || '-x', SUBSTR('abc', 2), ARRAY_LENGTH(tags),"
        " JSON_VALUE(doc, '$.k[1].z') FROM orders WHERE is_new": [["1.5", "A-x", "bc", "2", "q"]],
        "SELECT CAST(n AS STRING), SAFE_CAST(id AS INT64), CAST('2026-01-01' AS DATE) FROM orders"
        " WHERE id LIKE 'A%' OR n = 2": [["2", None, "2026-01-01"]],
        "SELECT id FROM orders UNION DISTINCT SELECT 'z' ORDER BY id": [["a"], ["b"], ["z"]],
        "SELECT EXISTS(SELECT 1 FROM orders WHERE n = 7), (SELECT MAX(n) FROM orders)": [
            ["true", "7"]
        ],
        "SELECT id, tag FROM orders, UNNEST(tags) AS tag WHERE tag != 'p'": [["a", "q"]],
        "SELECT n, tag, i FROM orders LEFT JOIN UNNEST(tags) AS tag WITH OFFSET AS i"
        " ORDER BY n, i": [["1", "p", "0"], ["1", "q", "1"], ["2", None, None], ["7", None, None]],
        "SELECT tags[OFFSET(0)], tags[SAFE_OFFSET(5)], tags[ORDINAL(2)],"
        " (SELECT COUNT(*) FROM UNNEST(tags) AS t WHERE t > 'p') FROM orders WHERE 'p' IN"
        " UNNEST(tags)": [["p", None, "q", "1"]],
        "SELECT n, SUM(price) OVER (ORDER BY n), AVG(price) OVER () FROM orders ORDER BY n": [
            ["1", "10.25", "6.125"],
            ["2", "12.25", "6.125"],
            ["7", "12.25", "6.125"],
        ],
        "SELECT COUNT(*) FROM orders GROUP BY CURRENT_DATE() ORDER BY CURRENT_TIMESTAMP()": [["3"]],
        "SELECT x * 2 FROM UNNEST([1, 2]) AS x ORDER BY 1 DESC": [["4"], ["2"]],
        "SELECT n, LAG(n) OVER (ORDER BY n), LEAD(n, 1, 0) OVER (ORDER BY n) FROM orders"
        " ORDER BY n": [["1", None, "2"], ["2", "1", "7"], ["7", "2", "0"]],
        "SELECT DATE(at) AS at, COUNT(*) FROM orders WHERE at IS NOT NULL GROUP BY at"
        " ORDER BY at": [["2023-11-14", "1"], ["2026-01-02", "1"]],
    }.items():
        assert shop.found(text) == rows, text


def test_columns_have_names_and_types(shop: Any) -> None:
    """Nameless columns get BigQuery's names, and a column is spelled as it was made."""
    schema = shop.query("SELECT *, 1, n AS Total FROM orders")["schema"]["fields"]
    told = [(column["name"], column["type"], column["mode"]) for column in schema]
    assert told[0] == ("Id", "STRING", "NULLABLE")
    assert told[7:9] == [("tags", "STRING", "REPEATED"), ("place", "RECORD", "NULLABLE")]
    assert told[-2:] == [("f0_", "INTEGER", "NULLABLE"), ("Total", "INTEGER", "NULLABLE")]


def test_parameters_have_types(shop: Any) -> None:
    """By name, by position, and arrays."""

    def parameter(kind: str, value: str, **name: str) -> dict[str, Any]:
        return {"parameterType": {"type": kind}, "parameterValue": {"value": value}, **name}

    named = [parameter("INT64", "2", name="n"), parameter("TIMESTAMP", "2020-01-01", name="at")]
    text = "SELECT n FROM orders WHERE n >= @n AND at > @at"
    assert shop.found(text, queryParameters=named) == [["7"]]
    ids = {
        "parameterType": {"type": "ARRAY", "arrayType": {"type": "STRING"}},
        "parameterValue": {"arrayValues": [{"value": "a"}, {"value": "c"}]},
    }
    text = "SELECT id, '?' FROM orders WHERE id IN UNNEST(?) AND n < ?"
    positional = [ids, parameter("INT64", "5")]
    assert shop.found(text, queryParameters=positional) == [["a", "?"]]
    missing = shop.query("SELECT @nope", 400)["error"]
    assert missing["message"] == "Query parameter 'nope' not found"
    bad = [parameter("INT64", "many", name="n")]
    shop.query("SELECT @n", 400, queryParameters=bad)


_REFUSED = [
    ("SELEC 1", "Syntax error"),
    ("SELECT id, FROM orders GROUP BY", "Syntax error"),
    ("DELETE orders WHERE n IN UNNEST([1])", "not implemented in the local cloud:"),
    ("SELECT EXTRACT(YEAR FROM id) FROM orders", "No matching signature for function EXTRACT"),
    ("SELECT nope FROM orders", "Unrecognized name: nope"),
    ("SELECT id = 1 FROM orders", "No matching signature for operator ="),
    ("SELECT n + 'x' FROM orders", "No matching signature for operator +"),
    ("SELECT n / 0 FROM orders", "division by zero: 1 / 0"),
    ("SELECT 9223372036854775807 + n FROM orders", "int64 overflow"),
    ("SELECT CAST(id AS INT64) FROM orders", "Cannot convert value to integer"),
    ("SELECT ST_GEOGPOINT(1, 2)", "not implemented in the local cloud:"),
    ("SELECT ARRAY_AGG(n) FROM orders", "not implemented in the local cloud:"),
    ("SELECT tags[OFFSET(5)] FROM orders WHERE is_new", "Array index 5 is out of bounds"),
    ("CREATE TABLE shop.other (a INT64)", "not implemented in the local cloud:"),
    ("SELECT 1; SELECT 2", "not implemented in the local cloud:"),
    ("SELECT 1 UNION ALL SELECT 'a'", "Column 1 in set operation has types"),
    ("DELETE FROM orders", "DELETE must have a WHERE clause"),
    ("INSERT INTO orders (id) VALUES (5)", "Value of type INT64 cannot be assigned to Id"),
    ("INSERT INTO orders (n) VALUES (5)", "Missing required field: Id."),
]


def test_what_is_wrong_or_not_covered_is_refused_in_words(shop: Any) -> None:
    """400 `invalidQuery`, and nothing is made up or changed."""
    for text, message in _REFUSED:
        error = shop.query(text, 400)["error"]
        assert error["message"].startswith(message), text
        assert error["errors"][0]["reason"] == "invalidQuery"
    assert shop.found("SELECT count(*) FROM orders") == [["3"]]


def test_statements_change_rows(shop: Any) -> None:
    """Each says how many; other columns of a changed row stay."""
    inserted = shop.query(
        "INSERT INTO orders (id, n, at, price) VALUES"
        " ('y', NULL, '2026-01-01', 1), ('z', 3, CURRENT_TIMESTAMP(), 1.5)"
    )
    assert inserted["numDmlAffectedRows"] == "2"
    updated = shop.query("UPDATE orders SET n = n + 10, day = '2026-02-02' WHERE id = 'a'")
    assert updated["numDmlAffectedRows"] == "1"
    text = "SELECT n, day, price, tags, place.x, doc FROM orders WHERE id = 'a'"
    tags = [{"v": "p"}, {"v": "q"}]
    document = '{"k":[1,{"z":"q"}]}'
    assert shop.found(text) == [["11", "2026-02-02", "10.25", tags, "5", document]]
    assert shop.query("DELETE FROM orders WHERE n IS NULL OR id = 'b'")["numDmlAffectedRows"] == "3"
    assert shop.found("SELECT id FROM orders ORDER BY id") == [["a"], ["z"]]
    copied = shop.query("INSERT INTO orders (id, n) SELECT CONCAT(id, '2'), n FROM orders")
    assert copied["numDmlAffectedRows"] == "2"


def test_a_job_is_told_listed_and_paged(local_cloud: Any, shop: Any, expect: Any) -> None:
    """Done at once, with its error where it failed; its id is taken; others may not see it."""
    config = {"query": {"query": "SELECT n FROM shop.orders ORDER BY n", "useLegacySql": False}}
    body = {"jobReference": {"jobId": "mine"}, "configuration": config}
    job = expect(shop.client.post(f"{PROJECT}/jobs", json=body))
    assert (job["status"], job["statistics"]["query"]["statementType"]) == (
        {"state": "DONE"},
        "SELECT",
    )
    taken = expect(shop.client.post(f"{PROJECT}/jobs", json=body), 409)["error"]
    assert taken["errors"][0]["reason"] == "duplicate"
    url = f"{PROJECT}/queries/mine"
    first = expect(shop.client.get(url, params={"maxResults": "2"}))
    assert (len(first["rows"]), first["totalRows"]) == (2, "3")
    rest = expect(shop.client.get(url, params={"pageToken": first["pageToken"]}))
    assert rest["rows"] == [{"f": [{"v": "7"}]}]
    config["query"]["query"] = "SELECT nope FROM shop.orders"
    failed = expect(shop.client.post(f"{PROJECT}/jobs", json={"configuration": config}))
    assert failed["status"]["errorResult"]["reason"] == "invalidQuery"
    expect(shop.client.get(f"{PROJECT}/queries/{failed['jobReference']['jobId']}"), 400)
    assert len(expect(shop.client.get(f"{PROJECT}/jobs"))["jobs"]) == 2
    load = {"configuration": {"load": {"sourceUris": ["gs://b/o"]}}}
    expect(shop.client.post(f"{PROJECT}/jobs", json=load), 400)
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/bigquery.jobUser", "user:other@local.test")
    other = local_cloud.client("user:other@local.test")
    expect(other.get(f"{PROJECT}/jobs/mine"), 403)
    dry = shop.query("DELETE FROM orders WHERE true", dryRun=True)
    assert dry["jobComplete"]
    assert shop.found("SELECT count(*) FROM orders") == [["3"]]
    again = [shop.query("SELECT 1", requestId="r")["jobReference"] for _ in range(2)]
    assert again[0] == again[1]
