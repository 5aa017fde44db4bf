"""Cloud Scheduler jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rehearsal.engine.provider import CheckFailure, Properties, Value
from rehearsal.providers.gcp.resource import DELETION_POLICY, PROJECT, Cloud
from rehearsal.providers.gcp.rest_resource import RestResource
from rehearsal.providers.gcp.settings import Api
from rehearsal.providers.limits import (
    base64_problem,
    from_to,
    lasting,
    matching,
    one_of,
    same_duration,
    same_without,
)
from rehearsal.providers.properties import JsonObject
from rehearsal.providers.rest import Call
from rehearsal.providers.schema import block, flag, number, text, text_map

_NAME: Final = re.compile(r"^[A-Za-z0-9_-]{1,500}$")
_METHODS: Final = ("POST", "GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")
_HALF_AN_HOUR_S: Final = 1800
_any_duration: Final = lasting(0, float("inf"))
_uri_problem: Final = matching(r"https?://\S+", "it must start with http:// or https://")
# Besides unix-cron's five fields there are App Engine's sentences, which Google reads.
_schedule_problem: Final = matching(
    r"\s*[0-9A-Za-z*/,-]+(\s+[0-9A-Za-z*/,-]+){4}\s*|every .+|.+ of .+",
    "a schedule has five fields of unix-cron, like '*/5 * * * *'",
)
_TARGETS: Final = ("httpTarget", "pubsubTarget")


def _name_problem(value: Value) -> str | None:
    if isinstance(value, str) and _NAME.match(value):
        return None
    return f"is {value!r}; a job name has at most 500 letters, digits, '-' and '_'"


class Job(RestResource):
    """A scheduled job."""

    token = "gcp:cloudscheduler/job:Job"  # noqa: S105 - a resource type, no secret.
    label = "Job"
    api = Api.CLOUD_SCHEDULER
    id_template = "projects/{project}/locations/{region}/jobs/{name}"
    place = "region"
    is_named = True
    fields = (
        text("name", "").required().force_new().checked(_name_problem),
        text("region", "").computed().force_new(),
        PROJECT,
        DELETION_POLICY,
        text("schedule").checked(_schedule_problem),
        text("timeZone").defaulting("Etc/UTC"),
        text("description"),
        text("attemptDeadline")
        .recorded_as("180s")
        .checked(lasting(15, _HALF_AN_HOUR_S))
        .same(same_duration),
        flag("paused", "").computed(),
        block(
            "retryConfig",
            number("retryCount").computed().checked(from_to(0, 5)),
            text("maxRetryDuration").computed().checked(_any_duration).same(same_duration),
            text("minBackoffDuration").computed().checked(_any_duration).same(same_duration),
            text("maxBackoffDuration").computed().checked(_any_duration).same(same_duration),
            number("maxDoublings").computed().checked(from_to(0, 16)),
        ),
        block(
            "httpTarget",
            text("uri").required().checked(_uri_problem).same(same_without("/")),
            text("httpMethod").computed().checked(one_of(*_METHODS)),
            text("body").checked(base64_problem),
            text_map("headers").computed(),
            block("oidcToken", text("serviceAccountEmail").required(), text("audience").computed()),
            block("oauthToken", text("serviceAccountEmail").required(), text("scope").computed()),
        ),
        block(
            "pubsubTarget",
            text("topicName").required(),
            text("data").checked(base64_problem),
            text_map("attributes"),
        ),
        block("appEngineHttpTarget"),
        text("state").output(),
    )

    def problems(self, inputs: Properties) -> tuple[CheckFailure, ...]:
        """Ask for exactly one target."""
        given = [name for name in _TARGETS if inputs.get(name) is not None]
        if len(given) == 1:
            return ()
        return (CheckFailure(f"exactly one of {' and '.join(_TARGETS)} must be set"),)

    def body(self, values: Properties, state: Mapping[str, Value] | None) -> JsonObject:
        """Return the whole job with its name: a patch without a mask replaces all of it."""
        return {"name": self.known_id(values), **super().body(values, state)}

    def derive(
        self, outputs: Properties, body: JsonObject, prior: Mapping[str, Value]
    ) -> Properties:
        """Return whether the job is paused."""
        del outputs, prior
        return {"paused": body.get("state") == "PAUSED"}

    def creation(
        self, cloud: Cloud, resource_id: str, values: Properties, body: JsonObject
    ) -> Call:
        """Return the call that makes the job."""
        del values
        return Call("POST", self.base_url(cloud) + resource_id.rpartition("/")[0], body=body)

    def change(
        self, cloud: Cloud, resource_id: str, body: JsonObject, mask: tuple[str, ...]
    ) -> Call:
        """Return the call that replaces the job's settings."""
        del mask
        return Call("PATCH", self.url(cloud, resource_id), body=body)

    async def settle(self, cloud: Cloud, resource_id: str, values: Properties) -> None:
        """Pause or resume the job."""
        verb = "pause" if values.get("paused") is True else "resume"
        await cloud.rest.send(Call("POST", f"{self.url(cloud, resource_id)}:{verb}", body={}))

    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Change the job, and pause or resume it where that changed."""
        wanted = values.get("paused")
        if wanted is not None and wanted != old_outputs.get("paused"):
            await self.settle(cloud, resource_id, values)
        return await super().update(cloud, resource_id, old_outputs, values, timeout_s)
