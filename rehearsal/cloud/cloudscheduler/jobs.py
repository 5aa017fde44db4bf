"""Scheduler jobs: what a job may be, how it is kept, and what became of its last attempt.

When a job is due is `timetable`'s matter.
"""

from __future__ import annotations

import re
import uuid
import zoneinfo
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, JsonObject
from rehearsal.cloud.cloudscheduler.cron import Cron
from rehearsal.cloud.cloudscheduler.retries import RetryPolicy
from rehearsal.cloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from rehearsal.cloud.field_masks import masked
from rehearsal.cloud.pubsub.fields import seconds_of
from rehearsal.cloud.times import rfc3339

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_KIND: Final = "cloudscheduler.jobs"
_TARGETS: Final = ("httpTarget", "pubsubTarget", "appEngineHttpTarget")
_JOB_ID: Final = re.compile(r"[\w-]{1,500}", re.ASCII)
# What a full update keeps: the job's own, not its maker's.
_KEPT: Final[tuple[str, ...]] = ("name", "state", "lastAttemptTime", "status")

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
# From 15 seconds to half an hour.
_DEADLINE_S: Final = (15.0, 1800.0)


class Jobs:
    """All jobs of one local cloud, by name."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def create(self, call: Call) -> JsonObject:
        """Keep a new job, enabled.

        Raises:
            ApiError: 400, 403 or 409.
        """
        parent = f"{call.params['parent']}/jobs/"
        name = self._cloud.canonical(call.body.get("name") or f"{parent}{uuid.uuid4()}")
        if not name.startswith(parent) or not _JOB_ID.fullmatch(name.removeprefix(parent)):
            raise invalid_argument(f"Job name must be formatted: {parent}<JOB_ID>.")
        if self._store.get(_KIND, name) is not None:
            raise already_exists(f"Job [{name}] already exists.")
        return self._settled({**call.body, "name": name, "state": "ENABLED"}, call.principal)

    def patch(self, call: Call) -> JsonObject:
        """Change the masked fields; without a mask the body is the whole job."""
        current = self.get(call.params["name"])
        mask = call.update_mask
        changed = call.body if mask is None else masked(current, call.body, mask)
        kept: JsonObject = {field: current[field] for field in _KEPT if field in current}
        return self._settled({**changed, **kept}, call.principal)

    def get(self, name: str) -> JsonObject:
        """Return a job.

        Raises:
            ApiError: 404.
        """
        job = self.find(name)
        if job is None:
            raise not_found("Job not found.")
        return job

    def find(self, name: str) -> JsonObject | None:
        """Return a job, or None."""
        return self._store.get(_KIND, name)

    def all(self, prefix: str = "") -> list[JsonObject]:
        """All jobs whose names begin with the prefix, by name."""
        return [job for _, job in self._store.items(_KIND, prefix)]

    def delete(self, name: str) -> None:
        """Forget a job."""
        self.get(name)
        self._store.delete(_KIND, name)

    def record(self, name: str, **outputs: object) -> JsonObject:
        """Set fields of a job that are its own to report; None removes."""
        job = self.get(name) | outputs
        kept = {field: value for field, value in job.items() if value is not None}
        self._store.put(_KIND, name, kept)
        return kept

    def _settled(self, job: JsonObject, principal: str) -> JsonObject:
        """Check a job as its maker wants it, and keep it."""
        if sum(target in job for target in _TARGETS) != 1:
            raise invalid_argument("The job must have exactly one target.")
        if "appEngineHttpTarget" in job:
            raise failed_precondition("App Engine targets are not modelled in the local cloud.")
        job.setdefault("timeZone", "Etc/UTC")
        if next_time(job, self._cloud.clock()) is None:
            raise invalid_argument("Schedule or time zone is invalid.")
        RetryPolicy.of(job)
        self._check_target(job, principal)
        if "httpTarget" in job:
            job.setdefault("attemptDeadline", "180s")
        job["userUpdateTime"] = rfc3339(self._cloud.clock())
        self._store.put(_KIND, job["name"], job)
        return job

    def _check_target(self, job: JsonObject, principal: str) -> None:
        http = job.get("httpTarget") or {}
        if http:
            _check_request(job, http)
        published = job.get("pubsubTarget")
        if published is not None and not (published.get("data") or published.get("attributes")):
            raise invalid_argument(
                "Pub/Sub message must contain either non-empty data, or at least one attribute."
            )
        if http and not str(http.get("uri") or "").startswith(("http://", "https://")):
            raise invalid_argument("HttpTarget.uri must be an http or https URL.")
        token = http.get("oidcToken") or http.get("oauthToken") or {}
        if "serviceAccountEmail" in token:
            self._cloud.iam.require_act_as(principal, token["serviceAccountEmail"])


def _check_request(job: JsonObject, http: JsonObject) -> None:
    """Refuse what no HTTP request of a job can have.

    Raises:
        ApiError: 400.
    """
    method = http.get("httpMethod") or "POST"
    if http.get("body") and method not in _WITH_BODY:
        raise invalid_argument(f"HttpTarget.body is not allowed with the HTTP method {method}.")
    deadline_s = seconds_of(job.get("attemptDeadline") or "180s", "attempt_deadline")
    if not _DEADLINE_S[0] <= deadline_s <= _DEADLINE_S[1]:
        raise invalid_argument(
            f"The attempt deadline of an HTTP target must be from {_DEADLINE_S[0]:g} to"
            f" {_DEADLINE_S[1]:g} seconds, not {deadline_s:g}."
        )


def next_time(job: JsonObject, after_s: float) -> float | None:
    """Return when a job is due next, in seconds since the epoch; None for no valid schedule."""
    zone = _zone(job.get("timeZone") or "Etc/UTC")
    if zone is None:
        return None
    try:
        schedule = Cron.parse(job.get("schedule") or "")
    except ValueError:
        return None
    moment = schedule.after(datetime.fromtimestamp(after_s, UTC), zone)
    return None if moment is None else moment.timestamp()


def _zone(name: str) -> tzinfo | None:
    if name in ("UTC", "Etc/UTC"):
        return UTC  # Also where the machine has no time zone database.
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None  # Zones are files; not everything is the name of one.
