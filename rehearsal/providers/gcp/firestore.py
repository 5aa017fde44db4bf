"""Firestore databases."""

from __future__ import annotations

import re
from typing import Final

from rehearsal.engine.provider import Properties, Value
from rehearsal.providers.gcp.resource import PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import one_of
from rehearsal.providers.properties import JsonObject
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import block, text, text_map

_NAME: Final = re.compile(r"^(\(default\)|[a-z](?:[a-z0-9-]{2,61}[a-z0-9]))$")


def _name_problem(value: Value) -> str | None:
    if isinstance(value, str) and _NAME.match(value):
        return None
    return (
        f"is {value!r}; a database is called (default), or 4 to 63 lowercase letters, digits and "
        "dashes, starting with a letter and not ending with a dash"
    )


class Database(RestResource):
    """A database. Unless its deletion policy says DELETE, it outlives its resource."""

    token = "gcp:firestore/database:Database"  # noqa: S105 - a resource type, no secret.
    label = "Database"
    api = Api.FIRESTORE
    id_template = "projects/{project}/databases/{name}"
    is_named = True
    is_long_running = True
    fields = (
        text("name", "").required().force_new().checked(_name_problem),
        PROJECT,
        text("deletionPolicy", "")
        .defaulting("ABANDON")
        .checked(one_of("ABANDON", "DELETE", "PREVENT")),
        text("locationId").required().force_new(),
        text("type").required().checked(one_of("FIRESTORE_NATIVE", "DATASTORE_MODE")),
        text("pointInTimeRecoveryEnablement")
        .defaulting("POINT_IN_TIME_RECOVERY_DISABLED")
        .checked(one_of("POINT_IN_TIME_RECOVERY_ENABLED", "POINT_IN_TIME_RECOVERY_DISABLED")),
        text("deleteProtectionState")
        .computed()
        .checked(
            one_of(
                "DELETE_PROTECTION_STATE_UNSPECIFIED",
                "DELETE_PROTECTION_ENABLED",
                "DELETE_PROTECTION_DISABLED",
            )
        ),
        text("concurrencyMode")
        .computed()
        .checked(one_of("OPTIMISTIC", "PESSIMISTIC", "OPTIMISTIC_WITH_ENTITY_GROUPS")),
        text("appEngineIntegrationMode").computed().checked(one_of("ENABLED", "DISABLED")),
        text("databaseEdition").computed().force_new().checked(one_of("STANDARD", "ENTERPRISE")),
        text("firestoreDataAccessMode")
        .computed()
        .force_new()
        .checked(one_of("DATA_ACCESS_MODE_ENABLED", "DATA_ACCESS_MODE_DISABLED")),
        text("mongodbCompatibleDataAccessMode")
        .computed()
        .force_new()
        .checked(one_of("DATA_ACCESS_MODE_ENABLED", "DATA_ACCESS_MODE_DISABLED")),
        text("realtimeUpdatesMode")
        .computed()
        .force_new()
        .checked(one_of("REALTIME_UPDATES_MODE_ENABLED", "REALTIME_UPDATES_MODE_DISABLED")),
        block("cmekConfig", text("kmsKeyName").required().force_new()).force_new(),
        text_map("tags", "").force_new(),
        text("createTime").output(),
        text("updateTime").volatile(),
        text("earliestVersionTime").volatile(),
        text("versionRetentionPeriod").volatile(),
        text("etag").volatile(),
        text("keyPrefix").output(),
        text("uid").output(),
    )

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the database."""
        parent = resource_id.rpartition("/")[0]
        query = {"databaseId": known_text(values, "name")}
        return Call("POST", self.base_url(cloud) + parent, query, {"name": resource_id, **body})
