"""Partial updates by field mask."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from rehearsal.cloud.calls import JsonObject


def masked(current: JsonObject, changes: JsonObject, mask: Sequence[str]) -> JsonObject:
    """Return `current` with the masked fields taken from `changes`.

    A field that the changes lack is removed: in protocol buffers that is its default value. The
    mask's fields are camel case and may lead into messages (`template.timeout`).
    """
    updated = copy.deepcopy(current)
    for field in mask:
        *parents, last = field.split(".")
        target, source = updated, changes
        for parent in parents:
            target = target.setdefault(parent, {})
            source = source.get(parent) or {}
        if source.get(last) is None:
            target.pop(last, None)
        else:
            target[last] = source[last]
    return updated


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
