"""One attempt of a job: the request to its target, as whom, and what came of it."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import RPC_CODES, ApiError
from rehearsal.cloud.iam.access import ACCOUNTS
from rehearsal.cloud.pubsub.fields import seconds_of
from rehearsal.cloud.pubsub.messages import Draft
from rehearsal.cloud.pubsub.state import broker_of
from rehearsal.cloud.times import rfc3339
from rehearsal.cloud.tokens import LIFETIME_S

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_STATUS_OF_CODE: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_SUCCESSES: Final = range(200, 300)
_MIN_DEADLINE_S: Final = 15.0
_OWN_HEADERS: Final = (
    "content-length",
    "host",
    "user-agent",
    "x-cloudscheduler",
    "x-google-",
)
_LOCAL_NAME: Final = "localhost"


class Attempts:
    """Sends the attempts of one local cloud's jobs."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._service_agent = (
            f"service-{cloud.project_number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com"
        )

    async def send(self, job: JsonObject, due_at: float | None) -> JsonObject:
        """Send one attempt and return the job's new status: empty after a success.

        Args:
            job: The job as it stands.
            due_at: The time on the schedule that asked for it; None for one by hand.
        """
        principal = f"serviceAccount:{_account_of(job) or self._service_agent}"
        try:
            with self._cloud.log.call("cloudscheduler attempt", principal, job["name"]) as entry:
                if "pubsubTarget" in job:
                    self._publish(job["pubsubTarget"])
                    entry.answered(200)
                else:
                    await self._request(job, due_at, entry)
        except ApiError as error:
            return error.to_status()
        return {}

    def _publish(self, target: JsonObject) -> None:
        message = {"data": target.get("data", ""), "attributes": target.get("attributes") or {}}
        topic = self._cloud.canonical(target["topicName"])
        broker_of(self._cloud).publish(topic, [Draft.from_json(message)])

    async def _request(self, job: JsonObject, due_at: float | None, entry: OpenCall) -> None:
        target: JsonObject = job["httpTarget"]
        if not _is_local(target["uri"]):
            raise ApiError(503, "UNAVAILABLE", "The local cloud lets nothing out.")
        headers = self._headers(job, due_at)
        deadline_s = max(_MIN_DEADLINE_S, seconds_of(job["attemptDeadline"], "attempt_deadline"))
        timeout = aiohttp.ClientTimeout(total=deadline_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    target.get("httpMethod") or "POST",
                    target["uri"],
                    data=base64.b64decode(target.get("body") or ""),
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                await answer.read()
        except TimeoutError as error:
            raise ApiError(504, "DEADLINE_EXCEEDED", "URL_TIMEOUT") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(503, "UNAVAILABLE", f"URL_UNREACHABLE: {error}") from error
        entry.answered(answer.status)
        if answer.status not in _SUCCESSES:
            raise _refusal(answer.status)

    def _headers(self, job: JsonObject, due_at: float | None) -> dict[str, str]:
        target: JsonObject = job["httpTarget"]
        headers: dict[str, str] = {
            **({"Content-Type": "application/octet-stream"} if target.get("body") else {}),
            **{
                name: value
                for name, value in (target.get("headers") or {}).items()
                if not name.lower().startswith(_OWN_HEADERS)
            },
            # These are the scheduler's own, whatever the job says.
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": job["name"].rpartition("/")[2],
        }
        if due_at is not None:
            headers["X-CloudScheduler-ScheduleTime"] = rfc3339(due_at)
        if (token := self._token(target)) is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _token(self, target: JsonObject) -> str | None:
        """Return the token of the job's account; None for a job without one.

        Raises:
            ApiError: 401; the account is gone or disabled.
        """
        oidc, oauth = target.get("oidcToken"), target.get("oauthToken")
        email = (oidc or oauth or {}).get("serviceAccountEmail")
        if not email:
            return None
        account = self._cloud.store.get(ACCOUNTS, f"{self._cloud.project}/serviceAccounts/{email}")
        if account is None or account.get("disabled"):
            raise ApiError(401, "UNAUTHENTICATED", f"No token for the service account {email}.")
        if oidc is not None:
            audience = oidc.get("audience") or target["uri"]
            return self._cloud.tokens.identity_token(email, audience)
        return self._cloud.tokens.access_token(f"serviceAccount:{email}", lifetime_s=LIFETIME_S)


def _account_of(job: JsonObject) -> str:
    target = job.get("httpTarget") or {}
    token = target.get("oidcToken") or target.get("oauthToken") or {}
    return str(token.get("serviceAccountEmail") or "")


def _is_local(uri: str) -> bool:
    host = urlsplit(uri).hostname or ""
    try:
        return host == _LOCAL_NAME or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(code: int) -> ApiError:
    status = _STATUS_OF_CODE.get(code, "UNKNOWN")
    assert status in RPC_CODES
    return ApiError(code, status, f"URL_ERROR. Original HTTP response code number = {code}")
