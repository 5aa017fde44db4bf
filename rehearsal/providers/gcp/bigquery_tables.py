"""BigQuery tables and views. Their API replaces the whole document on a change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import Properties, ProviderError, Value
from rehearsal.providers.gcp.bigquery_schemas import (
    column_names,
    needs_new_table,
    parsed_schema,
    same_schema,
    schema_problem,
)
from rehearsal.providers.gcp.labels import LABELS
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api, Settings
from rehearsal.providers.limits import one_of
from rehearsal.providers.properties import (
    JsonObject,
    items,
    json_items,
    json_object,
    optional_text,
)
from rehearsal.providers.properties import text as known_text
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import (
    block,
    flag,
    number,
    text,
    text_map,
    texts,
)

_TABLE_ID: Final = re.compile(r"^[\w\- ]{1,1024}$")


def _table_id_problem(value: Value) -> str | None:
    if isinstance(value, str) and _TABLE_ID.match(value):
        return None
    return f"is {value!r}; a table id has at most 1024 letters, digits, '_', '-' and spaces"


def _clustering_problem(value: Value) -> str | None:
    """Say what is wrong with clustering: there are one to four columns."""
    most = 4
    return None if len(items(value)) <= most else f"names more than {most} columns"


class Table(RestResource):
    """A table or view."""

    token = "gcp:bigquery/table:Table"  # noqa: S105 - a resource type, no secret.
    label = "Table"
    api = Api.BIGQUERY
    id_template = "projects/{project}/datasets/{datasetId}/tables/{tableId}"
    fields = (
        text("tableId", "").required().force_new().checked(_table_id_problem),
        text("datasetId", "").required().force_new(),
        PROJECT,
        DELETION_POLICY,
        flag("deletionProtection", "").defaulting(value=True),
        LABELS,
        text("schema")
        .computed()
        .checked(schema_problem)
        .same(same_schema)
        .replaced_when(needs_new_table),
        text("description"),
        text("friendlyName"),
        number("expirationTime").computed(),
        block(
            "timePartitioning",
            text("type").required().checked(one_of("DAY", "HOUR", "MONTH", "YEAR")),
            text("field").force_new(),
            number("expirationMs").computed(),
            flag("requirePartitionFilter"),
        ),
        block(
            "rangePartitioning",
            text("field").required().force_new(),
            block(
                "range",
                number("start").required(),
                number("end").required(),
                number("interval").required(),
            ).required(),
        ),
        texts("clusterings", "clustering").checked(_clustering_problem),
        block("view", text("query").required(), flag("useLegacySql").computed()),
        block(
            "materializedView",
            text("query").required().force_new(),
            flag("enableRefresh").defaulting(value=True),
            number("refreshIntervalMs").defaulting(1_800_000),
            flag("allowNonIncrementalDefinition").force_new(),
        ),
        block("encryptionConfiguration", text("kmsKeyName").required()).force_new(),
        flag("requirePartitionFilter"),
        text("maxStaleness"),
        text_map("resourceTags"),
        # What these say, the local cloud does not model.
        *(
            block(name, api="").output()
            for name in (
                "biglakeConfiguration",
                "externalCatalogTableOptions",
                "externalDataConfiguration",
                "schemaForeignTypeInfo",
                "tableConstraints",
                "tableReplicationInfo",
            )
        ),
        number("creationTime").output(),
        number("lastModifiedTime").volatile(),
        text("etag").volatile(),
        text("location").output(),
        number("numBytes").volatile(),
        number("numLongTermBytes").volatile(),
        number("numRows").volatile(),
        text("selfLink").output(),
        text("type").output(),
    )

    def values(self, inputs: Mapping[str, Value], settings: Settings) -> Properties:
        """Return the inputs with the dataset's plain id."""
        values = super().values(inputs, settings)
        dataset = values.get("datasetId")
        if isinstance(dataset, str):
            values["datasetId"] = dataset.rpartition("/")[2]
        return values

    def expanded(self, body: JsonObject) -> JsonObject:
        """Put the columns and the clustering into objects."""
        nested = dict(body)
        if "schema" in nested:
            nested["schema"] = {"fields": parsed_schema(optional_text(nested, "schema"))}
        if "clustering" in nested:
            nested["clustering"] = {"fields": nested["clustering"]}
        return nested

    def flattened(self, body: JsonObject) -> JsonObject:
        """Undo the nesting; the columns become text."""
        columns = json_object(body.get("schema")).get("fields")
        schema = json.dumps(columns, sort_keys=True) if columns else None
        clustering = json_object(body.get("clustering")).get("fields")
        return {**body, "schema": schema, "clustering": clustering}

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the whole table."""
        reference: JsonObject = {
            "projectId": known_text(values, "project"),
            "datasetId": known_text(values, "datasetId"),
            "tableId": known_text(values, "tableId"),
        }
        return {"tableReference": reference, **super().body(values, state)}

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return the schema as the program spells it while it means the same."""
        del body
        given, live = prior.get("schema"), outputs.get("schema")
        return {"schema": given if same_schema(live, given) else live}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the table."""
        del values
        return Call("POST", self.base_url(cloud) + resource_id.rpartition("/")[0], body=body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that replaces the table."""
        del mask
        return Call("PUT", self.url(cloud, resource_id), body=body)

    async def _patch(
        self,
        cloud: Cloud,
        resource_id: str,
        values: Properties,
        *,
        old_outputs: Properties,
        mask: tuple[str, ...],
        timeout_s: float,
    ) -> None:
        """Drop the columns that go, which the table's update cannot; then update it."""
        if "schema" in mask:
            await self._drop_columns(cloud, resource_id, column_names(values.get("schema")))
        await super()._patch(
            cloud,
            resource_id,
            values,
            old_outputs=old_outputs,
            mask=mask,
            timeout_s=timeout_s,
        )

    async def _drop_columns(self, cloud: Cloud, resource_id: str, kept: list[str]) -> None:
        live = await cloud.rest.get(self.url(cloud, resource_id)) or {}
        columns = json_items(json_object(live.get("schema")).get("fields"))
        names = [optional_text(json_object(column), "name") for column in columns]
        gone = [name for name in names if name not in kept]
        if not gone:
            return
        _, project, _, dataset, _, table = resource_id.split("/")
        dropped = ", ".join(f"DROP COLUMN {name}" for name in gone)
        body: JsonObject = {
            "query": f"ALTER TABLE `{project}.{dataset}.{table}` {dropped}",
            "useLegacySql": False,
        }
        await cloud.rest.send(
            Call("POST", f"{self.base_url(cloud)}projects/{project}/queries", body=body)
        )

    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the table unless it is protected."""
        if outputs.get("deletionProtection") is not False:
            table_id = outputs.get("tableId")
            raise ProviderError(
                f"cannot destroy table {table_id} without setting deletion_protection=false "
                "and running `pulumi up`"
            )
        await super().delete(cloud, resource_id, outputs, timeout_s)
