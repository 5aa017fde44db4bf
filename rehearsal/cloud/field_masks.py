"""Partial updates by field mask."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import bad_request

# Who a resource is, and its version, do not change whatever a mask says.
IDENTITY: Final = frozenset({"name", "etag"})
# Keys of maps that hold dots are quoted: labels.`a.b`
_SEGMENT: Final = re.compile(r"`([^`]*)`|([^.`]+)")


def path_segments(path: str) -> list[str]:
    """The names in one path of a mask; empty where it is none."""
    segments: list[str] = []
    end = 0
    while found := _SEGMENT.match(path, end):
        segments.append(found[1] if found[2] is None else found[2])
        end = found.end()
        if end == len(path):
            return segments
        if path[end] != ".":
            break
        end += 1
    return []


def masked(current: JsonObject, changes: JsonObject, mask: Sequence[str]) -> JsonObject:
    """Return `current` with the masked fields taken from `changes`, and nothing else changed.

    A field that the changes lack is removed: in protocol buffers that is its default value. The
    mask's fields are camel case and may lead into messages (`template.timeout`).
    """
    updated = copy.deepcopy(current)
    for field in mask:
        if field in IDENTITY:
            continue
        *parents, last = path_segments(field)
        source: JsonObject = changes
        for parent in parents:
            source = source.get(parent) or {}
        _set(updated, parents, last, source.get(last))
    return updated


def _set(body: JsonObject, parents: Sequence[str], last: str, value: object) -> None:
    """Set one field, making the messages on the way to it; None removes."""
    for parent in parents:
        if not isinstance(body.get(parent), dict):
            if value is None:
                return
            body[parent] = {}
        body = body[parent]
    if value is None:
        body.pop(last, None)
    else:
        body[last] = value


def implied_mask(body: JsonObject) -> tuple[str, ...]:
    """The mask of an update that has none: all fields that are given (Google's AIP-134)."""
    return tuple(field for field in body if field not in IDENTITY)


def refuse_changes(current: JsonObject, updated: JsonObject, fields: Iterable[str]) -> None:
    """Refuse an update that changes what cannot change.

    Raises:
        ApiError: 400.
    """
    changed = [field for field in fields if current.get(field) != updated.get(field)]
    if changed:
        raise bad_request([(field, f"Field '{field}' is immutable.") for field in changed])


def merge_patched(current: JsonObject, changes: JsonObject) -> JsonObject:
    """Return `current` after an RFC 7396 merge: null removes, objects merge."""
    updated = dict(current)
    for name, value in changes.items():
        if value is None:
            updated.pop(name, None)
        elif isinstance(value, dict):
            known = updated.get(name)
            updated[name] = merge_patched(known if isinstance(known, dict) else {}, value)
        else:
            updated[name] = value
    return updated
