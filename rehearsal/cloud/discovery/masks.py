"""Update masks, checked against the resource that they are about.

Applying one is `rehearsal.cloud.field_masks`' matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject, camel_case, snake_case
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.errors import bad_request
from rehearsal.cloud.field_masks import path_segments

_FIELD: Final = "updateMask"
_ALL: Final = "*"


def checked_mask(
    method: Method, query: Mapping[str, str], body: JsonObject
) -> tuple[str, ...] | None:
    """Return the fields that a call changes, camel case; None where it has no mask.

    `*` stands for all that can be set. Fields that are only output are left out: Google ignores
    them in masks.

    Raises:
        ApiError: 400; a path leads nowhere.
    """
    paths = _paths(query, body)
    if not paths or method.request is None:
        return None
    resource = _masked_resource(method)
    if paths == [_ALL]:
        properties: Mapping[str, JsonObject] = method.api.schemas[resource].get("properties", {})
        return tuple(name for name, schema in properties.items() if not schema.get("readOnly"))
    resolved = {path: _resolved(method, {"$ref": resource}, path_segments(path)) for path in paths}
    unknown = [path for path, known in resolved.items() if known is None]
    if unknown:
        kind = method.api.message_type(resource).rpartition(".")[2]
        raise bad_request([("update_mask", _complaint(kind, path)) for path in unknown])
    return tuple(".".join(known) for known in resolved.values() if known)


def replaces_all(query: Mapping[str, str], body: JsonObject) -> bool:
    """Tell whether the mask is `*`."""
    return _paths(query, body) == [_ALL]


def _complaint(kind: str, path: str) -> str:
    """Pub/Sub's words, as its official emulator has them."""
    return (
        f"Invalid update_mask provided in the Update{kind}Request: '{path}' is not a known {kind}"
        f" field. Note that field paths must be of the form '{snake_case(path)}'."
    )


def _paths(query: Mapping[str, str], body: JsonObject) -> list[str]:
    text = str(query.get(_FIELD) or body.get(_FIELD) or "")
    return [path.strip() for path in text.split(",") if path.strip()]


def _masked_resource(method: Method) -> str:
    """The schema that the mask's paths begin in: the body's, or that of the mask's neighbour."""
    assert method.request is not None
    properties: Mapping[str, JsonObject] = method.api.schemas[method.request].get("properties", {})
    if _FIELD not in properties:
        return method.request
    neighbours: Iterator[str] = (
        schema["$ref"] for schema in properties.values() if "$ref" in schema
    )
    return next(neighbours)


def _resolved(method: Method, schema: JsonObject, segments: Sequence[str]) -> list[str] | None:
    """The path by JSON names; empty for one that is only output, None for one that leads nowhere.

    A path ends in a list: nothing leads into its entries.
    """
    if not segments:
        return None
    resolved: list[str] = []
    is_changeable = True
    for segment in segments:
        schema = method.api.schemas[schema["$ref"]] if "$ref" in schema else schema
        if schema.get("type", "any") == "any":
            resolved.append(segment)
            continue
        properties: Mapping[str, JsonObject] = schema.get("properties") or {}
        name = segment if segment in properties else camel_case(segment)
        if name in properties:
            schema = properties[name]
            resolved.append(name)
            is_changeable &= not schema.get("readOnly")
        elif schema.get("type") == "object" and "additionalProperties" in schema:
            schema = schema["additionalProperties"]
            resolved.append(segment if "." not in segment else f"`{segment}`")
        else:
            return None
    return resolved if is_changeable else []
