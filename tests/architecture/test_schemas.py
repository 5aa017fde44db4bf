"""The columns of tables, from their JSON files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.model import BigQueryTable
from architecture.schemas import BadSchemaError, assumed_schema, parse_schema

PLAIN = BigQueryTable(name="t", dataset="d")
LAID_OUT = BigQueryTable(
    name="t", dataset="d", clustering_fields=("device",), time_partitioning_field="at"
)
COLUMNS = [{"name": "device", "type": "STRING"}, {"name": "at", "type": "timestamp"}]


@pytest.mark.parametrize("content", [COLUMNS, {"fields": COLUMNS}])
def test_both_forms_that_bigquery_prints_are_read(content: object) -> None:
    """The list alone, and the object that the API gives."""
    assert json.loads(parse_schema(LAID_OUT, json.dumps(content))) == COLUMNS


def nested(depth: int) -> list[dict[str, object]]:
    """Give records in records."""
    columns: list[dict[str, object]] = [{"name": "x", "type": "STRING"}]
    for _ in range(depth):
        columns = [{"name": "r", "type": "RECORD", "fields": columns}]
    return columns


@pytest.mark.parametrize(
    ("table", "text", "said"),
    [
        (PLAIN, "{", "is no JSON"),
        (PLAIN, "[" * 100_000, "is no JSON"),
        (PLAIN, "[]", "it has no list of columns"),
        (PLAIN, "[1]", r"\[0\] is no column"),
        (PLAIN, '[{"type": "STRING"}]', r"\[0\] has no `name`"),
        (PLAIN, '[{"name": "a", "type": "TEXT"}]', "'a' has no type of BigQuery's: 'TEXT'"),
        (PLAIN, '[{"name": "a", "type": "DATE", "mode": "MAYBE"}]', "no mode"),
        (PLAIN, '[{"name": "r", "type": "RECORD"}]', "column r has no list of columns"),
        (PLAIN, json.dumps(nested(15)), "more than 15 records"),
        (LAID_OUT, json.dumps(COLUMNS[1:]), "no column 'device', which `clustering_fields`"),
        (LAID_OUT, json.dumps(COLUMNS[:1]), "no column 'at', which `time_partitioning_field`"),
        (
            LAID_OUT,
            json.dumps([COLUMNS[0], {"name": "at", "type": "STRING"}]),
            "'at' is STRING; partitions are by DATE, DATETIME, TIMESTAMP",
        ),
    ],
)
def test_a_schema_that_bigquery_would_refuse_is_refused(
    table: BigQueryTable, text: str, said: str
) -> None:
    """The message says which column and why."""
    with pytest.raises(BadSchemaError, match=said):
        parse_schema(table, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "type", "mode", "fields", "x"]), inner, max_size=4
            )
        ),
    )
)
def test_no_content_raises_anything_else(content: object) -> None:
    """Whatever JSON a file holds, it is a schema or refused as none."""
    try:
        columns = json.loads(parse_schema(LAID_OUT, json.dumps(content)))
    except BadSchemaError:
        return
    assert {"device", "at"} <= {column["name"] for column in columns}


def test_the_columns_that_a_layout_names_are_known_without_a_file() -> None:
    """BigQuery would not make the table without them."""
    assumed = assumed_schema(LAID_OUT)
    assert assumed is not None
    assert {column["name"]: column["type"] for column in json.loads(assumed)} == {
        "device": "STRING",
        "at": "TIMESTAMP",
    }
    assert parse_schema(LAID_OUT, assumed)
    assert assumed_schema(PLAIN) is None
