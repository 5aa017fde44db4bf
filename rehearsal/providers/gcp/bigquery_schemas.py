"""Schemas of BigQuery tables: JSON lists of columns, compared by what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import Value
from rehearsal.providers.properties import Json, JsonObject, json_items, json_object, optional_text

_TYPE_NAMES: Final = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
}


def parsed_schema(schema: Value) -> Json:
    """Parse a schema; None for what is none."""
    try:
        parsed: Json = json.loads(schema) if isinstance(schema, str) and schema else None
    except ValueError:
        return None
    return parsed


def schema_problem(value: Value) -> str | None:
    """Say what is wrong with a schema, if anything."""
    if not value or isinstance(parsed_schema(value), list):
        return None
    return "is not a JSON list of columns"


def same_schema(old: Value, new: Value) -> bool:
    """Return whether two schemas describe the same columns."""
    return bool(old) and bool(new) and _columns(old) == _columns(new)


def column_names(schema: Value) -> list[str]:
    """Return the names of a schema's columns."""
    return [optional_text(column, "name") for column in _columns(schema)]


def needs_new_table(old: Value, new: Value) -> bool:
    """Return whether a table cannot get from one schema to the other, as the official provider.

    Columns may come, unless they are required. Top-level ones may go, unless others come at the
    same time, which may be a renaming. Types stay, modes only get looser.
    """
    return not _can_change(_columns(old), _columns(new), is_top_level=True)


def _can_change(old: list[JsonObject], new: list[JsonObject], *, is_top_level: bool) -> bool:
    olds, news = _by_name(old), _by_name(new)
    added, dropped = news.keys() - olds.keys(), olds.keys() - news.keys()
    if any(news[name]["mode"] == "REQUIRED" for name in added):
        return False
    if dropped and (added or not is_top_level):
        return False
    return all(_can_column_change(olds[name], news[name]) for name in olds.keys() & news.keys())


def _can_column_change(old: JsonObject, new: JsonObject) -> bool:
    is_looser = (old["mode"], new["mode"]) == ("REQUIRED", "NULLABLE")
    return (
        old["type"] == new["type"]
        and (old["mode"] == new["mode"] or is_looser)
        and _can_change(_fields(old), _fields(new), is_top_level=False)
    )


def _by_name(columns: list[JsonObject]) -> dict[str, JsonObject]:
    return {optional_text(column, "name"): column for column in columns}


def _fields(column: JsonObject) -> list[JsonObject]:
    return [dict(json_object(field)) for field in json_items(column.get("fields"))]


def _columns(schema: Value) -> list[JsonObject]:
    """Return the columns of a schema without what means nothing, in one spelling."""
    return [_column(json_object(item)) for item in json_items(parsed_schema(schema))]


def _column(column: Mapping[str, Json]) -> JsonObject:
    kind = optional_text(column, "type").upper()
    normal: JsonObject = {
        **column,
        "type": _TYPE_NAMES.get(kind, kind),
        "mode": optional_text(column, "mode").upper() or "NULLABLE",
    }
    if not json_items(json_object(column.get("policyTags")).get("names")):
        normal.pop("policyTags", None)
    if not column.get("description"):
        normal.pop("description", None)
    if "fields" in column:
        normal["fields"] = [_column(json_object(i)) for i in json_items(column["fields"])]
    return normal
