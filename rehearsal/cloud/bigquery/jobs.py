"""Jobs: queries and loads that were asked for, and what became of each."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.bigquery.loading import Loaded, Loads
from rehearsal.cloud.bigquery.pages import PageRequest
from rehearsal.cloud.bigquery.queries import Outcome, Queries
from rehearsal.cloud.bigquery.rows import Rows
from rehearsal.cloud.calls import Call, JsonObject
from rehearsal.cloud.errors import ApiError, failed_precondition, invalid_argument, not_found

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_JOBS: Final = "bigquery.jobs"
_REQUESTS: Final = "bigquery.requests"
_API: Final = "https://bigquery.googleapis.com/bigquery/v2"
_JOB_ID: Final = re.compile(r"[\w-]{1,1024}", re.ASCII)
# Of a `jobs.query` these are the query's configuration.
_CONFIGURATION: Final = (
    "query",
    "useLegacySql",
    "defaultDataset",
    "queryParameters",
    "parameterMode",
    "useQueryCache",
    "maximumBytesBilled",
)
# What a list tells of each job.
_LISTED: Final = (
    "kind",
    "id",
    "jobReference",
    "configuration",
    "statistics",
    "status",
    "user_email",
)
# A request with an id is answered once only, for this long.
_REMEMBERED_S: Final = 900.0


class Jobs:
    """All jobs of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._queries = cloud.part(Queries)
        self._loads = cloud.part(Loads)
        self._rows = cloud.part(Rows)

    async def query(self, call: Call) -> JsonObject:
        """Run a query and answer with its first rows.

        Raises:
            ApiError: 400, 403 or 404, whatever became of it.
        """
        limit = call.body.get("maxResults")
        page = PageRequest.of(
            {} if limit is None else {"maxResults": str(limit)}, call.body.get("formatOptions")
        )
        request = self._store.get(_REQUESTS, str(call.body.get("requestId") or "")) or {}
        if request and self._cloud.clock() - request["at"] < _REMEMBERED_S:
            job = self.get(call.principal, request["job"])
        else:
            config = {field: call.body[field] for field in _CONFIGURATION if field in call.body}
            is_dry = bool(call.body.get("dryRun"))
            configuration = {"query": config, "jobType": "QUERY", "dryRun": is_dry}
            reference = {"location": call.body.get("location")}
            job = await self._run(call.principal, reference, configuration)
            if error := job["status"].get("errorResult"):
                raise _raised(error)
            if call.body.get("requestId") and not is_dry:
                known = {"job": job["jobReference"]["jobId"], "at": self._cloud.clock()}
                self._store.put(_REQUESTS, call.body["requestId"], known)
        return {"kind": "bigquery#queryResponse"} | self._results(job, page)

    async def insert(self, call: Call) -> JsonObject:
        """Run a job and return it done, with its error where it failed.

        Raises:
            ApiError: 400 for a job of another kind, 409 where there is one of its id.
        """
        configuration: JsonObject = call.body.get("configuration") or {}
        if "query" not in configuration:
            kinds = ", ".join(sorted({"load", "copy", "extract"} & configuration.keys()))
            if kinds:
                raise failed_precondition(f"not implemented in the local cloud: {kinds} jobs")
            raise invalid_argument("Job configuration must contain exactly one job-specific part.")
        reference = self._new_reference(call.body)
        job = await self._run(call.principal, reference, configuration | {"jobType": "QUERY"})
        return _told(job)

    def load(self, principal: str, body: JsonObject, content: bytes) -> JsonObject:
        """Load rows that came with the request and return the job, done.

        Raises:
            ApiError: 400 for a job of another kind, 409 where there is one of its id.
        """
        configuration: JsonObject = body.get("configuration") or {}
        if "load" not in configuration:
            raise invalid_argument("Job configuration must contain a load part.")
        reference = self._new_reference(body)
        began_at = self._cloud.clock()
        loaded, error = Loaded(0, 0), None
        try:
            loaded = self._loads.run(principal, configuration["load"], content)
        except ApiError as problem:
            error = problem
        statistics: JsonObject = {
            "load": {
                "inputFiles": "1",
                "inputFileBytes": str(len(content)),
                "outputRows": str(loaded.rows),
                "outputBytes": str(loaded.size),
                "badRecords": "0",
            }
        }
        job = self._job(principal, reference, configuration | {"jobType": "LOAD"}, error)
        job["statistics"] = self._times(began_at) | statistics
        self._store.put(_JOBS, job["jobReference"]["jobId"], job)
        return _told(job)

    def get(self, principal: str, job_id: str) -> JsonObject:
        """Return a job; those of others need a permission more.

        Raises:
            ApiError: 403, 404.
        """
        job = self._store.get(_JOBS, job_id)
        if job is None:
            raise not_found(f"Not found: Job {self._cloud.project_id}:{job_id}")
        if job["principal"] != principal:
            self._cloud.iam.require(principal, "bigquery.jobs.get", self._cloud.project)
        return job

    def all(self, call: Call) -> list[JsonObject]:
        """The caller's jobs, or everybody's, the latest first."""
        is_all = call.query.get("allUsers") == "true"
        if is_all:
            self._cloud.iam.require(call.principal, "bigquery.jobs.listAll", self._cloud.project)
        states = call.query.get("stateFilter", "done").lower().split(",")
        jobs: list[JsonObject] = [
            {field: job[field] for field in _LISTED if field in job} | {"state": "DONE"}
            for _, job in self._store.items(_JOBS)
            if is_all or job["principal"] == call.principal
        ]
        jobs.sort(key=lambda job: int(job["statistics"]["creationTime"]), reverse=True)
        return jobs if "done" in states else []

    def results(self, call: Call) -> JsonObject:
        """Return rows that a job's query found.

        Raises:
            ApiError: 403, 404; or what the job failed with.
        """
        job = self.get(call.principal, call.params["jobId"])
        if error := job["status"].get("errorResult"):
            raise _raised(error)
        answer = self._results(job, PageRequest.of(call.query))
        return {"kind": "bigquery#getQueryResultsResponse", "etag": job["etag"]} | answer

    def told(self, call: Call) -> JsonObject:
        """Return a job as its answers show it."""
        return _told(self.get(call.principal, call.params["jobId"]))

    def delete(self, job_id: str) -> None:
        """Forget a job."""
        self._store.delete(_JOBS, job_id)

    def _new_reference(self, body: JsonObject) -> JsonObject:
        reference: JsonObject = body.get("jobReference") or {}
        job_id = reference.get("jobId")
        if job_id is not None and not _JOB_ID.fullmatch(str(job_id)):
            raise invalid_argument(f'Invalid job ID "{job_id}".')
        if job_id is not None and self._store.get(_JOBS, str(job_id)) is not None:
            raise ApiError(
                409,
                "ALREADY_EXISTS",
                f"Already Exists: Job {self._cloud.project_id}:{job_id}",
                reason="duplicate",
            )
        return reference

    async def _run(
        self, principal: str, reference: JsonObject, configuration: JsonObject
    ) -> JsonObject:
        began_at = self._cloud.clock()
        is_dry = bool(configuration.get("dryRun"))
        outcome, error = Outcome("", (), (), None, ()), None
        try:
            outcome = await self._queries.run(principal, configuration["query"], is_dry=is_dry)
        except ApiError as problem:
            if is_dry:
                raise
            error = problem
        location = self._location(reference, outcome.tables)
        job = self._job(principal, reference | {"location": location}, configuration, error)
        job["statistics"] = self._times(began_at) | self._statistics(outcome)
        if not is_dry:
            # The rows first: a job that is told of has its result.
            result = {"columns": list(outcome.columns), "rows": [list(row) for row in outcome.rows]}
            self._rows.keep_result(job["jobReference"]["jobId"], result)
            self._store.put(_JOBS, job["jobReference"]["jobId"], job)
        return job

    def _job(
        self,
        principal: str,
        reference: JsonObject,
        configuration: JsonObject,
        error: ApiError | None,
    ) -> JsonObject:
        """A job that is done, without its statistics."""
        job_id = str(reference.get("jobId") or f"job_{uuid.uuid4()}")
        location = str(reference.get("location") or "US")
        status: JsonObject = {"state": "DONE"}
        if error is not None:
            told = {"reason": error.reason, "message": error.message}
            told |= {"location": "query"} if error.reason == "invalidQuery" else {}
            status |= {"errorResult": told, "errors": [told]}
        return {
            "kind": "bigquery#job",
            "etag": uuid.uuid4().hex[:22],
            "id": f"{self._cloud.project_id}:{location}.{job_id}",
            "selfLink": f"{_API}/{self._cloud.project}/jobs/{job_id}?location={location}",
            "user_email": principal.partition(":")[2],
            "principal": principal,
            "configuration": configuration,
            "jobReference": {
                "projectId": self._cloud.project_id,
                "jobId": job_id,
                "location": location,
            },
            "status": status,
        }

    def _times(self, began_at: float) -> JsonObject:
        began, ended = (str(int(at * 1000)) for at in (began_at, self._cloud.clock()))
        return {"creationTime": began, "startTime": began, "endTime": ended}

    def _location(self, reference: JsonObject, tables: Sequence[str]) -> str:
        if reference.get("location"):
            return str(reference["location"])
        found = self._store.get("bigquery.tables", tables[0]) if tables else None
        return str((found or {}).get("location") or "US")

    def _statistics(self, outcome: Outcome) -> JsonObject:
        size = str(sum(self._rows.count(table)[1] for table in outcome.tables))
        query: JsonObject = {
            "statementType": outcome.kind,
            "totalBytesProcessed": size,
            "totalBytesBilled": "0",
            "cacheHit": False,
            "referencedTables": [
                dict(zip(("projectId", "datasetId", "tableId"), name.split("/")[1::2], strict=True))
                for name in outcome.tables
            ],
        }
        if outcome.columns:
            query["schema"] = {"fields": list(outcome.columns)}
        if outcome.changed is not None:
            word = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}[outcome.kind]
            query["numDmlAffectedRows"] = str(outcome.changed)
            query["dmlStats"] = {f"{word}RowCount": str(outcome.changed)}
        return {"totalBytesProcessed": size, "query": query}

    def _results(self, job: JsonObject, page: PageRequest) -> JsonObject:
        query = job["statistics"].get("query")
        if query is None:
            raise invalid_argument("Cannot read query results of a job that is no query.")
        result = self._rows.result(job["jobReference"]["jobId"])
        columns, rows = result.get("columns") or [], result.get("rows") or []
        answer: JsonObject = {
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "cacheHit": False,
            "totalBytesProcessed": query["totalBytesProcessed"],
            "schema": query.get("schema") or {"fields": []},
        }
        for field in ("numDmlAffectedRows", "dmlStats"):
            if field in query:
                answer[field] = query[field]
        if query["statementType"] != "SELECT":
            return answer
        return answer | page.answer(columns, rows[page.start : page.start + page.limit], len(rows))


def _raised(error: JsonObject) -> ApiError:
    """What a failed job's error is to who asks for its result."""
    code, status = {
        "accessDenied": (403, "PERMISSION_DENIED"),
        "notFound": (404, "NOT_FOUND"),
    }.get(error["reason"], (400, "INVALID_ARGUMENT"))
    return ApiError(code, status, error["message"], reason=error["reason"])


def _told(job: JsonObject) -> JsonObject:
    return {field: value for field, value in job.items() if field != "principal"}
