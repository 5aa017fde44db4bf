"""Calls to Google's REST APIs: authorisation, errors, retries, long-running operations.

Which calls make a resource is the business of the resource types.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

import aiohttp

from rehearsal.engine.provider import ProviderError
from rehearsal.providers.properties import JsonObject, items, json_object, mapping, optional_text

_RETRIED_CODES: Final = frozenset({429, 500, 502, 503, 504})
_ABSENT: Final = 404
_CONFLICT: Final = 409


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to keep trying, in seconds."""

    transient_s: float = 60.0
    """For 429, 5xx and broken connections."""
    refused_s: float = 10.0
    """For connections that nobody takes: a local cloud that starts again is back sooner."""
    settling_s: float = 90.0
    """For what lags behind a success: an API just enabled, an account just made."""
    operation_s: float = 1200.0
    """For a long-running operation, unless the caller says otherwise."""
    first_delay_s: float = 0.05
    last_delay_s: float = 2.0
    first_poll_s: float = 0.02
    last_poll_s: float = 1.0


class ApiCallError(ProviderError):
    """The API refused a call.

    Attributes:
        code: The HTTP status.
        status: Google's name of it, such as `ABORTED`.
        message: Google's text.
        is_after_lost_reply: An earlier attempt of the same call may have taken effect.
    """

    def __init__(
        self, code: int, status: str, message: str, *, reason: str = "", is_after_lost_reply: bool
    ) -> None:
        super().__init__(f"googleapi: Error {code}: {message}" + (f", {reason}" if reason else ""))
        self.code = code
        self.status = status
        self.message = message
        self.is_after_lost_reply = is_after_lost_reply


class UnansweredError(ProviderError):
    """The API could not be reached.

    Attributes:
        is_after_lost_reply: An earlier attempt of the same call may have taken effect.
    """

    def __init__(self, message: str, *, is_after_lost_reply: bool) -> None:
        super().__init__(message)
        self.is_after_lost_reply = is_after_lost_reply


class OperationFailedError(ProviderError):
    """A long-running operation ended with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"Error code {code}, message: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Call:
    """One request: method, absolute URL without query, query and JSON body."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject | None = None


@dataclass(slots=True)
class _Sendings:
    """How often one request went out: the client repeats idempotent ones by itself."""

    count: int = 0


def _trace_sendings() -> aiohttp.TraceConfig:
    async def note(
        _session: aiohttp.ClientSession,
        context: SimpleNamespace,
        _params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        if isinstance(sendings := context.trace_request_ctx, _Sendings):
            sendings.count += 1

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    return config


class Backoff:
    """Delays that double, with jitter, until a budget is used up."""

    def __init__(self, first_s: float, last_s: float, budget_s: float) -> None:
        self._delay_s = first_s
        self._last_s = last_s
        self._ends_at_s = time.monotonic() + budget_s

    async def pause(self) -> bool:
        """Wait a little longer than last time; False when the budget does not allow it."""
        delay_s = self._delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries only.
        if time.monotonic() + delay_s > self._ends_at_s:
            return False
        await asyncio.sleep(delay_s)
        self._delay_s = min(self._delay_s * 2, self._last_s)
        return True


class RestClient:
    """Sends JSON requests with a bearer token, again where that can help."""

    def __init__(self, token: str, patience: Patience | None = None) -> None:
        self._token = token
        self.patience = patience or Patience()
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def backoff(self, budget_s: float) -> Backoff:
        """Return fresh delays for a loop of the caller's own."""
        return Backoff(self.patience.first_delay_s, self.patience.last_delay_s, budget_s)

    async def send(self, call: Call) -> JsonObject:
        """Send a call and return the JSON of its answer.

        Raises:
            ApiCallError: the API refused it, and trying again did not or would not help.
            UnansweredError: the API could not be reached.
        """
        transient = self.backoff(self.patience.transient_s)
        settling = self.backoff(self.patience.settling_s)
        refused = self.backoff(self.patience.refused_s)
        is_after_lost_reply = False
        while True:
            try:
                return await self._send_once(call, is_after_lost_reply=is_after_lost_reply)
            except ApiCallError as error:
                pauses = transient if error.code in _RETRIED_CODES else settling
                if not _is_retried(error) or not await pauses.pause():
                    raise
                is_after_lost_reply |= error.code >= 500  # noqa: PLR2004 - HTTP's server errors.
            except (aiohttp.ClientError, TimeoutError) as error:
                is_refused = isinstance(error, aiohttp.ClientConnectorError)
                # A refused connection carried nothing; any other may have.
                is_after_lost_reply |= not is_refused
                if not await (refused if is_refused else transient).pause():
                    raise UnansweredError(
                        f"{call.method} {call.url} failed: {error}",
                        is_after_lost_reply=is_after_lost_reply,
                    ) from error

    async def get(self, url: str, query: Mapping[str, str] | None = None) -> JsonObject | None:
        """Get a resource; None when it does not exist."""
        try:
            return await self.send(Call("GET", url, query or {}))
        except ApiCallError as error:
            if error.code == _ABSENT:
                return None
            raise

    async def _send_once(self, call: Call, *, is_after_lost_reply: bool) -> JsonObject:
        if not self._token:
            raise ProviderError(
                "there is no access token: set GOOGLE_OAUTH_ACCESS_TOKEN in the environment"
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=300), trace_configs=[_trace_sendings()]
            )
        sendings = _Sendings()
        async with self._session.request(
            call.method,
            call.url,
            params={"alt": "json", **call.query},
            json=call.body,
            headers={"Authorization": f"Bearer {self._token}"},
            trace_request_ctx=sendings,
            # A redirect could lead away from this machine, with the token.
            allow_redirects=False,
        ) as response:
            raw = await response.text()
        if response.status >= 300:  # noqa: PLR2004 - HTTP's first code that is no success.
            is_after_lost_reply |= sendings.count > 1
            raise _refusal(response.status, raw, is_after_lost_reply=is_after_lost_reply)
        return _json_object(raw)

    async def wait(self, operation: JsonObject, base_url: str, timeout_s: float = 0) -> JsonObject:
        """Poll a long-running operation until it is done, and return its response.

        Raises:
            OperationFailedError: it ended with an error.
            ProviderError: it did not end in time.
        """
        budget_s = timeout_s or self.patience.operation_s
        ends_at_s = time.monotonic() + budget_s
        delay_s = self.patience.first_poll_s
        while not operation.get("done"):
            if time.monotonic() > ends_at_s:
                raise ProviderError(
                    f"operation {operation.get('name')} was not done after {budget_s:g} s"
                )
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 1.6, self.patience.last_poll_s)
            polled = await self.get(base_url + optional_text(operation, "name"))
            # An operation that is not visible yet is as good as one that runs.
            operation = operation if polled is None else polled
        if error := mapping(operation.get("error")):
            code = error.get("code")
            raise OperationFailedError(
                code if isinstance(code, int) else 0, optional_text(error, "message")
            )
        return dict(json_object(operation.get("response")))


def _is_retried(error: ApiCallError) -> bool:
    if error.code in _RETRIED_CODES:
        return True
    text = error.message
    if error.code == _CONFLICT and "operationInProgress" in str(error):
        return True
    return (
        # An API just enabled, on this or another machine, is refused for a while.
        (error.code == 403 and "has not been used in project" in text)  # noqa: PLR2004
        or (error.code == 400 and "activation or deactivation is in progress" in text)  # noqa: PLR2004
    )


def _json_object(raw: str) -> JsonObject:
    if not raw.strip():
        return {}
    parsed = json.loads(raw)
    return parsed if isinstance(parsed, dict) else {}


def _refusal(code: int, raw: str, *, is_after_lost_reply: bool) -> ApiCallError:
    try:
        body = _json_object(raw)
    except ValueError:
        body = {}
    error = mapping(body.get("error"))
    reasons = [optional_text(mapping(item), "reason") for item in items(error.get("errors"))]
    return ApiCallError(
        code,
        optional_text(error, "status"),
        optional_text(error, "message") or raw[:200] or "no reason given",
        reason=reasons[0] if reasons else "",
        is_after_lost_reply=is_after_lost_reply,
    )
