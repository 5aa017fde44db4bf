"""Methods of the BigQuery API on data: rows, and jobs, which are queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.bigquery.columns import columns_of
from rehearsal.cloud.bigquery.insertion import inserted
from rehearsal.cloud.bigquery.jobs import Jobs
from rehearsal.cloud.bigquery.pages import PageRequest
from rehearsal.cloud.bigquery.rows import Rows
from rehearsal.cloud.bigquery.state import Datasets
from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import ApiError

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_PROJECT: Final = "projects/{project}"
_TABLE: Final = "projects/{project}/datasets/{datasetId}/tables/{tableId}"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "bigquery.tabledata.insertAll": Requirement("bigquery.tables.updateData", _TABLE),
    "bigquery.tabledata.list": Requirement("bigquery.tables.getData", _TABLE),
    "bigquery.jobs.query": Requirement("bigquery.jobs.create", _PROJECT),
    "bigquery.jobs.insert": Requirement("bigquery.jobs.create", _PROJECT),
    # Who may create jobs may see the own ones; those of others need more: see `jobs`.
    "bigquery.jobs.get": Requirement("bigquery.jobs.create", _PROJECT),
    "bigquery.jobs.getQueryResults": Requirement("bigquery.jobs.create", _PROJECT),
    "bigquery.jobs.cancel": Requirement("bigquery.jobs.create", _PROJECT),
    "bigquery.jobs.list": Requirement("bigquery.jobs.create", _PROJECT),
    "bigquery.jobs.delete": Requirement("bigquery.jobs.delete", _PROJECT),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return {**_row_handlers(cloud), **_job_handlers(cloud.part(Jobs))}


def _row_handlers(cloud: LocalCloud) -> dict[str, Handler]:
    datasets, rows = cloud.part(Datasets), cloud.part(Rows)

    async def insert_all(call: Call) -> JsonObject:
        name = _TABLE.format_map(call.params)
        return inserted(rows, name, datasets.table(name), call.body)

    async def in_table(call: Call) -> JsonObject:
        name = _TABLE.format_map(call.params)
        table = datasets.table(name)
        if "view" in table:
            raise ApiError(400, "INVALID_ARGUMENT", "Cannot list a table of type VIEW.")
        page = PageRequest.of(call.query)
        columns = _selected(columns_of(table), call.query.get("selectedFields", ""))
        found = [
            [row.get(column["name"]) for column in columns]
            for row in rows.page(name, page.start, page.limit)
        ]
        listed = {"kind": "bigquery#tableDataList", "etag": table["etag"]}
        return listed | page.answer(columns, found, rows.count(name)[0])

    return {"bigquery.tabledata.insertAll": insert_all, "bigquery.tabledata.list": in_table}


def _selected(columns: list[JsonObject], names: str) -> list[JsonObject]:
    if not names:
        return columns
    wanted = {name.strip().lower() for name in names.split(",")}
    unknown = wanted - {column["name"].lower() for column in columns}
    if unknown:
        told = ", ".join(sorted(unknown))
        raise ApiError(400, "INVALID_ARGUMENT", f"No such field: {told}.", reason="invalid")
    return [column for column in columns if column["name"].lower() in wanted]


def _job_handlers(jobs: Jobs) -> dict[str, Handler]:
    async def get(call: Call) -> JsonObject:
        return jobs.told(call)

    async def results(call: Call) -> JsonObject:
        return jobs.results(call)

    async def cancel(call: Call) -> JsonObject:
        # Every job is done by the time that somebody can name it.
        return {"kind": "bigquery#jobCancelResponse", "job": jobs.told(call)}

    async def in_project(call: Call) -> JsonObject:
        found = jobs.all(call)
        return {"kind": "bigquery#jobList"} | ({"jobs": found} if found else {})

    async def delete(call: Call) -> None:
        jobs.told(call)
        jobs.delete(call.params["jobId"])

    return {
        "bigquery.jobs.query": jobs.query,
        "bigquery.jobs.insert": jobs.insert,
        "bigquery.jobs.get": get,
        "bigquery.jobs.getQueryResults": results,
        "bigquery.jobs.cancel": cancel,
        "bigquery.jobs.list": in_project,
        "bigquery.jobs.delete": delete,
    }
