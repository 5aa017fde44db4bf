"""Datasets and tables, by full name."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.bigquery.access import default_access, normalised, policy_of
from rehearsal.cloud.bigquery.columns import (
    check_change,
    check_layout,
    checked_columns,
    columns_of,
)
from rehearsal.cloud.bigquery.rows import Rows
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument, not_found
from rehearsal.cloud.field_masks import merge_patched

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_DATASETS: Final = "bigquery.datasets"
_TABLES: Final = "bigquery.tables"
_API: Final = "https://bigquery.googleapis.com/bigquery/v2"
# An hour.
_MIN_EXPIRATION_MS: Final = 3_600_000
_DATASET_ID: Final = re.compile(r"\w{1,1024}", re.ASCII)
_TABLE_ID: Final = re.compile(r"[\w\-$ ]{1,1024}")
# What a full update cannot change.
_DATASET_KEPT: Final = (
    "kind",
    "id",
    "selfLink",
    "datasetReference",
    "creationTime",
    "location",
    "type",
    "access",
)
_TABLE_KEPT: Final = (
    "kind",
    "id",
    "selfLink",
    "tableReference",
    "creationTime",
    "location",
    "type",
    "numBytes",
    "numLongTermBytes",
    "numRows",
)


class Datasets:
    """All datasets with their tables."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._rows = cloud.part(Rows)

    def create(self, body: JsonObject, creator: str) -> JsonObject:
        """Create an empty dataset."""
        self._check_reference(body.get("datasetReference"), "")
        dataset_id = (body.get("datasetReference") or {}).get("datasetId") or ""
        if not _DATASET_ID.fullmatch(dataset_id):
            raise invalid_argument(f'Invalid dataset ID "{dataset_id}".')
        name = f"{self._cloud.project}/datasets/{dataset_id}"
        if self._store.get(_DATASETS, name) is not None:
            raise _duplicate(f"Already Exists: Dataset {self._cloud.project_id}:{dataset_id}")
        dataset = {
            "location": "US",
            "maxTimeTravelHours": "168",
            **_without_nulls(body),
            "kind": "bigquery#dataset",
            "id": f"{self._cloud.project_id}:{dataset_id}",
            "selfLink": f"{_API}/{name}",
            "datasetReference": {"projectId": self._cloud.project_id, "datasetId": dataset_id},
            "creationTime": self._now_ms(),
            "type": "DEFAULT",
        }
        dataset["access"] = body.get("access") or default_access(creator)
        return self._save_dataset(name, dataset)

    def get(self, name: str) -> JsonObject:
        """Return a dataset.

        Raises:
            ApiError: 404.
        """
        dataset = self._store.get(_DATASETS, name)
        if dataset is None:
            raise not_found(f"Not found: Dataset {_colon_name(name)}")
        return dataset

    def all(self) -> list[JsonObject]:
        """All datasets, by name."""
        return [dataset for _, dataset in self._store.items(_DATASETS)]

    def patch(self, name: str, changes: JsonObject) -> JsonObject:
        """Merge changes into a dataset; null removes."""
        current = self.get(name)
        return self._save_dataset(name, _patched(current, changes, _DATASET_KEPT))

    def update(self, name: str, body: JsonObject) -> JsonObject:
        """Replace everything that can change; without an access list the old one stays."""
        return self._save_dataset(name, _replaced(self.get(name), body, _DATASET_KEPT))

    def delete(self, name: str, *, with_contents: bool) -> None:
        """Remove a dataset; one with tables only when they shall go too."""
        self.get(name)
        tables = [table for table, _ in self._store.items(_TABLES, f"{name}/tables/")]
        if tables and not with_contents:
            # Never 404: the provider would take that for success.
            raise ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Dataset {_colon_name(name)} is still in use",
                reason="resourceInUse",
            )
        self._store.delete_many(_TABLES, tables)
        for table in tables:
            self._rows.drop(table)
        self._store.delete(_DATASETS, name)
        self._cloud.iam.forget(name)

    def create_table(self, dataset_name: str, body: JsonObject) -> JsonObject:
        """Create an empty table or a view."""
        dataset = self.get(dataset_name)
        self._check_reference(body.get("tableReference"), dataset_name)
        table_id = (body.get("tableReference") or {}).get("tableId") or ""
        if not _TABLE_ID.fullmatch(table_id):
            raise invalid_argument(f'Invalid table ID "{table_id}".')
        name = f"{dataset_name}/tables/{table_id}"
        if self._store.get(_TABLES, name) is not None:
            raise _duplicate(f"Already Exists: Table {_colon_name(name)}")
        table = {
            **_without_nulls(body),
            "kind": "bigquery#table",
            "id": _colon_name(name),
            "selfLink": f"{_API}/{name}",
            "tableReference": dataset["datasetReference"] | {"tableId": table_id},
            "creationTime": self._now_ms(),
            "location": dataset["location"],
            "type": "VIEW" if "view" in body else "TABLE",
            "numBytes": "0",
            "numLongTermBytes": "0",
            "numRows": "0",
        }
        _check_columns(table)
        _inherit_expirations(table, dataset)
        # What a killed process left of a table of this name.
        self._rows.drop(name)
        return self._save_table(name, table)

    def table(self, name: str) -> JsonObject:
        """Return a table; one whose time is up is gone.

        Raises:
            ApiError: 404.
        """
        table = self._store.get(_TABLES, name)
        if table is not None and self._has_expired(table):
            self._remove_table(name)
            table = None
        if table is None:
            raise not_found(f"Not found: Table {_colon_name(name)}")
        if "view" not in table:
            count, size = self._rows.count(name)
            table |= {"numRows": str(count), "numBytes": str(size)}
        return table

    def tables(self, dataset_name: str) -> list[JsonObject]:
        """All tables of a dataset, by name."""
        self.get(dataset_name)
        tables = self._store.items(_TABLES, f"{dataset_name}/tables/")
        return [table for _, table in tables if not self._has_expired(table)]

    def patch_table(self, name: str, changes: JsonObject) -> JsonObject:
        """Merge changes into a table; null removes."""
        current = self.table(name)
        return self._change_table(name, current, _patched(current, changes, _TABLE_KEPT))

    def update_table(self, name: str, body: JsonObject) -> JsonObject:
        """Replace everything that can change; without a schema the old one stays."""
        current = self.table(name)
        return self._change_table(name, current, _replaced(current, body, _TABLE_KEPT))

    def drop_columns(self, name: str, dropped: Sequence[str]) -> None:
        """Remove columns, as `ALTER TABLE … DROP COLUMN` does.

        Raises:
            ApiError: 404; 400 for one that is not there or that the layout needs.
        """
        table = self.table(name)
        columns = columns_of(table)
        for column in dropped:
            if column not in {known["name"] for known in columns}:
                raise invalid_argument(f"Column not found: {column}")
        table["schema"]["fields"] = [known for known in columns if known["name"] not in dropped]
        self._save_table(name, table)
        self._rows.forget_columns(name, dropped)

    def delete_table(self, name: str) -> None:
        """Remove a table."""
        self.table(name)
        self._remove_table(name)

    def _remove_table(self, name: str) -> None:
        self._store.delete(_TABLES, name)
        # A killed process may leave rows behind, but never a table without its rows.
        self._rows.drop(name)
        self._cloud.iam.forget(name)

    def _check_reference(self, reference: JsonObject | None, dataset_name: str) -> None:
        """Refuse a body that says to belong elsewhere than its path."""
        given = reference or {}
        told: list[tuple[str | None, Sequence[str]]] = [
            (given.get("projectId"), (self._cloud.project_id, self._cloud.project_number))
        ]
        if dataset_name:
            told.append((given.get("datasetId"), [dataset_name.rpartition("/")[2]]))
        for value, wanted in told:
            if value and value not in wanted:
                raise invalid_argument(
                    f"Value '{value}' in content does not agree with value '{wanted[0]}'. This can"
                    " happen when a value set through a parameter is inconsistent with a value set"
                    " in the request."
                )

    def _save_dataset(self, name: str, dataset: JsonObject) -> JsonObject:
        for field in ("defaultTableExpirationMs", "defaultPartitionExpirationMs"):
            if 0 < int(dataset.get(field) or 0) < _MIN_EXPIRATION_MS:
                raise invalid_argument(f"Invalid value for {field}: it must be at least an hour.")
        dataset["access"] = normalised(dataset.get("access") or ())
        # Refuses unknown accounts before anything is stored. No etag: the last writer wins.
        self._cloud.iam.set_policy(name, policy_of(dataset["access"]))
        return self._saved(_DATASETS, name, dataset)

    def _change_table(self, name: str, old: JsonObject, new: JsonObject) -> JsonObject:
        if not columns_of(new) and "schema" in old:
            new["schema"] = old["schema"]
        _check_columns(new)
        check_change(_colon_name(name), old, new)
        return self._save_table(name, new)

    def _save_table(self, name: str, table: JsonObject) -> JsonObject:
        check_layout(table)
        return self._saved(_TABLES, name, table)

    def _has_expired(self, table: JsonObject) -> bool:
        ends_ms = int(table.get("expirationTime") or 0)
        return 0 < ends_ms <= self._cloud.clock() * 1000

    def _saved(self, kind: str, name: str, body: JsonObject) -> JsonObject:
        body["etag"] = base64.b64encode(secrets.token_bytes(12)).decode()
        body["lastModifiedTime"] = self._now_ms()
        self._store.put(kind, name, body)
        return body

    def _now_ms(self) -> str:
        return str(int(self._cloud.clock() * 1000))


def _check_columns(table: JsonObject) -> None:
    if columns := columns_of(table):
        table["schema"] = {**table["schema"], "fields": checked_columns(columns)}


def _inherit_expirations(table: JsonObject, dataset: JsonObject) -> None:
    """Give a new table what its dataset says, unless it says so itself.

    Partitions have an expiration of their own; with it the table has none.
    """
    partitioning = table.get("timePartitioning")
    partition_ms = dataset.get("defaultPartitionExpirationMs")
    if partitioning is not None and partition_ms:
        partitioning.setdefault("expirationMs", str(partition_ms))
    elif dataset.get("defaultTableExpirationMs") and "view" not in table:
        ends_ms = int(table["creationTime"]) + int(dataset["defaultTableExpirationMs"])
        table.setdefault("expirationTime", str(ends_ms))


def _patched(current: JsonObject, changes: JsonObject, kept: tuple[str, ...]) -> JsonObject:
    own = {field: current[field] for field in kept if field in current and field != "access"}
    return merge_patched(current, changes) | own


def _replaced(current: JsonObject, body: JsonObject, kept: tuple[str, ...]) -> JsonObject:
    updated = _without_nulls(body)
    for field in kept:
        if field in current and (field != "access" or field not in updated):
            updated[field] = current[field]
    return updated


def _without_nulls(body: JsonObject) -> JsonObject:
    return {field: value for field, value in body.items() if value is not None}


def _colon_name(name: str) -> str:
    """`project:dataset[.table]`, as BigQuery's messages have it."""
    _, project, _, *rest = name.split("/")
    return f"{project}:{'.'.join(rest[::2])}"


def _duplicate(message: str) -> ApiError:
    return ApiError(409, "ALREADY_EXISTS", message, reason="duplicate")
