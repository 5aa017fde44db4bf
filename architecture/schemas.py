"""The columns of tables: what a `schema_file` may say, and what is known without one.

Reading the file is left to whoever needs it: nothing here looks at a disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from architecture.model import Architecture, BigQueryTable

COLUMN_TYPES: Final = frozenset(
    {
        *("STRING", "BYTES", "INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC"),
        *("BOOLEAN", "BOOL", "TIMESTAMP", "DATE", "TIME", "DATETIME", "INTERVAL", "RANGE"),
        *("GEOGRAPHY", "JSON", "RECORD", "STRUCT"),
    }
)
MODES: Final = frozenset({"", "NULLABLE", "REQUIRED", "REPEATED"})
NESTED: Final = frozenset({"RECORD", "STRUCT"})
# BigQuery's limit for records in records.
DEEPEST: Final = 15
PARTITION_TYPES: Final = frozenset({"DATE", "TIMESTAMP", "DATETIME"})

Column = Mapping[str, JsonValue]


class BadSchemaError(ValueError):
    """A schema that BigQuery would refuse; the message says which column and why."""


def parse_schema(table: BigQueryTable, text: str) -> str:
    """Return a table's columns in BigQuery's JSON, from the content of its `schema_file`.

    The list alone or `{"fields": [...]}`, which are both what `bq show --schema` and the API give.

    Raises:
        BadSchemaError: it is no list of columns, or lacks one that the table's layout names.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSchemaError(f"is no JSON: {error}") from error
    if isinstance(content, dict):
        content = content.get("fields")
    columns = _columns(content, "", DEEPEST)
    types = {str(column["name"]).lower(): str(column["type"]).upper() for column in columns}
    for key, names in (
        ("clustering_fields", table.clustering_fields),
        ("time_partitioning_field", (table.time_partitioning_field,)),
    ):
        for name in filter(None, names):
            if name.lower() not in types:
                raise BadSchemaError(f"has no column {name!r}, which `{key}` names")
    partitions = table.time_partitioning_field.lower()
    if partitions and types[partitions] not in PARTITION_TYPES:
        raise BadSchemaError(
            f"column {partitions!r} is {types[partitions]}; partitions are by "
            f"{', '.join(sorted(PARTITION_TYPES))}"
        )
    return json.dumps(columns)


def assumed_schema(table: BigQueryTable) -> str | None:
    """Return the columns that a table has for certain, without a `schema_file`.

    BigQuery makes no table whose clusters or partitions are by a column that it does not have.
    None when the table's layout names no column: then the first load makes them all.
    """
    known = dict.fromkeys(table.clustering_fields, "STRING")
    if table.time_partitioning_field:
        known[table.time_partitioning_field] = "TIMESTAMP"
    columns = [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in known.items()]
    return json.dumps(columns) if columns else None


def tables_without_columns(arch: Architecture) -> Iterator[BigQueryTable]:
    """Yield the tables whose columns only a program in another language knows."""
    for flow in arch.dataflows.values():
        for table in flow.resources.bigquery_tables:
            if not table.schema_file:
                yield table


def _columns(content: object, inside: str, depth: int) -> list[Column]:
    if not isinstance(content, list) or not content:
        raise BadSchemaError(f"{f'column {inside}' if inside else 'it'} has no list of columns")
    if depth == 0:
        raise BadSchemaError(f"has records in more than {DEEPEST} records")
    return [_column(item, f"{inside}[{index}]", depth) for index, item in enumerate(content)]


def _column(item: object, where: str, depth: int) -> Column:
    if not isinstance(item, dict):
        raise BadSchemaError(f"{where} is no column, but {type(item).__name__}")
    name, kind, mode = (item.get(key, "") for key in ("name", "type", "mode"))
    if not isinstance(name, str) or not name:
        raise BadSchemaError(f"{where} has no `name`")
    if str(kind).upper() not in COLUMN_TYPES:
        raise BadSchemaError(f"column {name!r} has no type of BigQuery's: {kind!r}")
    if str(mode).upper() not in MODES:
        raise BadSchemaError(f"column {name!r} has no mode of BigQuery's: {mode!r}")
    if str(kind).upper() in NESTED:
        return {**item, "fields": _columns(item.get("fields"), name, depth - 1)}
    return item
