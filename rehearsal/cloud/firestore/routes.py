"""Methods of the Firestore Admin API: databases."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from rehearsal.cloud.field_masks import implied_mask, masked, refuse_changes
from rehearsal.cloud.operation_methods import operation_handlers, operation_requirements
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "firestore.projects.databases"
_TYPE: Final = "datastore.databases"
_PACKAGE: Final = "google.firestore.admin.v1"
_MESSAGES: Final = f"type.googleapis.com/{_PACKAGE}"
_KIND: Final = "firestore.databases"
_DATABASE_ID: Final = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
_DEFAULTS: Final[JsonObject] = {
    "concurrencyMode": "PESSIMISTIC",
    "appEngineIntegrationMode": "DISABLED",
    "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
    "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
    "databaseEdition": "STANDARD",
}
_IMMUTABLE: Final = ("locationId", "databaseEdition", "realtimeUpdatesMode", "tags")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_TYPE}.create", "{parent}"),
    f"{_METHODS}.list": Requirement(f"{_TYPE}.list", "{parent}"),
    f"{_METHODS}.get": Requirement(f"{_TYPE}.getMetadata", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_TYPE}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_TYPE}.delete", "{name}"),
    **operation_requirements(f"{_METHODS}.operations", "datastore.operations"),
}


class _Databases:
    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def handlers(self) -> dict[str, Handler]:
        return {
            f"{_METHODS}.create": self._create,
            f"{_METHODS}.list": self._list,
            f"{_METHODS}.get": self._get,
            f"{_METHODS}.patch": self._patch,
            f"{_METHODS}.delete": self._delete,
            **operation_handlers(self._cloud, f"{_METHODS}.operations", _PACKAGE),
        }

    async def _create(self, call: Call) -> JsonObject:
        database_id = call.query.get("databaseId", "")
        if not _DATABASE_ID.fullmatch(database_id):
            raise invalid_argument(f"Invalid database_id: {database_id}")
        name = f"{call.params['parent']}/databases/{database_id}"
        if self._store.get(_KIND, name) is not None:
            raise already_exists("Database already exists. Please use another database_id")
        now = rfc3339(self._cloud.clock())
        database = {
            **_DEFAULTS,
            **call.body,
            "name": name,
            "uid": str(uuid.uuid4()),
            "keyPrefix": "g",
            "createTime": now,
            "updateTime": now,
            "earliestVersionTime": now,
            "versionRetentionPeriod": "3600s",
        }
        return self._saved(database, "CreateDatabaseMetadata")

    async def _list(self, _call: Call) -> JsonObject:
        databases = [database for _, database in self._store.items(_KIND)]
        return {"databases": databases} if databases else {}

    async def _get(self, call: Call) -> JsonObject:
        return self._database(call.params["name"])

    async def _patch(self, call: Call) -> JsonObject:
        current = self._database(call.params["name"])
        _check_etag(current, call.body.get("etag", ""))
        mask = implied_mask(call.body) if call.update_mask is None else call.update_mask
        updated = _DEFAULTS | masked(current, call.body, mask)
        refuse_changes(current, updated, _IMMUTABLE)
        updated["updateTime"] = rfc3339(self._cloud.clock())
        return self._saved(updated, "UpdateDatabaseMetadata")

    async def _delete(self, call: Call) -> JsonObject:
        database = self._database(call.params["name"])
        _check_etag(database, call.query.get("etag", ""))
        if database["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED":
            raise failed_precondition("The database is protected against deletion.")
        self._store.delete(_KIND, database["name"])
        return self._finished(database, "DeleteDatabaseMetadata")

    def _database(self, name: str) -> JsonObject:
        database = self._store.get(_KIND, name)
        if database is None:
            raise not_found(f"Project or database '{name}' does not exist.")
        return database

    def _saved(self, database: JsonObject, metadata: str) -> JsonObject:
        database["etag"] = base64.b64encode(secrets.token_bytes(8)).decode()
        self._store.put(_KIND, database["name"], database)
        return self._finished(database, metadata)

    def _finished(self, database: JsonObject, metadata: str) -> JsonObject:
        return self._cloud.operations.accepted(
            database["name"],
            {"@type": f"{_MESSAGES}.Database", **database},
            metadata={"@type": f"{_MESSAGES}.{metadata}"},
        )


def _check_etag(current: JsonObject, etag: str) -> None:
    if etag and etag != current["etag"]:
        raise failed_precondition("The etag does not match the database's current one.")


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return _Databases(cloud).handlers()
