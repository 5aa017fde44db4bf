"""Rows as callers insert them: checked against a table's columns, each error told in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.rows import Row, Rows
from rehearsal.cloud.bigquery.values import BadValueError, Kept, keep, size_of
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, failed_precondition

_MOST_ROWS: Final = 50_000


class RowError(ValueError):
    """A row does not fit its table."""

    def __init__(self, location: str, message: str) -> None:
        super().__init__(message)
        self.location = location


def inserted(rows: Rows, name: str, table: JsonObject, body: JsonObject) -> JsonObject:
    """Append the rows of a `tabledata.insertAll` and return its answer.

    Raises:
        ApiError: 400; the request as a whole is wrong.
    """
    given: Sequence[JsonObject] = body.get("rows") or []
    _check_request(table, given, body)
    fit: list[tuple[int, Row]] = []
    errors: list[JsonObject] = []
    for index, one in enumerate(given):
        try:
            values = one.get("json") or {}
            row = kept_row(
                columns_of(table), values, ignores_unknown=bool(body.get("ignoreUnknownValues"))
            )
        except RowError as problem:
            errors.append(_error(index, "invalid", problem.location, str(problem)))
        else:
            fit.append((index, Row(row.values, row.size, str(one.get("insertId") or ""))))
    answer: JsonObject = {"kind": "bigquery#tableDataInsertAllResponse"}
    if errors and not body.get("skipInvalidRows"):
        errors += [_error(index, "stopped", "", "") for index, _ in fit]
        return answer | {"insertErrors": sorted(errors, key=lambda error: error["index"])}
    rows.append(name, [row for _, row in fit])
    return answer | ({"insertErrors": errors} if errors else {})


def kept_row(
    columns: Sequence[JsonObject], values: Mapping[str, object], *, ignores_unknown: bool = False
) -> Row:
    """Return a row as it is kept.

    Raises:
        RowError: it does not fit the columns.
    """
    kept, size = _record(columns, values, "", ignores_unknown=ignores_unknown)
    return Row(kept, size)


def _record(
    columns: Sequence[JsonObject],
    values: Mapping[str, object],
    where: str,
    *,
    ignores_unknown: bool,
) -> tuple[JsonObject, int]:
    by_name = {name.lower(): value for name, value in values.items()}
    known = {column["name"].lower() for column in columns}
    unknown = next((name for name in values if name.lower() not in known), None)
    if unknown is not None and not ignores_unknown:
        raise RowError(f"{where}{unknown}", f"no such field: {where}{unknown}.")
    kept: JsonObject = {}
    size = 0
    for column in columns:
        path = f"{where}{column['name']}"
        value = by_name.get(column["name"].lower())
        mode = str(column.get("mode") or "NULLABLE").upper()
        if mode == "REPEATED":
            if value is not None and not isinstance(value, list):
                raise RowError(path, f"Repeated field must be imported as a JSON array: {path}.")
            elements = [
                _value(column, element, path, ignores_unknown=ignores_unknown)
                for element in value or ()
            ]
            kept[column["name"]] = [element for element, _ in elements]
            size += sum(bytes_ for _, bytes_ in elements)
        elif value is not None:
            kept[column["name"]], bytes_ = _value(
                column, value, path, ignores_unknown=ignores_unknown
            )
            size += bytes_
        elif mode == "REQUIRED":
            raise RowError(path, f"Missing required field: {path}.")
    return kept, size


def _value(
    column: JsonObject, value: object, path: str, *, ignores_unknown: bool
) -> tuple[Kept, int]:
    if value is None:
        raise RowError(path, f"Only optional fields can be set to NULL. Field: {path}")
    if column["type"] == "RECORD":
        if not isinstance(value, dict):
            raise RowError(path, f"This field: {path} is not a record.")
        return _record(column["fields"], value, f"{path}.", ignores_unknown=ignores_unknown)
    if isinstance(value, list) and column["type"] != "JSON":
        raise RowError(path, f"Array specified for non-repeated field: {path}.")
    if isinstance(value, dict) and column["type"] != "JSON":
        raise RowError(path, f"This field: {path} is not a record.")
    try:
        kept = keep(column["type"], value)
    except BadValueError as problem:
        raise RowError(path, str(problem)) from problem
    return kept, size_of(column["type"], kept)


def _check_request(table: JsonObject, given: Sequence[JsonObject], body: JsonObject) -> None:
    if body.get("templateSuffix"):
        raise failed_precondition("not implemented in the local cloud: templateSuffix")
    problem = ""
    if "view" in table:
        problem = "Cannot add rows to a table of type VIEW."
    elif not columns_of(table):
        problem = "The destination table has no schema."
    elif not given:
        problem = "No rows present in the request."
    elif len(given) > _MOST_ROWS:
        problem = f"too many rows present in the request, limit: {_MOST_ROWS}"
    if problem:
        raise ApiError(400, "INVALID_ARGUMENT", problem, reason="invalid")


def _error(index: int, reason: str, location: str, message: str) -> JsonObject:
    error = {"reason": reason, "location": location, "debugInfo": "", "message": message}
    return {"index": index, "errors": [error]}
