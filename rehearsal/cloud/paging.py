"""Pages of lists: what a caller asks for is cut out of what a handler found.

Handlers answer whole lists; the page token is made of where the page ended, and is bound to the
list that it belongs to, as Google's are.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.cloud.calls import Call, JsonObject
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.errors import invalid_argument


@dataclass(frozen=True, slots=True)
class Limits:
    """How many entries a page has where the caller does not say, and at most."""

    default: int
    most: int


# As the methods' reference pages say.
_LIMITS: Final[Mapping[str, Limits]] = {
    "artifactregistry.projects.locations.repositories.list": Limits(1000, 1000),
    "cloudscheduler.projects.locations.jobs.list": Limits(500, 500),
    "iam.projects.roles.list": Limits(300, 1000),
    "iam.projects.serviceAccounts.list": Limits(20, 100),
    "secretmanager.projects.secrets.list": Limits(25000, 25000),
    "secretmanager.projects.secrets.versions.list": Limits(25000, 25000),
    "serviceusage.services.list": Limits(50, 200),
    "storage.buckets.list": Limits(1000, 1000),
    "storage.objects.list": Limits(1000, 1000),
}
# Rows have no names; BigQuery numbers them.
_PAGED_ALREADY: Final = frozenset({"bigquery.jobs.getQueryResults", "bigquery.tabledata.list"})
# Where they say nothing.
_USUAL: Final = Limits(1000, 1000)


def page_of_answer(method: Method, call: Call, answer: JsonObject) -> JsonObject:
    """Return the page of a list's answer that the call asks for.

    Raises:
        ApiError: 400; the size is negative, or the token is none of this list's.
    """
    if "pageToken" not in method.parameters or method.id in _PAGED_ALREADY:
        return answer
    fields = [name for name, value in answer.items() if isinstance(value, list)]
    entries = [(name, entry) for name in fields for entry in answer[name]]
    if len(fields) > 1:
        # Objects and the folders among them share a page, in the order of their names.
        entries.sort(key=lambda pair: _key(pair[1]))
    size = call.query.get("pageSize") or call.query.get("maxResults") or "0"
    scope = [method.id, *sorted(call.params.items()), *sorted(_filters(call.query).items())]
    start, end = _bounds(
        [_key(entry) for _, entry in entries],
        _size(int(size), _LIMITS.get(method.id, _USUAL)),
        call.query.get("pageToken", ""),
        scope,
    )
    page = {name: value for name, value in answer.items() if name not in fields}
    for name, entry in entries[start:end]:
        page.setdefault(name, []).append(entry)
    if end < len(entries):
        page["nextPageToken"] = _token(end, _key(entries[end - 1][1]), scope)
    return page


def page_of_names(
    names: Sequence[str], size: int, token: str, scope: Sequence[object]
) -> tuple[slice, str]:
    """Return which of the names are on a page, and the token of the next (empty at the end).

    Raises:
        ApiError: 400, as `page_of_answer`.
    """
    start, end = _bounds(names, _size(size, _USUAL), token, scope)
    return slice(start, end), _token(end, names[end - 1], scope) if end < len(names) else ""


def _size(asked: int, limits: Limits) -> int:
    if asked < 0:
        raise invalid_argument("Page size must not be negative.")
    return min(asked, limits.most) if asked else limits.default


def _bounds(keys: Sequence[str], size: int, token: str, scope: Sequence[object]) -> tuple[int, int]:
    start = _start(keys, token, scope) if token else 0
    return start, min(start + size, len(keys))


def _start(keys: Sequence[str], token: str, scope: Sequence[object]) -> int:
    """Where the page after a token begins; what came or went before it moves it along."""
    try:
        offset, last, digest = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid_argument("The page token is invalid.") from error
    if digest != _digest(scope):
        raise invalid_argument("The page token is not of a request with these parameters.")
    return keys.index(last) + 1 if last in keys else min(offset, len(keys))


def _token(offset: int, last: str, scope: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps([offset, last, _digest(scope)]).encode()).decode()


def _digest(scope: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:16]


def _filters(query: Mapping[str, str]) -> dict[str, str]:
    """What chooses the entries: not the page, and nothing of how answers are written."""
    names = (
        "all",
        "delimiter",
        "endOffset",
        "filter",
        "includeTrailingDelimiter",
        "matchGlob",
        "orderBy",
        "prefix",
        "showDeleted",
        "startOffset",
        "versions",
        "view",
    )
    return {name: query[name] for name in names if name in query}


def _key(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    # Several versions of an object have one name; no name has a line break.
    generation = f"\n{entry['generation']}" if "generation" in entry else ""
    return str(entry.get("name") or entry.get("id")) + generation
