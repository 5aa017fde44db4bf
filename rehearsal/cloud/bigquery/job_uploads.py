"""Jobs whose rows come with the request, over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from rehearsal.cloud.bigquery.jobs import Jobs
from rehearsal.cloud.errors import failed_precondition, not_found, unauthenticated
from rehearsal.cloud.faults.injector import Subject
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.multipart import read_multipart

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_PATH: Final = re.compile(r"/bigquery/upload/bigquery/v2/projects/([^/]+)/jobs")
_METHOD: Final = "bigquery.jobs.insert"


class JobUploads:
    """Answers uploads of jobs for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._jobs = cloud.part(Jobs)

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer one request and log it.

        Raises:
            ApiError: whatever it was refused for.
        """
        cloud = self._cloud
        path = request.raw_path.partition("?")[0]
        with cloud.log.call(_METHOD, principal, cloud.project) as entry:
            found = _PATH.fullmatch(path)
            if found is None or request.method != "POST":
                raise not_found(f"No such method: {request.method} {path}")
            async with cloud.faults.around(
                Subject(_METHOD, cloud.project, principal), entry.injected
            ):
                cloud.apis.require("bigquery.googleapis.com", "BigQuery API")
                project = cloud.canonical(f"projects/{found[1]}")
                with entry.decided("bigquery.jobs.create"):
                    if principal == ANONYMOUS:
                        raise unauthenticated()
                    cloud.iam.require(principal, "bigquery.jobs.create", project)
                if (kind := request.query.get("uploadType")) != "multipart":
                    raise failed_precondition(
                        f"not implemented in the local cloud: {_METHOD} with uploadType={kind}"
                    )
                kind = request.headers.get("Content-Type", "")
                body, content = read_multipart(kind, await request.read())
                job = self._jobs.load(principal, body, content)
            entry.answered(200)
            return web.json_response(job)
