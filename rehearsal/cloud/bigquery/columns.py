"""What BigQuery demands of a table's columns, partitions and clustering, new and changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument

_NAME: Final = re.compile(r"[A-Za-z_]\w{0,299}", re.ASCII)
# The API answers with the older names, whichever were sent.
_OLDER_TYPES: Final[Mapping[str, str]] = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
_TYPES: Final = frozenset(
    [
        "STRING",
        "BYTES",
        "INTEGER",
        "FLOAT",
        "BOOLEAN",
        "TIMESTAMP",
        "DATE",
        "TIME",
        "DATETIME",
        "GEOGRAPHY",
        "NUMERIC",
        "BIGNUMERIC",
        "JSON",
        "RECORD",
        "RANGE",
        "INTERVAL",
    ]
)
_MODES: Final = frozenset({"NULLABLE", "REQUIRED", "REPEATED"})
_PARTITION_UNITS: Final = frozenset({"HOUR", "DAY", "MONTH", "YEAR"})
_PARTITION_TYPES: Final = frozenset({"DATE", "TIMESTAMP", "DATETIME"})
_CLUSTERING_TYPES: Final = _TYPES - {"BYTES", "FLOAT", "TIME", "JSON", "RECORD", "INTERVAL"}
_MOST_CLUSTERING_FIELDS: Final = 4
_LOOSER: Final = ("REQUIRED", "NULLABLE")


def checked_columns(columns: Iterable[JsonObject], where: str = "") -> list[JsonObject]:
    """Return columns with BigQuery's names of their types.

    Raises:
        ApiError: 400; a name, type or mode is wrong, or a name comes twice.
    """
    checked: list[JsonObject] = []
    seen: set[str] = set()
    for given in columns:
        name = str(given.get("name") or "")
        path = f"{where}{name}"
        if not _NAME.fullmatch(name):
            raise invalid_argument(
                f'Invalid field name "{path}". Fields must contain only letters, numbers, and'
                " underscores, start with a letter or underscore, and be at most 300 characters"
                " long."
            )
        # Column names do not differ by case.
        if name.lower() in seen:
            raise invalid_argument(f"Field {path} already exists in schema")
        seen.add(name.lower())
        kind = str(given.get("type") or "").upper()
        column = given | {"type": _OLDER_TYPES.get(kind, kind)}
        if column["type"] not in _TYPES:
            raise invalid_argument(
                f"Invalid value for type: {given.get('type')} is not a valid value"
            )
        if _mode(column) not in _MODES:
            raise invalid_argument(
                f"Invalid value for mode: {given.get('mode')} is not a valid value"
            )
        if column["type"] == "RECORD":
            if not column.get("fields"):
                raise invalid_argument(f"Field {path} is type RECORD but has no schema")
            column["fields"] = checked_columns(column["fields"], f"{path}.")
        checked.append(column)
    return checked


def check_layout(table: JsonObject) -> None:
    """Refuse partitions and clustering that do not fit the columns.

    Raises:
        ApiError: 400.
    """
    columns = {column["name"]: column for column in columns_of(table)}
    partitioning = table.get("timePartitioning")
    if partitioning is not None:
        _check_partitioning(partitioning, columns)
    clustering = (table.get("clustering") or {}).get("fields") or ()
    if len(clustering) > _MOST_CLUSTERING_FIELDS:
        raise invalid_argument(
            f"Too many fields in clustering. At most {_MOST_CLUSTERING_FIELDS} are supported."
        )
    for name in clustering:
        column = columns.get(name)
        if column is None:
            raise invalid_argument(f"The field specified for clustering cannot be found: {name}")
        if column["type"] not in _CLUSTERING_TYPES or _mode(column) == "REPEATED":
            raise invalid_argument(
                f"Clustering is not supported on field {name} of type {column['type']}."
            )


def check_change(name: str, old: JsonObject, new: JsonObject) -> None:
    """Refuse what cannot change in a table that exists.

    Raises:
        ApiError: 400; columns only come, and only get looser, partitions stay as they are.
    """
    _check_columns_change(f"Provided Schema does not match Table {name}.", old, new)
    before, after = (_partition_spec(table) for table in (old, new))
    if before != after:
        kind = "non-partitioned" if before is None else "partitioned"
        raise invalid_argument(f"Cannot change partitioning spec for a {kind} table: {name}.")


def columns_of(table: JsonObject) -> list[JsonObject]:
    """Return the columns of a table; none where no schema is given."""
    columns: list[JsonObject] = (table.get("schema") or {}).get("fields") or []
    return columns


def _check_partitioning(partitioning: JsonObject, columns: Mapping[str, JsonObject]) -> None:
    unit = partitioning.get("type") or ""
    if unit not in _PARTITION_UNITS:
        raise invalid_argument(f"Invalid value for timePartitioning.type: '{unit}'")
    field = partitioning.get("field")
    if not field:
        return
    column = columns.get(field)
    if column is None:
        raise invalid_argument(
            f"The field specified for partitioning cannot be found in the schema: {field}"
        )
    is_too_fine = unit == "HOUR" and column["type"] == "DATE"
    if column["type"] not in _PARTITION_TYPES or _mode(column) == "REPEATED" or is_too_fine:
        raise invalid_argument(
            f"{unit} partitioning is not supported on field {field} of type {column['type']}."
        )


def _check_columns_change(prefix: str, old: JsonObject, new: JsonObject) -> None:
    olds, news = ({column["name"]: column for column in _fields(table)} for table in (old, new))
    for name, before in olds.items():
        after = news.get(name)
        if after is None:
            raise invalid_argument(f"{prefix} Field {name} is missing in new schema")
        if before["type"] != after["type"]:
            change = f"type from {before['type']} to {after['type']}"
            raise invalid_argument(f"{prefix} Field {name} has changed {change}")
        modes = (_mode(before), _mode(after))
        if modes[0] != modes[1] and modes != _LOOSER:
            change = f"mode from {modes[0]} to {modes[1]}"
            raise invalid_argument(f"{prefix} Field {name} has changed {change}")
        _check_columns_change(prefix, before, after)
    for name in news.keys() - olds.keys():
        if olds and _mode(news[name]) == "REQUIRED":
            raise invalid_argument(
                f"{prefix} Cannot add required fields to an existing schema. (field: {name})"
            )


def _fields(table_or_record: JsonObject) -> Sequence[JsonObject]:
    if "schema" in table_or_record:
        return columns_of(table_or_record)
    fields: Sequence[JsonObject] = table_or_record.get("fields") or ()
    return fields


def _partition_spec(table: JsonObject) -> object:
    by_time = table.get("timePartitioning")
    if by_time is not None:
        return by_time.get("type"), by_time.get("field") or None
    return table.get("rangePartitioning")


def _mode(column: JsonObject) -> str:
    return str(column.get("mode") or "NULLABLE").upper()
