"""Methods of the Cloud Scheduler API: jobs."""

from __future__ import annotations

import re
import uuid
import zoneinfo
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import already_exists, invalid_argument, not_found
from rehearsal.cloud.field_masks import masked
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "cloudscheduler.projects.locations.jobs"
_TYPE: Final = "cloudscheduler.jobs"
_KIND: Final = "cloudscheduler.jobs"
_CRON_FIELD: Final = r"[\d*/,\-A-Za-z]+"
_SCHEDULE: Final = re.compile(rf"({_CRON_FIELD} ){{4}}{_CRON_FIELD}|(every|\d+(st|nd|rd|th)?) .+")
_TARGETS: Final = ("httpTarget", "pubsubTarget", "appEngineHttpTarget")
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_TYPE}.create", "{parent}"),
    f"{_METHODS}.list": Requirement(f"{_TYPE}.list", "{parent}"),
    f"{_METHODS}.get": Requirement(f"{_TYPE}.get", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_TYPE}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_TYPE}.delete", "{name}"),
    f"{_METHODS}.pause": Requirement(f"{_TYPE}.pause", "{name}"),
    f"{_METHODS}.resume": Requirement(f"{_TYPE}.enable", "{name}"),
}


class _Jobs:
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
            f"{_METHODS}.pause": self._pause,
            f"{_METHODS}.resume": self._resume,
        }

    async def _create(self, call: Call) -> JsonObject:
        parent = f"{call.params['parent']}/jobs/"
        name = self._cloud.canonical(call.body.get("name") or f"{parent}{uuid.uuid4()}")
        if not name.startswith(parent) or "/" in name.removeprefix(parent):
            raise invalid_argument(f"Job name must be formatted: {parent}<JOB_ID>.")
        if self._store.get(_KIND, name) is not None:
            raise already_exists(f"Job [{name}] already exists.")
        return self._saved({**call.body, "name": name, "state": "ENABLED"}, call.principal)

    async def _list(self, call: Call) -> JsonObject:
        jobs = [job for _, job in self._store.items(_KIND, f"{call.params['parent']}/jobs/")]
        return {"jobs": jobs} if jobs else {}

    async def _get(self, call: Call) -> JsonObject:
        return self._job(call.params["name"])

    async def _patch(self, call: Call) -> JsonObject:
        current = self._job(call.params["name"])
        # Without a mask the body is the whole job, as the provider sends it.
        changed = masked(current, call.body, call.update_mask) if call.update_mask else call.body
        kept = {"name": current["name"], "state": current["state"]}
        return self._saved({**changed, **kept}, call.principal)

    async def _delete(self, call: Call) -> JsonObject:
        self._job(call.params["name"])
        self._store.delete(_KIND, call.params["name"])
        return {}

    async def _pause(self, call: Call) -> JsonObject:
        return self._with_state(call.params["name"], "PAUSED")

    async def _resume(self, call: Call) -> JsonObject:
        return self._with_state(call.params["name"], "ENABLED")

    def _job(self, name: str) -> JsonObject:
        job = self._store.get(_KIND, name)
        if job is None:
            raise not_found("Job not found.")
        return job

    def _with_state(self, name: str, state: str) -> JsonObject:
        job = self._job(name) | {"state": state}
        self._store.put(_KIND, name, job)
        return job

    def _saved(self, job: JsonObject, principal: str) -> JsonObject:
        if not _SCHEDULE.fullmatch(job.get("schedule") or ""):
            raise invalid_argument("Schedule or time zone is invalid.")
        if sum(target in job for target in _TARGETS) != 1:
            raise invalid_argument("The job must have exactly one target.")
        if not _is_zone(job.setdefault("timeZone", "Etc/UTC")):
            raise invalid_argument("Schedule or time zone is invalid.")
        http = job.get("httpTarget") or {}
        token = http.get("oidcToken") or http.get("oauthToken") or {}
        if "serviceAccountEmail" in token:
            account = f"{self._cloud.project}/serviceAccounts/{token['serviceAccountEmail']}"
            self._cloud.iam.require(principal, "iam.serviceAccounts.actAs", account)
        if http:
            job.setdefault("attemptDeadline", "180s")
        job["userUpdateTime"] = rfc3339(self._cloud.clock())
        self._store.put(_KIND, job["name"], job)
        return job


def _is_zone(name: str) -> bool:
    if name in ("UTC", "Etc/UTC"):
        return True  # Also where the machine has no time zone database.
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return False
    return True


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    return _Jobs(cloud).handlers()
