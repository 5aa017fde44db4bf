"""Loads: rows that come in one piece, and the table that they may make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.cloud.bigquery.access import access_denied
from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.insertion import RowError, kept_row
from rehearsal.cloud.bigquery.rows import Row, Rows
from rehearsal.cloud.bigquery.state import Datasets
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows were loaded, and the bytes that they count for."""

    rows: int
    size: int


class Loads:
    """Loads rows for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._iam = cloud.iam
        self._project = cloud.project
        self._datasets = cloud.part(Datasets)
        self._rows = cloud.part(Rows)

    def run(self, principal: str, config: JsonObject, content: bytes) -> Loaded:
        """Load newline-delimited JSON into a table, all rows or none.

        Raises:
            ApiError: 400, 403, 404, or 409 for a table that should have been empty.
        """
        form = config.get("sourceFormat") or "CSV"
        if form != "NEWLINE_DELIMITED_JSON":
            raise _invalid(f"not implemented in the local cloud: loads of {form}")
        place = config.get("destinationTable") or {}
        dataset = f"{self._project}/datasets/{place.get('datasetId')}"
        name = f"{dataset}/tables/{place.get('tableId')}"
        self._require(principal, "bigquery.tables.updateData", name, name)
        disposition = config.get("writeDisposition") or "WRITE_APPEND"
        table = self._table(principal, dataset, name, config)
        if disposition == "WRITE_EMPTY" and self._rows.count(name)[0]:
            message = f"Already Exists: Table {table['id']}"
            raise ApiError(409, "ALREADY_EXISTS", message, reason="duplicate")
        rows = list(_rows_of(table, config, content))
        self._rows.append(name, rows, truncates=disposition == "WRITE_TRUNCATE")
        return Loaded(len(rows), sum(row.size for row in rows))

    def _require(self, principal: str, permission: str, resource: str, table: str) -> None:
        if not self._iam.allows(principal, permission, resource):
            raise access_denied(table)

    def _table(self, principal: str, dataset: str, name: str, config: JsonObject) -> JsonObject:
        """The table to load into; it is made where there is none and its columns are said."""
        schema = config.get("schema")
        try:
            table = self._datasets.table(name)
        except ApiError:
            if config.get("createDisposition") == "CREATE_NEVER":
                raise
            if not schema:
                raise _invalid(
                    "not implemented in the local cloud: detecting a table's columns"
                ) from None
            self._require(principal, "bigquery.tables.create", dataset, name)
            reference = {"tableId": name.rpartition("/")[2]}
            return self._datasets.create_table(
                dataset, {"tableReference": reference, "schema": schema}
            )
        if not columns_of(table) and schema:
            self._require(principal, "bigquery.tables.update", name, name)
            return self._datasets.patch_table(name, {"schema": schema})
        return table


def _rows_of(table: JsonObject, config: JsonObject, content: bytes) -> Iterator[Row]:
    bad_records = int(config.get("maxBadRecords") or 0)
    ignores_unknown = bool(config.get("ignoreUnknownValues"))
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise RowError("", "Value is no JSON object.")
            yield kept_row(columns_of(table), values, ignores_unknown=ignores_unknown)
        except ValueError as problem:
            bad_records -= 1
            if bad_records < 0:
                message = (
                    "Error while reading data, error message: JSON table encountered too many"
                    f" errors, giving up. Row: {number}; error: {problem}"
                )
                raise _invalid(message) from problem


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_ARGUMENT", message, reason="invalid")
