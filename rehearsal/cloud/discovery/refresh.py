"""Refresh the vendored discovery documents: `python -m rehearsal.cloud.discovery.refresh FOLDER`.

FOLDER holds the documents of an installed google-api-python-client
(`googleapiclient/discovery_cache/documents`). Reading them is `documents`' matter.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.discovery.documents import DOCUMENTS, FOLDER

_PARAMETER_KEYS: Final = ("location", "required", "pattern", "enum", "type", "format", "repeated")
_SCHEMA_KEYS: Final = ("type", "format", "enum", "readOnly", "$ref")
# What only the descriptions tell, in their first words.
_REQUIRED: Final = re.compile(r"required\b(?!, except)", re.IGNORECASE)


def refresh(source: Path) -> None:
    """Strip and compress every document that we use."""
    for name in DOCUMENTS:
        document = json.loads((source / f"{name}.json").read_bytes())
        content = json.dumps(_stripped(document), sort_keys=True, separators=(",", ":"))
        # Without a time in it, an unchanged document stays the same file.
        (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(content.encode(), 9, mtime=0))


def _stripped(document: JsonObject) -> JsonObject:
    methods = [_method(method) for method in _methods(document)]
    schemas: dict[str, JsonObject] = {}
    for method in methods:
        for name in (method.get("request"), method.get("response")):
            if name is not None:
                _collect(name, document["schemas"], schemas)
    return {
        "id": document["id"],
        "title": document["title"],
        "revision": document["revision"],
        "servicePath": document["servicePath"],
        "parameters": sorted(document.get("parameters", {})),
        "methods": methods,
        "schemas": schemas,
    }


def _methods(node: JsonObject) -> Iterator[JsonObject]:
    yield from node.get("methods", {}).values()
    for resource in node.get("resources", {}).values():
        yield from _methods(resource)


def _method(method: JsonObject) -> JsonObject:
    stripped: JsonObject = {
        "id": method["id"],
        "httpMethod": method["httpMethod"],
        "path": method["path"],
        "parameters": {
            name: _kept(parameter, _PARAMETER_KEYS)
            for name, parameter in method.get("parameters", {}).items()
        },
    }
    if method.get("flatPath", method["path"]) != method["path"]:
        stripped["flatPath"] = method["flatPath"]
    for body in ("request", "response"):
        if body in method:
            stripped[body] = method[body]["$ref"]
    return stripped


def _kept(described: JsonObject, keys: tuple[str, ...]) -> JsonObject:
    """A parameter or schema without its words, but with what they tell."""
    kept: JsonObject = {key: described[key] for key in keys if key in described}
    if _REQUIRED.match(described.get("description", "")):
        kept["isRequired"] = True
    return kept


def _collect(name: str, known: JsonObject, collected: dict[str, JsonObject]) -> None:
    """Take a schema and all that it refers to."""
    if name in collected:
        return
    collected[name] = {}
    collected[name] = _schema(known[name], known, collected)


def _schema(schema: JsonObject, known: JsonObject, collected: dict[str, JsonObject]) -> JsonObject:
    stripped = _kept(schema, _SCHEMA_KEYS)
    if "$ref" in schema:
        _collect(schema["$ref"], known, collected)
    for key in ("items", "additionalProperties"):
        if key in schema:
            stripped[key] = _schema(schema[key], known, collected)
    if "properties" in schema:
        stripped["properties"] = {
            name: _schema(value, known, collected) for name, value in schema["properties"].items()
        }
    return stripped


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
