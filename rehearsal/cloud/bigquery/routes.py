"""Methods of the BigQuery API: datasets and tables; rows and jobs are `data_routes`'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.bigquery import data_routes
from rehearsal.cloud.bigquery.rows import Rows
from rehearsal.cloud.bigquery.state import Datasets
from rehearsal.cloud.calls import Background, Call, Handler, JsonObject, Requirement
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements
from rehearsal.cloud.list_filters import filtered

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_DATASET: Final = "projects/{project}/datasets/{datasetId}"
_TABLE: Final = f"{_DATASET}/tables/{{tableId}}"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "bigquery.datasets.insert": Requirement("bigquery.datasets.create", "projects/{project}"),
    "bigquery.datasets.list": Requirement("bigquery.datasets.get", "projects/{project}"),
    "bigquery.datasets.get": Requirement("bigquery.datasets.get", _DATASET),
    "bigquery.datasets.patch": Requirement("bigquery.datasets.update", _DATASET),
    "bigquery.datasets.update": Requirement("bigquery.datasets.update", _DATASET),
    "bigquery.datasets.delete": Requirement("bigquery.datasets.delete", _DATASET),
    "bigquery.tables.insert": Requirement("bigquery.tables.create", _DATASET),
    "bigquery.tables.list": Requirement("bigquery.tables.list", _DATASET),
    "bigquery.tables.get": Requirement("bigquery.tables.get", _TABLE),
    "bigquery.tables.patch": Requirement("bigquery.tables.update", _TABLE),
    "bigquery.tables.update": Requirement("bigquery.tables.update", _TABLE),
    "bigquery.tables.delete": Requirement("bigquery.tables.delete", _TABLE),
    **data_routes.REQUIREMENTS,
    **policy_requirements("bigquery.tables", "bigquery.tables"),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    datasets = cloud.part(Datasets)
    return {
        **_dataset_handlers(datasets),
        **_table_handlers(datasets),
        **data_routes.handlers(cloud),
        **policy_handlers(cloud, "bigquery.tables", datasets.table),
    }


def background(cloud: LocalCloud) -> Sequence[Background]:
    """The file of all rows, which is closed with the server."""
    return [cloud.part(Rows)]


def _dataset_handlers(datasets: Datasets) -> dict[str, Handler]:
    async def insert(call: Call) -> JsonObject:
        return datasets.create(call.body, call.principal)

    async def in_project(call: Call) -> JsonObject:
        fields = ("kind", "id", "datasetReference", "labels", "friendlyName", "location")
        found = [_only(dataset, fields) for dataset in datasets.all()]
        found = filtered(found, call.query.get("filter", ""))
        return {"kind": "bigquery#datasetList"} | ({"datasets": found} if found else {})

    async def get(call: Call) -> JsonObject:
        return datasets.get(_DATASET.format_map(call.params))

    async def patch(call: Call) -> JsonObject:
        return datasets.patch(_DATASET.format_map(call.params), call.body)

    async def update(call: Call) -> JsonObject:
        return datasets.update(_DATASET.format_map(call.params), call.body)

    async def delete(call: Call) -> None:
        with_contents = call.query.get("deleteContents") == "true"
        datasets.delete(_DATASET.format_map(call.params), with_contents=with_contents)

    return {
        "bigquery.datasets.insert": insert,
        "bigquery.datasets.list": in_project,
        "bigquery.datasets.get": get,
        "bigquery.datasets.patch": patch,
        "bigquery.datasets.update": update,
        "bigquery.datasets.delete": delete,
    }


def _table_handlers(datasets: Datasets) -> dict[str, Handler]:
    async def insert(call: Call) -> JsonObject:
        return datasets.create_table(_DATASET.format_map(call.params), call.body)

    async def in_dataset(call: Call) -> JsonObject:
        fields = ("kind", "id", "tableReference", "labels", "type", "creationTime")
        tables = datasets.tables(_DATASET.format_map(call.params))
        listed: JsonObject = {"kind": "bigquery#tableList", "totalItems": len(tables)}
        return listed | ({"tables": [_only(table, fields) for table in tables]} if tables else {})

    async def get(call: Call) -> JsonObject:
        return datasets.table(_TABLE.format_map(call.params))

    async def patch(call: Call) -> JsonObject:
        return datasets.patch_table(_TABLE.format_map(call.params), call.body)

    async def update(call: Call) -> JsonObject:
        return datasets.update_table(_TABLE.format_map(call.params), call.body)

    async def delete(call: Call) -> None:
        datasets.delete_table(_TABLE.format_map(call.params))

    return {
        "bigquery.tables.insert": insert,
        "bigquery.tables.list": in_dataset,
        "bigquery.tables.get": get,
        "bigquery.tables.patch": patch,
        "bigquery.tables.update": update,
        "bigquery.tables.delete": delete,
    }


def _only(body: JsonObject, fields: tuple[str, ...]) -> JsonObject:
    return {field: body[field] for field in fields if field in body}
