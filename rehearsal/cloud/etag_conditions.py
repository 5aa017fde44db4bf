"""Conditions on etags in the headers `If-Match` and `If-None-Match`, which the older APIs take.

The others carry etags in bodies and parameters; those are each service's matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from rehearsal.cloud.calls import Call, Handler, JsonObject
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.errors import ApiError

_CHANGES: Final = frozenset({"PATCH", "PUT", "DELETE"})
_ANY: Final = "*"


async def check_before(method: Method, call: Call, handlers: Mapping[str, Handler]) -> None:
    """Refuse to change a resource that is no longer as its caller knew it.

    Raises:
        ApiError: 412; 404 where there is no such resource.
    """
    if not (method.api.is_lenient and call.if_match and method.http_method in _CHANGES):
        return
    get: Callable[[Call], Awaitable[JsonObject | None]] | None = handlers.get(
        f"{method.id.rpartition('.')[0]}.get"
    )
    # Other conditions of the request are the method's own matter.
    which = {name: value for name, value in call.query.items() if name == "generation"}
    current = await get(replace(call, query=which, body={})) if get else None
    if current is not None and not _is_listed(current["etag"], call.if_match):
        raise _not_held(412)


def check_after(method: Method, call: Call, answer: JsonObject) -> None:
    """Spare the caller an answer that it has already.

    Raises:
        ApiError: 304.
    """
    if not (method.api.is_lenient and call.if_none_match and method.http_method == "GET"):
        return
    if "etag" in answer and _is_listed(answer["etag"], call.if_none_match):
        raise _not_held(304)


def _is_listed(etag: str, header: str) -> bool:
    listed = [one.strip().removeprefix("W/").strip('"') for one in header.split(",")]
    return _ANY in listed or etag.strip('"') in listed


def _not_held(code: int) -> ApiError:
    return ApiError(
        code, "FAILED_PRECONDITION", "Precondition check failed.", reason="conditionNotMet"
    )
