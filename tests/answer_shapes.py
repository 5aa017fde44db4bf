"""Whether an answer has the shape that Google's discovery documents promise, field by field.

The documents are the whole ones of `google-api-python-client`; the local cloud's own are stripped
of what only answers are made of.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from googleapiclient.discovery_cache import get_static_doc

from rehearsal.cloud.discovery.documents import DOCUMENTS

_FORMATS = {
    "int64": r"-?\d{1,19}",
    "uint64": r"\d{1,20}",
    "google-datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)",
    "google-duration": r"-?\d+(\.\d{1,9})?s",
}
_TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}


def misshapen(method_id: str, path: str, answer: Any) -> list[str]:
    """Return what is wrong with the answer of a call, one line a field.

    Args:
        method_id: Like `run.projects.locations.services.get`.
        path: The request's path with our prefix; it tells the version.
        answer: Its body.
    """
    document = _document(method_id, path)
    response = _methods(document["_name"])[method_id].get("response")
    schema = response or {"type": "object", "properties": {}}
    return list(_problems(document["schemas"], schema, answer, ""))


@cache
def _load(name: str) -> dict[str, Any]:
    version = name.rpartition(".")[2]
    document: dict[str, Any] = json.loads(get_static_doc(name.partition(".")[0], version))
    return document | {"_name": name}


def _document(method_id: str, path: str) -> dict[str, Any]:
    prefix = path.strip("/").split("/")[0]
    names = [name for name, ours in DOCUMENTS.items() if ours == prefix]
    return next(
        _load(name)
        for name in names
        if f"/{name.rpartition('.')[2]}/" in path and method_id in _methods(name)
    )


@cache
def _methods(name: str) -> dict[str, Any]:
    def walk(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for method in node.get("methods", {}).values():
            yield method["id"], method
        for resource in node.get("resources", {}).values():
            yield from walk(resource)

    return dict(walk(_load(name)))


def _problems(schemas: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kind = schema.get("type", "any")
    if kind == "any":
        yield from _of_any(schemas, value, at)
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{at}: {value!r} is no list"
            return
        for number, entry in enumerate(value):
            yield from _problems(schemas, schema["items"], entry, f"{at}[{number}]")
    elif kind == "object":
        yield from _of_object(schemas, schema, value, at)
    elif not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{at}: {value!r} is no {kind}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    elif "format" in schema and not _fits(schema["format"], value):
        yield f"{at}: {value!r} is no {schema['format']}"


def _of_object(schemas: Any, schema: Any, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
        return
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, member in value.items():
        place = f"{at}.{name}" if at else name
        if name in properties:
            yield from _problems(schemas, properties[name], member, place)
        elif others is None:
            yield f"{place}: not in {sorted(properties)}"
        elif name != "@type":
            packed = _packed(schemas, value.get("@type", ""))
            inner = packed.get("properties", {}).get(name) if packed else others
            if inner is None:
                yield f"{place}: not in {value['@type']}"
            else:
                yield from _problems(schemas, inner, member, place)


def _of_any(schemas: Any, value: Any, at: str) -> Iterator[str]:
    packed = _packed(schemas, value.get("@type", "")) if isinstance(value, dict) else None
    if packed is not None:
        body = {name: member for name, member in value.items() if name != "@type"}
        yield from _problems(schemas, packed, body, at)


def _packed(schemas: Any, type_url: str) -> Any:
    """The schema of a message in an `Any`, where the document has it."""
    words = type_url.rpartition("/")[2].split(".")
    whole = "".join(word[:1].upper() + word[1:] for word in words)
    return schemas.get(whole) or schemas.get(words[-1])


def _fits(kind: str, value: Any) -> bool:
    if kind == "byte":
        return base64.b64encode(base64.b64decode(value)).decode() == value
    pattern = _FORMATS.get(kind)
    return pattern is None or re.fullmatch(pattern, str(value)) is not None
